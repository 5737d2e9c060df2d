package dev.filigree.kernel;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** ONNX's multidirectional (numpy) broadcasting: axes align at the last one, extent 1 repeats. */
public final class Broadcast {
  /** Operator set from which operands broadcast as in numpy. */
  private static final int NUMPY_STYLE = 7;

  private Broadcast() {}

  /**
   * The shape under which the right one of two operands broadcasts. Before operator set 7 it could
   * be put anywhere within the left one, by the attribute {@code axis}.
   *
   * @param left axes of the left operand
   * @param dims of the right operand
   */
  public static <T> List<T> placed(Node node, int opset, int left, List<T> dims, T one) {
    // the slopes of a PRelu stand for channels
    boolean slopes = node.is("PRelu") && left > 1 && dims.size() == 1;
    if (opset >= NUMPY_STYLE || !slopes && !node.attributes().containsKey("axis")) {
      return dims;
    }
    int axis = Axes.normalise(node, node.intAttribute("axis", slopes ? 1 : 0), Math.max(1, left));
    List<T> placed = new ArrayList<>(dims);
    while (placed.size() + axis < left) {
      placed.add(one);
    }
    return placed;
  }

  /** The right one of two operands as it broadcasts; see {@link #placed}. */
  public static Tensor right(Node node, int opset, Tensor left, Tensor right) {
    List<Long> extents = Arrays.stream(right.shape().extents()).boxed().toList();
    return right.reshape(
        Shape.of(
            placed(node, opset, left.shape().rank(), extents, 1L).stream()
                .mapToLong(Long::longValue)
                .toArray()));
  }

  /** The type of the right one of two operands as it broadcasts; see {@link #placed}. */
  public static ValueType right(Node node, int opset, ValueType left, ValueType right) {
    return right.withDims(placed(node, opset, left.rank(), right.dims(), Dim.ONE));
  }

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

  /**
   * Whether operands broadcast to an operand's extents, as far as these are known: a symbol stands
   * for what it meets.
   */
  public static boolean fits(Node node, List<ValueType> operands, List<Dim> extents) {
    List<Dim> result = dims(node, operands);
    if (result.size() != extents.size()) {
      return false;
    }
    for (int axis = 0; axis < result.size(); axis++) {
      if (extents.get(axis).isKnown() && !result.get(axis).equals(extents.get(axis))) {
        return false;
      }
    }
    return true;
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
