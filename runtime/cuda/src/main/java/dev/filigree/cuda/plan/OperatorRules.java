package dev.filigree.cuda.plan;

import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Softmax;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.kernel.shape.View;
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
  private final AttentionRules attention;
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
    this.attention = new AttentionRules(planner, kernels);
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
      case Attention.TYPE -> node.isFused(Attention.TYPE) && attention.attend(node);
      case Rotary.TYPE -> attention.turn(node);
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
