package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.Attention;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Rotation;
import dev.filigree.cuda.operation.View;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.fused.Rotary;
import java.util.Optional;

/** How a plan runs attention over whole sequences and what turns its queries and keys. */
final class AttentionRules {
  private final DevicePlanner planner;
  private final OperationKernels kernels;

  AttentionRules(DevicePlanner planner, OperationKernels kernels) {
    this.planner = planner;
    this.kernels = kernels;
  }

  /** Plans attention; false if no kernel takes its heads. */
  boolean attend(Node node) {
    Shape q = planner.type(node.inputs().get(0)).shape();
    Shape k = planner.type(node.inputs().get(1)).shape();
    dev.filigree.kernel.fused.Attention.Form way = dev.filigree.kernel.fused.Attention.form(node);
    int heads = way.heads();
    int width = (int) q.extent(2) / heads;
    if (!Attention.supports(kernels, width) || q.elements() == 0 || k.elements() == 0) {
      return false;
    }
    int batch = (int) q.extent(0);
    int queries = (int) q.extent(1);
    int keys = (int) k.extent(1);
    Attention.Form form =
        new Attention.Form(
            batch, heads, width, queries, keys, way.scale() / way.divisor(), way.guarded());
    DeviceTensor keyTensor = each(node.inputs().get(1), way, width);
    DeviceTensor valueTensor = each(node.inputs().get(2), way, width);
    DeviceTensor queryTensor = planner.use(node.inputs().get(0), DType.F16);
    planner.keep(keyTensor);
    planner.keep(valueTensor);
    Optional<DeviceTensor> mask =
        node.input(dev.filigree.kernel.fused.Attention.MASK)
            .map(name -> planner.use(name, DType.F32));
    long[] steps =
        mask.map(tensor -> maskSteps(tensor, Shape.of(batch, heads, queries, keys)))
            .orElse(new long[4]);
    DeviceTensor y = planner.define(node.output(), DType.F16);
    planner.launch(
        arena ->
            Attention.attend(
                kernels,
                form,
                queryTensor.on(arena),
                keyTensor.on(arena),
                valueTensor.on(arena),
                mask.map(
                        tensor ->
                            new Attention.Mask(
                                tensor.address(arena), steps[0], steps[1], steps[2], steps[3]))
                    .orElse(Attention.Mask.NONE),
                y.on(arena)));
    planner.explain(node, "attention_f16", heads + " heads, scores stay in registers");
    return true;
  }

  /** Keys or values with a head for each of the queries' heads. */
  private DeviceTensor each(String value, dev.filigree.kernel.fused.Attention.Form way, int width) {
    DeviceTensor own = planner.use(value, DType.F16);
    int times = way.heads() / way.keyHeads();
    if (times == 1) {
      return own;
    }
    Shape shape = own.shape();
    long tokens = shape.extent(0) * shape.extent(1);
    Shape apart = Shape.of(tokens, way.keyHeads(), 1, width);
    Shape repeated = Shape.of(tokens, way.keyHeads(), times, width);
    // widths are multiples of 8: rows have no padding
    DeviceTensor all =
        planner.temporary(
            DType.F16, Shape.of(shape.extent(0), shape.extent(1), (long) way.heads() * width));
    planner.launch(
        arena ->
            Movement.copy(
                kernels,
                View.of(own.address(arena), DType.F16, apart),
                View.of(all.address(arena), DType.F16, repeated),
                width));
    return all;
  }

  /** Steps of a mask along batch, heads, queries and keys; rows are a pitch apart. */
  private static long[] maskSteps(DeviceTensor mask, Shape scores) {
    Shape shape = mask.shape();
    long[] strides = shape.strides();
    long[] steps = Broadcast.strides(shape, scores);
    int columns = mask.columns();
    for (int axis = 0; axis < steps.length; axis++) {
      int own = axis - (steps.length - shape.rank());
      if (steps[axis] != 0 && own >= 0 && own < shape.rank() - 1) {
        steps[axis] = strides[own] / columns * mask.pitch();
      }
    }
    return steps;
  }

  /**
   * Plans rotary positions; false if the tables are others for some sequences than for the rest.
   */
  boolean turn(Node node) {
    ValueType x = planner.type(node.inputs().getFirst());
    Shape cos = planner.type(node.inputs().get(1)).shape();
    Shape sin = planner.type(node.inputs().get(2)).shape();
    if (x.dtype() != DType.F32
        || x.shape().elements() == 0
        || !isTable(cos, x.shape())
        || !isTable(sin, x.shape())
        || sin.elements() != cos.elements()
        || sin.extent(-1) != cos.extent(-1)) {
      return false;
    }
    DeviceTensor in = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor cosines = planner.use(node.inputs().get(1), DType.F32);
    DeviceTensor sines = planner.use(node.inputs().get(2), DType.F32);
    DeviceTensor y = planner.define(node.output(), DType.F16);
    int width = (int) x.shape().extent(2) / Rotary.heads(node);
    planner.launch(
        arena ->
            Rotation.turn(
                kernels, in.on(arena), cosines.on(arena), sines.on(arena), width, y.on(arena)));
    planner.explain(node, "rotary_f16", "each pair of features, in f32");
    return true;
  }

  /** Whether a table has a row for each token, for each of a text, or one for all. */
  private static boolean isTable(Shape table, Shape x) {
    long turned = table.extent(-1);
    long rows = turned == 0 ? 0 : table.elements() / turned;
    long sequence = x.extent(1);
    return rows == 1
        || rows == sequence && table.extent(-2) == sequence
        || rows == x.extent(0) * sequence;
  }
}
