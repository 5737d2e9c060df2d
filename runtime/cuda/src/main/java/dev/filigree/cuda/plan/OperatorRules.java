package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.Attention;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Softmax;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.shape.View;
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
  private final RowRules rows;
  private final ConvolutionRules convolutions;
  private final ImageRules images;
  private final SequenceRules sequences;
  private final QuantizedRules quantized;
  private final RecurrentRules recurrent;

  /**
   * Rules.
   *
   * @param state of a decoder's runs, or null
   */
  OperatorRules(DevicePlanner planner, DeviceState device, CachedAttention.State state) {
    this.planner = planner;
    this.device = device;
    this.kernels = device.kernels();
    this.linear = new LinearRule(planner, device);
    this.functions = new FunctionRules(planner, device);
    this.movements = new MovementRules(planner, kernels);
    this.reductions = new ReductionRules(planner, kernels);
    this.rows = new RowRules(planner, device);
    this.convolutions = new ConvolutionRules(planner, device);
    this.images = new ImageRules(planner, device);
    this.recurrent = new RecurrentRules(planner, device);
    this.quantized = new QuantizedRules(planner, kernels);
    this.sequences = new SequenceRules(planner, device, state);
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
      case dev.filigree.kernel.fused.Attention.TYPE ->
          node.domain().equals(Node.FUSED) && attention(node);
      case Embedding.TYPE -> rows.embedding(node);
      case "LayerNormalization" -> rows.layerNormalization(node);
      case "Cast" -> functions.cast(node);
      case "Where" -> functions.where(node);
      case "MatMul" -> reductions.multiply(node);
      case "Softmax", "LogSoftmax" -> softmax(node);
      default ->
          convolutions.plan(node)
              || images.plan(node)
              || sequences.plan(node)
              || quantized.plan(node)
              || recurrent.plan(node)
              || movements.plan(node)
              || reductions.reduce(node)
              || functions.plan(node);
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
                / dev.filigree.kernel.fused.Attention.divisor(node),
            dev.filigree.kernel.fused.Attention.guarded(node));
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
