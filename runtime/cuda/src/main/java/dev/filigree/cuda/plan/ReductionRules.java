package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.MatrixProduct;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Reduction;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.math.Reduce;
import java.util.ArrayList;
import java.util.List;

/** How a plan runs sums over axes: reductions and products of computed matrices. */
final class ReductionRules {
  private final DevicePlanner planner;
  private final OperationKernels kernels;

  ReductionRules(DevicePlanner planner, OperationKernels kernels) {
    this.planner = planner;
    this.kernels = kernels;
  }

  /** Plans a reduction; false if it is none, or one of nothing. */
  boolean reduce(Node node) {
    ValueType x = planner.type(node.inputs().getFirst());
    if (!(Operators.find(node) instanceof Reduce operator)
        || !planner.isComputed(node.inputs().getFirst())
        || x.rank() > MovementRules.MOST_AXES
        || x.shape().elements() == 0) {
      return false;
    }
    Reduction reduction = Reduction.of(node.type()).orElseThrow();
    boolean[] folded = operator.reduced(node, planner.inputs(node));
    DType dtype = planner.deviceType(node.output());
    List<Long> kept = new ArrayList<>();
    for (int axis = 0; axis < folded.length; axis++) {
      if (!folded[axis]) {
        kept.add(x.shape().extent(axis));
      }
    }
    DeviceTensor in = planner.use(node.inputs().getFirst(), dtype);
    // without the axes that are folded; those that stay with one element change the rows
    Shape shape = Shape.of(kept.stream().mapToLong(Long::longValue).toArray());
    DeviceTensor results = planner.temporary(dtype, shape);
    planner.launch(
        arena ->
            reduction.fold(
                kernels, in.view(arena), folded, results.address(arena), results.pitch()));
    planner.alias(node.output(), planner.reshaped(results, planner.type(node.output()).shape()));
    boolean alongRows = folded.length == 0 || folded[folded.length - 1];
    planner.explain(
        node, (alongRows ? "reduce_rows_" : "reduce_columns_") + dtype, "sums in f32 or i64");
    return true;
  }

  /** Plans a product of two matrices, at least one of them computed. */
  boolean multiply(Node node) {
    ValueType a = planner.type(node.inputs().get(0));
    ValueType b = planner.type(node.inputs().get(1));
    Shape y = planner.type(node.output()).shape();
    if (a.dtype() != DType.F32
        || a.rank() < 2
        || b.rank() < 2
        || y.elements() == 0
        || a.shape().extent(-1) == 0
        || !MatrixProduct.supports(y)) {
      return false;
    }
    DeviceTensor left = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor right = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor product = planner.define(node.output());
    planner.launch(
        arena ->
            MatrixProduct.multiply(
                kernels, left.view(arena), right.view(arena), product.view(arena)));
    planner.explain(node, "matmul_f16", "tensor cores, sums in f32");
    return true;
  }
}
