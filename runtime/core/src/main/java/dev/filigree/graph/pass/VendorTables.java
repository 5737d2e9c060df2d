package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import java.util.Map;

/**
 * GatherBlockQuantized, the form in which ONNX files hold tables of words in a few bits, with a
 * scale for each block of a row. Rows are looked up as codes, and only those are turned into
 * floats:
 *
 * <pre>
 *   codes   [rows, ..., width], of a 4-bit type, or u8 with two of them to a byte
 *   scales  [rows, ..., ceil(width / block)], and zero points packed as the codes are
 * </pre>
 */
final class VendorTables {
  private static final int SCALES = 2;
  private static final int ZEROS = 3;

  private VendorTables() {}

  static void gather(Node node, Lowered to, Map<String, Constant> constants) {
    Tensor codes = constant(node, 0, constants);
    Tensor scales = constant(node, SCALES, constants);
    int rank = codes.shape().rank();
    long axis = node.intAttribute("gather_axis", 0);
    long along = node.intAttribute("quantize_axis", 1);
    long bits = node.intAttribute("bits", 4);
    long block = node.intAttribute("block_size", 128);
    if (axis != 0 && axis != -rank || along != rank - 1 && along != -1 || rank < 2) {
      throw node.unsupported(
          "gathers along axis " + axis + " what has its blocks along axis " + along,
          "gather along the first axis and have blocks along the last");
    }
    if (bits != 4 && bits != 8 || block < 1 || scales.shape().rank() != rank) {
      throw node.unsupported(
          "has codes of " + bits + " bits in blocks of " + block, "use 4 or 8 bits in blocks");
    }
    long width = codes.shape().extent(rank - 1);
    long blocks = scales.shape().extent(rank - 1);
    boolean packed = codes.dtype() == DType.U8 && bits == 4 && Math.ceilDiv(width, block) != blocks;
    Tensor zeros = to.has(ZEROS) ? constant(node, ZEROS, constants) : null;
    if (packed) {
      codes = unpacked(codes, 2 * width);
      zeros = zeros == null ? null : unpacked(zeros, blocks);
    }
    if (zeros == null && codes.dtype() == DType.U8 && (packed || bits == 8)) {
      zeros = Tensor.zeros(DType.U8, scales.shape());
      zeros.data().fill((byte) (1 << bits - 1));
    }
    String found = to.add("Gather", to.constant(codes), to.in(1));
    String scale = to.add("Gather", to.in(SCALES), to.in(1));
    Map<String, Attribute> attributes =
        Map.of("axis", new Attribute.Int(-1), "block_size", new Attribute.Int(block));
    if (zeros == null) {
      to.into("DequantizeLinear", attributes, found, scale);
    } else {
      String zero = to.add("Gather", to.constant(zeros), to.in(1));
      to.into("DequantizeLinear", attributes, found, scale, zero);
    }
  }

  private static Tensor constant(Node node, int input, Map<String, Constant> constants) {
    String name = node.input(input).orElse("");
    if (!(constants.get(name) instanceof Constant.Plain(Tensor tensor))) {
      throw node.unsupported("computes its table '" + name + "'", "make it an initializer");
    }
    return tensor;
  }

  /** One code to a byte, the first of two from the low bits; a row's last byte may hold one. */
  private static Tensor unpacked(Tensor packed, long width) {
    int last = packed.shape().rank() - 1;
    long[] extents = packed.shape().extents();
    long from = extents[last];
    extents[last] = width;
    Tensor codes = Tensor.zeros(DType.U8, Shape.of(extents));
    long rows = packed.elements() / Math.max(1, from);
    for (long row = 0; row < rows; row++) {
      for (long i = 0; i < width; i++) {
        codes.setLong(row * width + i, packed.getLong(row * from + i / 2) >>> i % 2 * 4 & 0xf);
      }
    }
    return codes;
  }
}
