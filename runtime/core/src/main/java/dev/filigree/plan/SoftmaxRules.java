package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.spi.Kernels;

/** Softmax and its logarithm along any axis, and how a plan runs them. */
final class SoftmaxRules {
  private final Planner planner;
  private final Kernels kernels;

  SoftmaxRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isMatrix(x)) {
      return false;
    }
    Shape shape = planner.type(x).shape();
    int rank = shape.rank();
    int axis = Softmax.axis(node, planner.graph().opset(), rank);
    Slot in = planner.use(x, Layout.ROWS);
    if (Softmax.isOfOneAxis(planner.graph().opset()) && axis != rank - 1) {
      across(node, in, axis);
      return true;
    }
    long count = Elements.product(shape, axis, rank);
    Shape rows = Shape.of(shape.elements() / count, count);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(step(node, in.as(rows), out.as(rows)));
    planner.explain(node, Layout.ROWS, "row by row");
    return true;
  }

  private Step step(Node node, Slot rows, Slot results) {
    return node.is("LogSoftmax")
        ? new LogSoftmaxStep(kernels, rows, results)
        : new PanelSteps.Softmax(kernels, rows, results);
  }

  /** Softmax along an axis that is not the last, which becomes the last and is put back. */
  private void across(Node node, Slot x, int axis) {
    Shape shape = x.shape();
    long count = shape.extent(axis);
    long inner = Elements.product(shape, axis + 1, shape.rank());
    long outer = shape.elements() / (count * inner);
    Shape columns = Shape.of(outer, inner, count);
    ValueType type = ValueType.of(DType.F32, columns);
    Slot last = planner.place(type, Layout.ROWS);
    planner.add(new MoveStep(x, 0, new long[] {count * inner, 1, inner}, last));
    planner.use(last);
    Slot done = planner.place(type, Layout.ROWS);
    planner.add(step(node, last, done));
    planner.use(done);
    Slot y = planner.define(node.output(), Layout.ROWS);
    long[] back = {count * inner, 1, count};
    planner.add(new MoveStep(done, 0, back, y.as(Shape.of(outer, count, inner))));
    planner.explain(node, Layout.ROWS, "row by row, the axis put last");
  }
}
