package dev.filigree.kernel.sequence;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Elements;
import java.util.ArrayList;
import java.util.List;

/** The pieces of a tensor along an axis. */
final class Pieces {
  private Pieces() {}

  /**
   * Cuts a tensor as SplitToSequence does.
   *
   * @param lengths one for all pieces but the last, or one for each; null for pieces of 1
   */
  static List<Tensor> of(Node node, Tensor tensor, Tensor lengths) {
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), tensor.shape().rank());
    boolean keeps = lengths != null || node.intAttribute("keepdims", 1) != 0;
    List<Tensor> pieces = new ArrayList<>();
    long from = 0;
    for (long length : lengths(node, lengths, tensor.shape().extent(axis))) {
      pieces.add(piece(tensor, axis, from, length, keeps));
      from += length;
    }
    return pieces;
  }

  private static List<Long> lengths(Node node, Tensor given, long extent) {
    List<Long> lengths = new ArrayList<>();
    if (given != null && given.shape().rank() > 0) {
      long sum = 0;
      for (long length : given.toLongs()) {
        if (length < 0 || length > extent - sum) {
          throw node.problem("cuts " + extent + " by " + given, "the lengths must make the axis");
        }
        lengths.add(length);
        sum += length;
      }
      if (sum != extent) {
        throw node.problem("cuts " + extent + " in " + sum, "the lengths must make the axis");
      }
      return lengths;
    }
    long size = given == null ? 1 : given.getLong(0);
    if (size < 1) {
      throw node.problem("cuts pieces of " + size, "use 1 or more");
    }
    for (long at = 0; at < extent; at += size) {
      lengths.add(Math.min(size, extent - at));
    }
    return lengths;
  }

  private static Tensor piece(Tensor tensor, int axis, long from, long length, boolean keeps) {
    int rank = tensor.shape().rank();
    List<Long> extents = new ArrayList<>();
    for (int i = 0; i < rank; i++) {
      if (i != axis) {
        extents.add(tensor.shape().extent(i));
      } else if (keeps) {
        extents.add(length);
      }
    }
    Tensor piece =
        Tensor.zeros(
            tensor.dtype(), Shape.of(extents.stream().mapToLong(Long::longValue).toArray()));
    long inner = Elements.product(tensor.shape(), axis + 1, rank);
    long outer = Elements.product(tensor.shape(), 0, axis);
    long extent = tensor.shape().extent(axis);
    for (long o = 0; o < outer; o++) {
      Elements.copy(tensor, (o * extent + from) * inner, piece, o * length * inner, length * inner);
    }
    return piece;
  }
}
