package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Takes a range of each of some axes. Bounds count from the end when negative and are clamped to
 * the axis, so that the largest and smallest 64-bit numbers mean "to the end".
 */
public final class Slice implements Operator {
  /** Elements {@code start, start + step, ...} of an axis, {@code extent} of them. */
  public record Range(int axis, long start, long step, Dim extent) {}

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    List<Dim> dims = new ArrayList<>(x.dims());
    List<Dim> content = x.rank() == 1 ? x.content() : null;
    for (Range range : ranges(node, inputs)) {
      dims.set(range.axis, range.extent);
      if (!range.extent.isKnown()) {
        content = null;
      }
      if (content != null) {
        List<Dim> taken = new ArrayList<>();
        for (long i = 0; i < range.extent.value(); i++) {
          taken.add(content.get((int) (range.start + i * range.step)));
        }
        content = taken;
      }
    }
    return List.of(new ValueType(x.dtype(), dims, content));
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.of(inputs.required(0).rank());
  }

  /** What a node takes of each axis that it names. */
  public static List<Range> ranges(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean attributes = inputs.opset() < 10;
    List<Dim> starts = bounds(node, inputs, "starts", attributes ? -1 : 1);
    List<Dim> ends = bounds(node, inputs, "ends", attributes ? -1 : 2);
    List<Long> axes = Axes.of(node, inputs, "axes", attributes ? -1 : 3).orElse(null);
    List<Long> steps = attributes ? null : Axes.of(node, inputs, "steps", 4).orElse(null);
    if (ends.size() != starts.size()
        || axes != null && axes.size() != starts.size()
        || steps != null && steps.size() != starts.size()
        || starts.size() > x.rank()) {
      throw node.problem(
          "slices " + x + " with " + starts.size() + " starts and " + ends.size() + " ends",
          "give as many starts, ends, axes and steps, at most one for each axis");
    }
    List<Range> ranges = new ArrayList<>();
    Set<Integer> sliced = new HashSet<>();
    for (int i = 0; i < starts.size(); i++) {
      int axis = axes == null ? i : Axes.normalise(node, axes.get(i), x.rank());
      if (!sliced.add(axis)) {
        throw node.problem("slices axis " + axis + " twice", "name each axis once");
      }
      long step = steps == null ? 1 : steps.get(i);
      if (step == 0) {
        throw node.problem("slices with step 0", "use a positive or negative step");
      }
      ranges.add(range(node, axis, starts.get(i), ends.get(i), step, x.dim(axis)));
    }
    return ranges;
  }

  private static List<Dim> bounds(Node node, Inputs inputs, String name, int input) {
    if (input < 0) {
      return node
          .intsAttribute(name)
          .orElseThrow(() -> node.problem("lacks " + name, "export the graph again"))
          .stream()
          .map(Dim::of)
          .toList();
    }
    List<Dim> content = inputs.required(input).content();
    if (content == null) {
      throw new DataDependentException(node, name);
    }
    return content;
  }

  private static Range range(Node node, int axis, Dim start, Dim end, long step, Dim extent) {
    if (start.isKnown() && end.isKnown() && extent.isKnown()) {
      long n = extent.value();
      if (n == 0) {
        return new Range(axis, 0, step, Dim.of(0));
      }
      // forwards a range lies in [0, n], backwards it starts at the last element and ends before
      // the first
      long last = step > 0 ? n : n - 1;
      long from = Math.clamp(fromFront(start.value(), n), 0, last);
      long to = Math.clamp(fromFront(end.value(), n), step > 0 ? 0 : -1, last);
      long span = step > 0 ? to - from : from - to;
      // the smallest 64-bit number has no absolute value
      long stride = step == Long.MIN_VALUE ? Long.MAX_VALUE : Math.abs(step);
      return new Range(axis, from, step, Dim.of(span <= 0 ? 0 : (span - 1) / stride + 1));
    }
    if (step == 1 && start.is(0) && !end.isKnown()) {
      // x[:n] with a symbolic n: taken to lie within the axis
      return new Range(axis, 0, 1, end);
    }
    boolean toTheEnd = end.isKnown() && end.value() >= Integer.MAX_VALUE;
    if (step == 1 && start.isKnown() && start.value() >= 0 && toTheEnd) {
      return new Range(axis, start.value(), 1, extent.minus(start));
    }
    return new Range(
        axis, 0, 1, Dim.symbol("(" + extent + "[" + start + ":" + end + ":" + step + "])"));
  }

  /** A bound counted from the front; a negative one cannot overflow. */
  private static long fromFront(long bound, long extent) {
    return bound < 0 ? bound + extent : bound;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    long[] strides = x.shape().strides();
    long start = 0;
    for (Range range : ranges(binding.node(), Axes.known(binding))) {
      start += range.start * strides[range.axis];
      strides[range.axis] *= range.step;
    }
    return Strided.copy(x, strides, start, binding.output());
  }
}
