package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * MatMulNBits, the form in which ONNX files hold weights of a few bits, with a scale for each block
 * of a row:
 *
 * <pre>
 *   codes   u8 [out, blocks, block * bits / 8], the first value of a byte in its low bits
 *   scales  f32 or f16 [out * blocks]
 *   zeros   u8 [out * ceil(blocks * bits / 8)], packed like the codes; 2^(bits-1) where absent;
 *           or f32 or f16 [out * blocks]
 *   groups  i32 [in], the block whose scale a column has, where columns were reordered
 * </pre>
 *
 * That is the bit stream of {@link PackedIntegers} where rows are whole blocks: it stays where it
 * is mapped, and only the zero points are unpacked. Those in floats (half-quadratic quantisation)
 * become a product of their own, of the sums of the input's blocks.
 */
final class VendorBlocks {
  private static final int ZEROS = 3;
  private static final int GROUP_INDEX = 4;
  private static final int BIAS = 5;

  private VendorBlocks() {}

  static void matMul(Node node, Lowered to, Map<String, Constant> constants) {
    int bits = Math.toIntExact(node.intAttribute("bits", 4));
    int rows = extent(node, "N");
    int columns = extent(node, "K");
    int block = extent(node, "block_size");
    if (bits != 2 && bits != 4 && bits != 8 || (long) block * bits % Integer.SIZE != 0) {
      throw node.unsupported(
          "has weights of " + bits + " bits in blocks of " + block,
          "use 2, 4 or 8 bits, 16 or more");
    }
    int blocks = Math.ceilDiv(columns, block);
    Tensor codes = constant(node, 1, constants);
    Tensor scales = constant(node, 2, constants);
    long expected = (long) rows * blocks * block * bits / Byte.SIZE;
    if (codes.dtype() != DType.U8 || codes.bytes() != expected) {
      throw node.problem(
          "has the codes " + codes,
          "give u8 of " + expected + " bytes for its N, K and block_size");
    }
    if (!scales.dtype().isFloating() || scales.elements() != (long) rows * blocks) {
      throw node.problem("has the scales " + scales, "give one for each of " + blocks + " blocks");
    }
    Tensor zeros = to.has(ZEROS) ? constant(node, ZEROS, constants) : null;
    boolean fractions = zeros != null && zeros.dtype().isFloating();
    MemorySegment groups = groups(node, to, constants, columns, blocks);
    PackedIntegers values =
        new PackedIntegers(
            bits,
            columns,
            block,
            words(codes, rows, columns, bits),
            scales.dtype(),
            scales.data(),
            zeros == null || fractions
                ? PackedIntegers.NONE
                : zeros(node, zeros, rows, blocks, bits),
            groups);
    Packed weights = new Packed(rows, columns, values);
    weights.validate(node.name());
    String name = to.constant(new Constant.Compressed(weights, true));
    List<String> terms = new ArrayList<>();
    terms.add(to.add("MatMul", to.in(0), name));
    if (fractions) {
      Tensor shifts = shifts(node, zeros, scales, bits);
      terms.add(shifted(to, groupOf(groups, columns, block), shifts));
    }
    if (to.has(BIAS)) {
      terms.add(to.in(BIAS));
    }
    for (int i = 1; i + 1 < terms.size(); i++) {
      terms.set(i, to.add("Add", terms.get(i - 1), terms.get(i)));
    }
    if (terms.size() > 1) {
      to.into("Add", Map.of(), terms.get(terms.size() - 2), terms.getLast());
    } else {
      to.into("Identity", Map.of(), terms.getFirst());
    }
  }

  /** The group of each column where they are not in the order of the columns. */
  private static MemorySegment groups(
      Node node, Lowered to, Map<String, Constant> constants, int columns, int blocks) {
    if (!to.has(GROUP_INDEX)) {
      return PackedIntegers.NONE;
    }
    Tensor index = constant(node, GROUP_INDEX, constants);
    if (index.dtype() != DType.I32 || index.elements() < columns) {
      throw node.problem("has the groups " + index, "give an i32 for each of " + columns);
    }
    int[] groups = new int[columns];
    for (int k = 0; k < columns; k++) {
      groups[k] = Math.toIntExact(index.getLong(k));
      if (groups[k] < 0 || groups[k] >= blocks) {
        throw node.problem(
            "has a column of group " + groups[k], "there are " + blocks + " of them");
      }
    }
    return MemorySegment.ofArray(groups);
  }

