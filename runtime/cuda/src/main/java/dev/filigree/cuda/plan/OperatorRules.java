package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Attention;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Embedding;
import dev.filigree.cuda.operation.Normalization;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.cuda.operation.Softmax;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.shape.View;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Which operators have kernels on the device, and how a plan runs them. */
final class OperatorRules {
  private final DevicePlanner planner;
  private final DeviceState device;
  private final OperationKernels kernels;
  private final LinearRule linear;
  private final FunctionRules functions;
  private final MovementRules movements;
  private final ReductionRules reductions;

  OperatorRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
    this.kernels = device.kernels();
    this.linear = new LinearRule(planner, device);
    this.functions = new FunctionRules(planner, kernels);
    this.movements = new MovementRules(planner, kernels);
    this.reductions = new ReductionRules(planner, kernels);
  }

  /** Plans a node; false if the device has no kernel for it. */
  boolean plan(Node node) {
    if (Operators.find(node) instanceof View) {
      return view(node);
    }
    if (!isKnown(node)) {
      return false;
    }
    return switch (node.type()) {
      case Linear.TYPE -> linear.plan(node);
      case dev.filigree.kernel.fused.Attention.TYPE -> attention(node);
      case dev.filigree.kernel.fused.Embedding.TYPE -> embedding(node);
      case "LayerNormalization" -> layerNormalization(node);
      case "Cast" -> functions.cast(node);
      case "Where" -> functions.where(node);
      case "MatMul" -> reductions.multiply(node);
      case "Softmax", "LogSoftmax" -> softmax(node);
      default -> movements.plan(node) || reductions.reduce(node) || functions.plan(node);
    };
  }

  /** Whether the device has all element types of a node. */
  private boolean isKnown(Node node) {
    return Stream.concat(node.inputs().stream(), node.outputs().stream())
        .filter(value -> !value.isEmpty())
        .allMatch(value -> Elementwise.knows(planner.type(value).dtype()));
  }

  private boolean view(Node node) {
    String input = node.inputs().getFirst();
    if (!planner.isComputed(input)) {
      return false;
    }
    // a value's precision may differ from that of its view
    DeviceTensor from = planner.use(input, planner.deviceType(node.output()));
    planner.alias(node.output(), planner.reshaped(from, planner.type(node.output()).shape()));
    return true;
  }

  private boolean attention(Node node) {
    Shape q = planner.type(node.inputs().get(0)).shape();
    Shape k = planner.type(node.inputs().get(1)).shape();
    int heads = dev.filigree.kernel.fused.Attention.heads(node);
    int width = (int) q.extent(2) / heads;
    if (!Attention.supports(kernels, width) || q.elements() == 0 || k.elements() == 0) {
      return false;
    }
    int batch = (int) q.extent(0);
    int queries = (int) q.extent(1);
    int keys = (int) k.extent(1);
    Attention.Form form =
        new Attention.Form(
            batch,
            heads,
            width,
            queries,
            keys,
            dev.filigree.kernel.fused.Attention.scale(node)
                / dev.filigree.kernel.fused.Attention.divisor(node));
    DeviceTensor queryTensor = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor keyTensor = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor valueTensor = planner.use(node.inputs().get(2), DType.F16);
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

  private boolean embedding(Node node) {
    int count = dev.filigree.kernel.fused.Embedding.tables(node);
    Shape y = planner.type(node.output()).shape();
    if (count > Embedding.MOST_TABLES || y.rank() != 3 || y.elements() == 0) {
      return false;
    }
    List<Weights> tables = new ArrayList<>();
    DType indexType = null;
    for (int t = 0; t < count; t++) {
      Optional<Weights> table = device.matrix(planner.graph(), node.inputs().get(2 * t));
      ValueType index = planner.type(node.inputs().get(2 * t + 1));
      DType dtype =
          index == null
              ? planner.constant(node.inputs().get(2 * t + 1)).orElseThrow().dtype()
              : index.dtype();
      if (table.isEmpty() || indexType != null && dtype != indexType) {
        return false;
      }
      indexType = dtype;
      tables.add(table.get());
    }
    int sequence = (int) y.extent(1);
    Shape positions = Shape.of(y.extent(0), sequence);
    List<DeviceTensor> indices = new ArrayList<>();
    long bytes = 0;
    for (int t = 0; t < count; t++) {
      indices.add(planner.use(node.inputs().get(2 * t + 1), indexType));
      bytes += 2L * tables.get(t).rows() * tables.get(t).columns();
    }
    long[] addresses = new long[count];
    for (int t = 0; t < count; t++) {
      addresses[t] = device.constants().table(node.inputs().get(2 * t), tables.get(t));
    }
    DeviceTensor out = planner.define(node.output(), DType.F16);
    long fault = planner.fault(node);
    DType type = indexType;
    planner.launch(
        arena -> {
          List<Embedding.Table> bound = new ArrayList<>();
          for (int t = 0; t < count; t++) {
            DeviceTensor index = indices.get(t);
            long[] steps = indexSteps(index, positions);
            bound.add(
                new Embedding.Table(
                    addresses[t], tables.get(t).rows(), index.address(arena), steps[0], steps[1]));
          }
          return Embedding.sum(
              kernels,
              bound,
              type,
              Rows.pitch(DType.F16, out.columns()),
              null,
              out.on(arena),
              sequence,
              arena + fault);
        });
    planner.explain(
        new dev.filigree.plan.LayerPlan(
            node.name(),
            node.type(),
            "f16",
            "embedding_f16",
            "rows of " + count + " tables, summed",
            bytes,
            List.of()));
    return true;
  }

  private static long[] indexSteps(DeviceTensor index, Shape positions) {
    Shape shape = index.shape();
    long[] steps = Broadcast.strides(shape, positions);
    if (shape.rank() == 2 && steps[0] != 0) {
      steps[0] = index.pitch();
    }
    return steps;
  }

  private boolean layerNormalization(Node node) {
    String x = node.inputs().getFirst();
    Optional<Tensor> scale = planner.constant(node.inputs().get(1));
    Optional<Tensor> bias = node.input(2).flatMap(planner::constant);
    long axis = node.intAttribute("axis", -1);
    ValueType type = planner.type(x);
    if (node.outputs().size() > 1
        || type.dtype() != DType.F32
        || axis != -1 && axis != type.rank() - 1
        || scale.isEmpty()
        || scale.get().elements() != type.shape().extent(-1)
        || node.input(2).isPresent()
            && bias.filter(b -> b.elements() == type.shape().extent(-1)).isEmpty()) {
      return false;
    }
    DType dtype = planner.deviceType(x);
    DeviceTensor in = planner.use(x, dtype);
    long scaleAddress = device.constants().vector(node.inputs().get(1), scale.get());
    long biasAddress =
        bias.map(tensor -> device.constants().vector(node.inputs().get(2), tensor)).orElse(0L);
    // each form that somebody reads, by the same kernel
    boolean exact = planner.deviceType(node.output()) == DType.F32;
    DeviceTensor y =
        !exact || planner.isReadRounded(node.output())
            ? planner.define(node.output(), DType.F16)
            : null;
    DeviceTensor wide = exact ? planner.define(node.output(), DType.F32) : null;
    float epsilon = node.floatAttribute("epsilon", 1e-5f);
    planner.launch(
        arena ->
            Normalization.layer(
                kernels,
                in.on(arena),
                null,
                scaleAddress,
                biasAddress,
                null,
                new Normalization.Results(
                    y == null ? null : y.on(arena), wide == null ? null : wide.on(arena)),
                epsilon));
    planner.explain(node, "layer_normalization_" + dtype, "rows in registers");
    return true;
  }

  private boolean softmax(Node node) {
    String x = node.inputs().getFirst();
    ValueType type = planner.type(x);
    int rank = type.rank();
    if (rank == 0
        || !type.dtype().isFloating()
        || dev.filigree.kernel.math.Softmax.axis(node, planner.graph().opset(), rank) != rank - 1) {
      return false;
    }
    DeviceTensor in = planner.use(x, planner.deviceType(node.output()));
    DeviceTensor y = planner.define(node.output());
    boolean logarithm = node.type().equals("LogSoftmax");
    planner.launch(arena -> Softmax.rows(kernels, in.on(arena), y.on(arena), logarithm));
    planner.explain(node, "softmax_" + y.dtype(), "row by row");
    return true;
  }
}
