package dev.filigree.kernel.index;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * Adds elements at both ends of axes: a constant, the edge, its reflection, or from the other end;
 * negative pads remove some. Pads and value are attributes before operator set 11.
 */
public final class Pad implements Operator {
  private static final int PADS_BECAME_INPUT = 11;
  private static final int VALUE = 2;
  private static final int AXES = 3;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    long[] pads = pads(node, inputs, x.rank());
    String mode = node.textAttribute("mode", "constant");
    if (!List.of("constant", "edge", "reflect", "wrap").contains(mode)) {
      throw node.problem("pads by '" + mode + "'", "use constant, edge, reflect or wrap");
    }
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < x.rank(); axis++) {
      long added = pads[axis] + pads[axis + x.rank()];
      Dim extent = x.dim(axis);
      Dim padded = added == 0 ? extent : extent.plus(Dim.of(added));
      if (padded.isKnown() && padded.value() < 0
          || extent.is(0) && added > 0 && !mode.equals("constant")) {
        throw node.problem("pads " + x + " by " + Arrays.toString(pads), "leave something");
      }
      dims.add(padded);
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.of(inputs.required(0).rank());
  }

  private static long[] pads(Node node, Inputs inputs, int rank) {
    int input = inputs.opset() >= PADS_BECAME_INPUT ? 1 : -1;
    String attribute = inputs.opset() == 1 ? "paddings" : "pads";
    List<Long> given =
        Axes.of(node, inputs, attribute, input)
            .orElseThrow(() -> node.problem("lacks its pads", "export the graph again"));
    List<Long> axes = Axes.of(node, inputs, "axes", input < 0 ? -1 : AXES).orElse(null);
    int count = axes == null ? rank : axes.size();
    if (given.size() != 2 * count) {
      throw node.problem("has the pads " + given, "give two for each axis");
    }
    long[] pads = new long[2 * rank];
    for (int i = 0; i < count; i++) {
      int axis = axes == null ? i : Axes.normalise(node, axes.get(i), rank);
      pads[axis] = within(node, given.get(i));
      pads[axis + rank] = within(node, given.get(i + count));
    }
    return pads;
  }

  private static long within(Node node, long pad) {
    if (Math.abs(pad) > Integer.MAX_VALUE || pad == Long.MIN_VALUE) {
      throw node.problem("pads by " + pad, "use 31-bit numbers");
    }
    return pad;
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    int rank = x.shape().rank();
    long[] pads = pads(node, Axes.known(binding), rank);
    String mode = node.textAttribute("mode", "constant");
    Tensor value = value(binding, x);
    if (rank > 0 && mode.equals("constant") && Arrays.stream(pads).allMatch(pad -> pad >= 0)) {
      return constant(x, y, pads, value);
    }
    long[] index = new long[rank];
    long[] strides = x.shape().strides();
    return () -> {
      Arrays.fill(index, 0);
      for (long i = 0, n = y.elements(); i < n; i++) {
        long from = 0;
        for (int axis = 0; axis < rank && from >= 0; axis++) {
          long at = source(mode, index[axis] - pads[axis], x.shape().extent(axis));
          from = at < 0 ? -1 : from + at * strides[axis];
        }
        if (from >= 0) {
          Elements.copy(x, from, y, i, 1);
        } else if (value == null) {
          y.setLong(i, 0);
        } else {
          Elements.copy(value, 0, y, i, 1);
        }
        for (int axis = rank - 1; axis >= 0 && ++index[axis] == y.shape().extent(axis); axis--) {
          index[axis] = 0;
        }
      }
    };
  }

  /** Fills the result and puts the tensor into it, row by row. */
  private static Kernel constant(Tensor x, Tensor y, long[] pads, Tensor value) {
    int inner = x.shape().rank() - 1;
    long length = x.shape().extent(inner);
    long[] strides = y.shape().strides();
    long start = pads[inner];
    for (int axis = 0; axis < inner; axis++) {
      start += pads[axis] * strides[axis];
    }
    Strided rows =
        new Strided(
            Shape.of(Arrays.copyOf(x.shape().extents(), inner)),
            new long[][] {Arrays.copyOf(strides, inner)},
            new long[] {start});
    return () -> {
      Elements.fill(y, value);
      rows.forEach((i, at) -> Elements.copy(x, i * length, y, at[0], length));
    };
  }

  private static Tensor value(Binding binding, Tensor x) {
    if (binding.opset() >= PADS_BECAME_INPUT) {
      return binding.has(VALUE) && binding.input(VALUE).elements() == 1
          ? binding.input(VALUE)
          : null;
    }
    Tensor value = Tensor.zeros(x.dtype(), Shape.SCALAR);
    value.setDouble(0, binding.node().floatAttribute("value", 0));
    return value;
  }

  /** The element of an axis that stands at a place, which may lie outside; -1 for the constant. */
  private static long source(String mode, long at, long extent) {
    if (at >= 0 && at < extent) {
      return at;
    }
    return switch (mode) {
      case "edge" -> Math.clamp(at, 0, extent - 1);
      case "wrap" -> Math.floorMod(at, extent);
      case "reflect" -> {
        if (extent == 1) {
          yield 0;
        }
        long period = Math.floorMod(at, 2 * extent - 2);
        yield period < extent ? period : 2 * extent - 2 - period;
      }
      default -> -1;
    };
  }
}