  private static int[] groupOf(MemorySegment groups, int columns, int block) {
    return groups.byteSize() > 0
        ? groups.toArray(ValueLayout.JAVA_INT)
        : IntStream.range(0, columns).map(k -> k / block).toArray();
  }

  /**
   * What zero points that are no codes add to all weights of a block beyond {@code 2^(bits-1)}, f32
   * {@code [blocks, out]}.
   */
  private static Tensor shifts(Node node, Tensor zeros, Tensor scales, int bits) {
    long rows = node.intAttribute("N", 0);
    if (zeros.elements() != scales.elements()) {
      throw node.problem("has the zero points " + zeros, "give one for each scale");
    }
    long blocks = scales.elements() / rows;
    Tensor shifts = Tensor.zeros(DType.F32, Shape.of(blocks, rows));
    int middle = 1 << bits - 1;
    for (long row = 0; row < rows; row++) {
      for (long i = 0; i < blocks; i++) {
        long at = row * blocks + i;
        shifts.setDouble(i * rows + row, (middle - zeros.getDouble(at)) * scales.getDouble(at));
      }
    }
    return shifts;
  }

  /** The sums of the input's blocks, times what is added to all weights of each. */
  private static String shifted(Lowered to, int[] groupOf, Tensor shifts) {
    long blocks = shifts.shape().extent(0);
    Tensor sums = Tensor.zeros(DType.F32, Shape.of(groupOf.length, blocks));
    for (int k = 0; k < groupOf.length; k++) {
      sums.setDouble(k * blocks + groupOf[k], 1);
    }
    String inBlocks = to.add("MatMul", to.in(0), to.constant(sums));
    return to.add("MatMul", inBlocks, to.constant(shifts));
  }

  static int extent(Node node, String attribute) {
    long value = node.intAttribute(attribute, 0);
    if (value < 1 || value > Integer.MAX_VALUE) {
      throw node.problem("has " + attribute + " " + value, "export it again");
    }
    return (int) value;
  }

  static Tensor constant(Node node, int input, Map<String, Constant> constants) {
    String name = node.input(input).orElse("");
    if (!(constants.get(name) instanceof Constant.Plain(Tensor tensor))) {
      throw node.unsupported("computes its weights '" + name + "'", "make them initializers");
    }
    return tensor;
  }

  /** The rows without the last block's padding, where they have any. */
  private static MemorySegment words(Tensor codes, int rows, int columns, int bits) {
    long from = codes.bytes() / rows;
    long into = (long) PackedIntegers.wordsPerRow(columns, bits) * Integer.BYTES;
    if (from == into && (long) columns * bits % Integer.SIZE == 0) {
      return codes.data();
    }
    MemorySegment packed = Tensor.zeros(DType.U8, Shape.of(rows * into)).data();
    long whole = (long) columns * bits / Byte.SIZE;
    int rest = (int) ((long) columns * bits % Byte.SIZE);
    for (long row = 0; row < rows; row++) {
      MemorySegment.copy(codes.data(), row * from, packed, row * into, whole);
      if (rest > 0) {
        int last = codes.data().get(DType.BYTE, row * from + whole) & (1 << rest) - 1;
        packed.set(DType.BYTE, row * into + whole, (byte) last);
      }
    }
    return packed;
  }

  private static MemorySegment zeros(Node node, Tensor zeros, int rows, int blocks, int bits) {
    long perRow = Math.ceilDiv((long) blocks * bits, (long) Byte.SIZE);
    if (zeros.dtype() != DType.U8 || zeros.elements() != rows * perRow) {
      throw node.unsupported("has the zero points " + zeros, "give packed u8 ones");
    }
    byte[] unpacked = new byte[Math.multiplyExact(rows, blocks)];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < blocks; i++) {
        long bit = (long) i * bits;
        int cell = (int) zeros.getLong(row * perRow + bit / Byte.SIZE);
        unpacked[row * blocks + i] = (byte) (cell >>> bit % Byte.SIZE & (1 << bits) - 1);
      }
    }
    return MemorySegment.ofArray(unpacked);
  }
}
