package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.DataDependentOperator;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Lines;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The different elements, or slices along an axis, sorted or in order of appearance; with where
 * each first appears, which of them stands where, and how often.
 */
public final class Unique implements DataDependentOperator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    Dim count = Dim.symbol("unique(" + node.output() + ")");
    List<Dim> dims = new ArrayList<>(List.of(count));
    Dim all = Dim.product(x.dims());
    if (node.attributes().containsKey("axis")) {
      int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
      dims = new ArrayList<>(x.dims());
      all = dims.set(axis, count);
    }
    ValueType each = ValueType.of(DType.I64, List.of(count));
    return List.of(
        ValueType.of(x.dtype(), dims), each, ValueType.of(DType.I64, List.of(all)), each);
  }

  /** Compares slices of a tensor along an axis. */
  private record Slice(Tensor x, Lines lines, long index) implements Comparable<Slice> {
    @Override
    public int compareTo(Slice other) {
      for (long line = 0; line < lines.count(); line++) {
        long start = lines.start(line);
        int order =
            Elements.compare(x, start + index * lines.step(), start + other.index * lines.step());
        if (order != 0) {
          return order;
        }
      }
      return 0;
    }
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    boolean flat = !node.attributes().containsKey("axis");
    Tensor x = flat ? operands[0].reshape(Shape.of(operands[0].elements())) : operands[0];
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.shape().rank());
    Lines lines = Lines.of(x.shape(), axis);
    // slices that are equal are one key, whose value lists where it appears
    Map<Slice, List<Long>> found = new TreeMap<>();
    for (long i = 0; i < lines.length(); i++) {
      found.computeIfAbsent(new Slice(x, lines, i), slice -> new ArrayList<>()).add(i);
    }
    List<List<Long>> groups = new ArrayList<>(found.values());
    if (node.intAttribute("sorted", 1) == 0) {
      groups.sort(Comparator.comparing(List::getFirst));
    }
    long[] extents = x.shape().extents();
    extents[axis] = groups.size();
    Tensor y = Tensor.zeros(x.dtype(), Shape.of(extents));
    Tensor first = Tensor.zeros(DType.I64, Shape.of(groups.size()));
    Tensor inverse = Tensor.zeros(DType.I64, Shape.of(lines.length()));
    Tensor counts = Tensor.zeros(DType.I64, Shape.of(groups.size()));
    Lines target = Lines.of(y.shape(), axis);
    for (int g = 0; g < groups.size(); g++) {
      long from = groups.get(g).getFirst();
      for (long line = 0; line < lines.count(); line++) {
        long at = lines.start(line) + from * lines.step();
        Elements.copy(x, at, y, target.start(line) + g * target.step(), 1);
      }
      first.setLong(g, from);
      counts.setLong(g, groups.get(g).size());
      for (long i : groups.get(g)) {
        inverse.setLong(i, g);
      }
    }
    return Arrays.copyOf(new Tensor[] {y, first, inverse, counts}, node.outputs().size());
  }
}
