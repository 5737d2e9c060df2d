package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Constants of four-bit integers, two in a byte with the first in the low bits (operator set 21).
 * They become bytes of the same values, which means the same wherever they are moved or
 * dequantised; what would round to four bits is refused.
 */
final class NarrowIntegers {
  private static final long UINT4 = 21;
  private static final long INT4 = 22;

  /** Operators to whose results it does not matter how many bits their operand has. */
  private static final Set<String> INDIFFERENT =
      Set.of(
          "DequantizeLinear",
          "Flatten",
          "Gather",
          "GatherBlockQuantized",
          "Identity",
          "Reshape",
          "Shape",
          "Size",
          "Slice",
          "Squeeze",
          "Transpose",
          "Unsqueeze");

  /** Those of them whose results are of another type. */
  private static final Set<String> ENDING =
      Set.of("DequantizeLinear", "GatherBlockQuantized", "Shape", "Size");

  private final Set<String> names = new HashSet<>();
  private boolean noted;

  /** Whether ONNX's number of a type is one of four bits. */
  static boolean isNarrow(long type) {
    return type == UINT4 || type == INT4;
  }

  /** Adds names of constants. */
  void addAll(List<String> constants) {
    names.addAll(constants);
  }

  /** Remembers that the node that is being read holds such a constant, if it is one. */
  void note(TensorReader.Named tensor) {
    noted |= tensor.isNarrow();
  }

  /** Whether one was noted since the last time. */
  boolean takeNoted() {
    boolean was = noted;
    noted = false;
    return was;
  }

  /**
   * Refuses nodes that treat a constant as what it is in the file, an integer of four bits.
   *
   * @throws dev.filigree.UnsupportedException if there is one
   */
  void check(List<Node> nodes) {
    for (Node node : nodes) {
      for (String input : node.inputs()) {
        if (names.contains(input) && !INDIFFERENT.contains(node.type())) {
          throw node.unsupported(
              "reads '" + input + "' of four-bit integers",
              "four bits are supported for constants that are dequantised");
        }
      }
      boolean moved = node.input(0).filter(names::contains).isPresent();
      if (moved && !ENDING.contains(node.type())) {
        names.addAll(node.outputs());
      }
    }
  }

  /** A constant whose elements the file holds two in a byte. */
  static Constant unpacked(long type, Shape shape, Constant packed) {
    Tensor bytes = packed.toTensor();
    Tensor values = Tensor.zeros(type == INT4 ? DType.I8 : DType.U8, shape);
    for (long i = 0; i < shape.elements(); i++) {
      long code = bytes.getLong(i / 2) >>> i % 2 * 4 & 0xf;
      values.setLong(i, type == INT4 && code > 7 ? code - 16 : code);
    }
    return new Constant.Plain(values);
  }
}
