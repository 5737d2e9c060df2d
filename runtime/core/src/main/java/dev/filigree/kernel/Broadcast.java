package dev.filigree.kernel;

import dev.filigree.Shape;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** ONNX's multidirectional (numpy) broadcasting: axes align at the last one, extent 1 repeats. */
public final class Broadcast {
  private Broadcast() {}

  /**
   * Extents of operands broadcast against each other.
   *
   * @throws dev.filigree.GraphException if two extents differ and neither is 1
   */
  public static List<Dim> dims(Node node, List<ValueType> operands) {
    int rank = operands.stream().mapToInt(ValueType::rank).max().orElse(0);
    List<Dim> result = new ArrayList<>(Collections.nCopies(rank, Dim.ONE));
    for (ValueType operand : operands) {
      for (int axis = 0; axis < operand.rank(); axis++) {
        int at = axis + rank - operand.rank();
        result.set(at, dim(node, operands, result.get(at), operand.dim(axis)));
      }
    }
    return result;
  }

  private static Dim dim(Node node, List<ValueType> operands, Dim left, Dim right) {
    if (left.equals(right) || right.is(1)) {
      return left;
    }
    if (left.is(1)) {
      return right;
    }
    if (left.isKnown() && right.isKnown()) {
      throw node.problem(
          "cannot broadcast " + operands + " against each other",
          "make the extents equal or 1 in every axis");
    }
    // a symbol stands for 1 or for what it meets
    return left.isKnown() ? left : right;
  }

  /** Elements to step in an operand along each axis of the broadcast shape; 0 where it repeats. */
  public static long[] strides(Shape operand, Shape result) {
    long[] own = operand.strides();
    long[] strides = new long[result.rank()];
    for (int axis = 0; axis < own.length; axis++) {
      int at = axis + result.rank() - own.length;
      strides[at] = operand.extent(axis) == 1 ? 0 : own[axis];
    }
    return strides;
  }
}
