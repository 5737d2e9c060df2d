package dev.filigree.kernel.control;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Elements;
import java.util.ArrayList;
import java.util.List;

/** What the runs of a graph made, to be stacked along a new axis. */
final class Stacks {
  /** Part of the JVM's memory that stacks may take. */
  private static final int SHARE = 4;

  private final Node node;
  private final List<List<Tensor>> made = new ArrayList<>();
  private long bytes;

  /**
   * @param count of stacks
   */
  Stacks(Node node, int count) {
    this.node = node;
    for (int i = 0; i < count; i++) {
      made.add(new ArrayList<>());
    }
  }

  /** Adds what one run made. */
  void push(List<Tensor> results) {
    for (int i = 0; i < made.size(); i++) {
      Tensor result = results.get(i);
      List<Tensor> stack = made.get(i);
      if (!stack.isEmpty()
          && (!stack.getFirst().shape().equals(result.shape())
              || stack.getFirst().dtype() != result.dtype())) {
        throw node.problem(
            "stacks " + stack.getFirst() + " and " + result, "give every run the same shape");
      }
      bytes += result.bytes();
      if (bytes > Runtime.getRuntime().maxMemory() / SHARE) {
        throw node.problem(
            "stacks more than " + bytes + " bytes", "run it less often or raise -Xmx");
      }
      stack.add(result);
    }
  }

  /**
   * The stack as one tensor.
   *
   * @param axis that counts the runs
   * @param declared type of a single result, for a stack of nothing
   */
  Tensor join(int i, int axis, ValueInfo declared) {
    List<Tensor> stack = made.get(i);
    if (stack.isEmpty()) {
      return empty(axis, declared);
    }
    Tensor first = stack.getFirst();
    int at = Axes.normalise(node, axis, first.shape().rank() + 1);
    List<Long> extents = new ArrayList<>();
    for (long extent : first.shape().extents()) {
      extents.add(extent);
    }
    extents.add(at, (long) stack.size());
    Tensor joined =
        Tensor.zeros(
            first.dtype(), Shape.of(extents.stream().mapToLong(Long::longValue).toArray()));
    long outer = Elements.product(joined.shape(), 0, at);
    long inner = Elements.product(joined.shape(), at + 1, joined.shape().rank());
    for (int run = 0; run < stack.size(); run++) {
      Tensor result = stack.get(run).contiguous();
      for (long o = 0; o < outer; o++) {
        Elements.copy(result, o * inner, joined, (o * stack.size() + run) * inner, inner);
      }
    }
    return joined;
  }

  private Tensor empty(int axis, ValueInfo declared) {
    if (declared.dtype() == null) {
      throw node.unsupported(
          "stacks nothing of an undeclared type", "declare the type of '" + declared.name() + "'");
    }
    List<Long> extents = new ArrayList<>();
    if (declared.dims() == null) {
      // of what has any number of axes nothing has the one that counts, as in ONNX Runtime
      return Tensor.zeros(declared.dtype(), Shape.of(0));
    }
    for (Dim dim : declared.dims()) {
      extents.add(dim.isKnown() ? dim.value() : 0);
    }
    extents.add(Axes.normalise(node, axis, extents.size() + 1), 0L);
    return Tensor.zeros(
        declared.dtype(), Shape.of(extents.stream().mapToLong(Long::longValue).toArray()));
  }
}
