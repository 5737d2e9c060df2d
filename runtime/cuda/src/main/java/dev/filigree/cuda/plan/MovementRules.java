package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.Gather;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.View;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.shape.Slice;
import dev.filigree.kernel.shape.Transpose;
import java.util.List;

/** How a plan runs operators that only move elements. */
final class MovementRules {
  /** Axes that kernels walk through however they lie. */
  static final int MOST_AXES = 6;

  private static final int IMAGE_AXES = 4;

  private final DevicePlanner planner;
  private final OperationKernels kernels;

  MovementRules(DevicePlanner planner, OperationKernels kernels) {
    this.planner = planner;
    this.kernels = kernels;
  }

  /** Plans a node that moves a computed tensor; false if it does not or the kernels cannot. */
  boolean plan(Node node) {
    for (String value : node.inputs()) {
      if (!value.isEmpty() && planner.type(value).rank() > MOST_AXES) {
        return false;
      }
    }
    if (node.outputs().stream().anyMatch(String::isEmpty)
        || planner.type(node.output()).rank() > MOST_AXES
        || planner.type(node.output()).shape().elements() == 0) {
      return false;
    }
    return switch (node.type()) {
      case "Expand" -> expand(node);
      case "Transpose" -> transpose(node);
      case "Slice" -> slice(node);
      case "Concat" -> concat(node);
      case "Split" -> split(node);
      case "Gather" -> gather(node);
      default -> false;
    };
  }

  private boolean isComputed(Node node) {
    return planner.isComputed(node.inputs().getFirst());
  }

  private DeviceTensor in(Node node) {
    return planner.use(node.inputs().getFirst(), planner.deviceType(node.output()));
  }

  private void explain(Node node, DeviceTensor y) {
    planner.explain(node, "copy_b" + y.dtype().bytes() * Byte.SIZE, "moved");
  }

  private boolean expand(Node node) {
    if (!isComputed(node)) {
      return false;
    }
    DeviceTensor in = in(node);
    DeviceTensor y = planner.define(node.output());
    planner.launch(arena -> Movement.copy(kernels, in.view(arena), y.view(arena), y.pitch()));
    explain(node, y);
    return true;
  }

  private boolean transpose(Node node) {
    if (!isComputed(node)) {
      return false;
    }
    DeviceTensor in = in(node);
    DeviceTensor y = planner.define(node.output());
    int[] order = Transpose.order(node, in.shape().rank());
    planner.launch(
        arena -> Movement.copy(kernels, in.view(arena).permute(order), y.view(arena), y.pitch()));
    explain(node, y);
    return true;
  }

  private boolean slice(Node node) {
    if (!isComputed(node)) {
      return false;
    }
    List<Slice.Range> ranges = Slice.ranges(node, planner.inputs(node));
    DeviceTensor in = in(node);
    DeviceTensor y = planner.define(node.output());
    planner.launch(
        arena -> {
          View from = in.view(arena);
          for (Slice.Range range : ranges) {
            from = from.slice(range.axis(), range.start(), range.step(), range.extent().value());
          }
          return Movement.copy(kernels, from, y.view(arena), y.pitch());
        });
    explain(node, y);
    return true;
  }

  private boolean concat(Node node) {
    int rank = planner.type(node.output()).rank();
    int ofGraph = Axes.normalise(node, node.intAttribute("axis", 0), rank);
    boolean images = planner.images().lead(node);
    int axis = images ? ImagePlaces.axis(ofGraph, rank) : ofGraph;
    int lastAxis = images ? IMAGE_AXES - 1 : rank - 1;
    DType dtype = planner.deviceType(node.output());
    DeviceTensor y = null;
    long at = 0;
    long last = planner.type(node.output()).shape().extent(ofGraph);
    for (String value : node.inputs()) {
      long extent = planner.type(value).shape().extent(ofGraph);
      if (extent == 0) {
        continue;
      }
      ImagePlaces.Operand part =
          images ? planner.images().operand(value, dtype, rank) : planner.use(value, dtype)::view;
      // the result is made by the first copy, and the others must not find its memory taken
      DeviceTensor whole = y == null ? define(node, dtype, images) : planner.keep(y);
      y = whole;
      long start = at;
      at += extent;
      boolean alongRows = axis == lastAxis;
      int columns = alongRows ? Math.toIntExact(extent) : whole.columns();
      // the part that ends the rows writes the zeros behind them
      int width = !alongRows ? whole.pitch() : at < last ? columns : whole.pitch() - (int) start;
      planner.launch(
          arena ->
              Movement.copy(
                  kernels,
                  part.view(arena),
                  whole.view(arena).slice(axis, start, 1, extent),
                  width));
    }
    explain(node, y);
    return true;
  }

  private DeviceTensor define(Node node, DType dtype, boolean image) {
    return image
        ? planner.images().define(node.output(), dtype)
        : planner.define(node.output(), dtype);
  }

  private boolean split(Node node) {
    if (!isComputed(node)) {
      return false;
    }
    int rank = planner.type(node.inputs().getFirst()).rank();
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), rank);
    long at = 0;
    for (String output : node.outputs()) {
      long start = at;
      long extent = planner.type(output).shape().extent(axis);
      at += extent;
      DeviceTensor in = planner.use(node.inputs().getFirst(), planner.deviceType(output));
      DeviceTensor y = planner.define(output);
      planner.launch(
          arena ->
              Movement.copy(
                  kernels, in.view(arena).slice(axis, start, 1, extent), y.view(arena), y.pitch()));
    }
    planner.explain(node, "copy_b", node.outputs().size() + " parts, moved");
    return true;
  }

  private boolean gather(Node node) {
    ValueType x = planner.type(node.inputs().get(0));
    ValueType index = planner.type(node.inputs().get(1));
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
    boolean last = axis == x.rank() - 1;
    // along the last axis the names of the rows of y are those of the indices
    if (x.shape().elements() == 0 || last && index.rank() != 1) {
      return false;
    }
    DeviceTensor in = in(node);
    Shape count = Shape.of(index.shape().elements());
    DeviceTensor given = planner.use(node.inputs().get(1), index.dtype());
    DeviceTensor indices = planner.reshaped(given, count);
    DType indexType = index.dtype();
    DeviceTensor y = planner.define(node.output());
    long fault = planner.fault(node);
    planner.keep(in);
    planner.launch(
        arena ->
            Gather.slices(
                kernels,
                in.view(arena),
                axis,
                indices.address(arena),
                indexType,
                count,
                y.address(arena),
                y.pitch(),
                arena + fault));
    planner.explain(node, "gather_b" + y.dtype().bytes() * Byte.SIZE, "rows by index");
    return true;
  }
}
