package dev.filigree.kernel.image;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * Samples signals, images or volumes {@code [batch, channels, axis, ...]} at the places that a grid
 * {@code [batch, outAxis, ..., axes]} names by numbers from -1 to 1, that of the last axis first.
 */
public final class GridSample implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType grid = inputs.required(1);
    int axes = x.rank() - 2;
    if (axes < 1
        || grid.rank() != x.rank()
        || grid.dim(-1).isKnown() && !grid.dim(-1).is(axes)
        || !grid.dim(0).equals(x.dim(0)) && grid.dim(0).isKnown() && x.dim(0).isKnown()) {
      throw node.problem(
          "samples " + x + " at " + grid, "pass images [n, c, h, w] and a grid [n, h, w, 2]");
    }
    if (!x.dtype().isFloating() || !grid.dtype().isFloating()) {
      throw node.problem("samples " + x + " at " + grid, "pass floats");
    }
    mode(node);
    padding(node);
    List<Dim> dims = new ArrayList<>(x.dims().subList(0, 2));
    dims.addAll(grid.dims().subList(1, axes + 1));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  private static GridTaps.Mode mode(Node node) {
    return switch (node.textAttribute("mode", "bilinear")) {
      case "bilinear", "linear" -> GridTaps.Mode.LINEAR;
      case "bicubic", "cubic" -> GridTaps.Mode.CUBIC;
      case "nearest" -> GridTaps.Mode.NEAREST;
      case String other ->
          throw node.problem("samples by '" + other + "'", "use bilinear, nearest or bicubic");
    };
  }

  private static GridTaps.Padding padding(Node node) {
    return switch (node.textAttribute("padding_mode", "zeros")) {
      case "zeros" -> GridTaps.Padding.ZEROS;
      case "border" -> GridTaps.Padding.BORDER;
      case "reflection" -> GridTaps.Padding.REFLECTION;
      case String other ->
          throw node.problem("pads by '" + other + "'", "use zeros, border or reflection");
    };
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor grid = binding.input(1);
    Tensor y = binding.output();
    long batch = x.shape().extent(0);
    long channels = x.shape().extent(1);
    long planes = batch * channels;
    if (y.elements() == 0) {
      return () -> {};
    }
    long pixels = x.elements() / planes;
    long points = y.elements() / planes;
    boolean aligned = node.intAttribute("align_corners", 0) != 0;
    GridTaps taps = new GridTaps(x.shape(), mode(node), padding(node), aligned);
    return () -> {
      for (long place = 0; place < batch * points; place++) {
        taps.move(grid, place);
        long first = place / points * channels;
        for (long plane = first; plane < first + channels; plane++) {
          y.setDouble(plane * points + place % points, taps.sum(x, plane * pixels));
        }
      }
    };
  }
}
