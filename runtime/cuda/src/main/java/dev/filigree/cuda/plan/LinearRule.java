package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.TokenQuantization;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.plan.LayerPlan;
import dev.filigree.weights.Weights;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** How a plan runs linear layers. */
final class LinearRule {
  private final DevicePlanner planner;
  private final DeviceState device;

  /** Values rounded to 8 bits already: several layers read the same one. */
  private final Map<String, Levels> rounded = new HashMap<>();

  /** Rounded activations and the scales of their tokens. */
  private record Levels(DeviceTensor values, DeviceTensor scales) {}

  LinearRule(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
  }

  /** Plans a linear layer; false if it is none of f32 by a constant matrix. */
  boolean plan(Node node) {
    String x = node.inputs().getFirst();
    ValueType type = planner.type(x);
    Optional<Weights> weights = device.matrix(planner.graph(), node.inputs().get(Linear.WEIGHTS));
    if (weights.isEmpty()
        || type.dtype() != DType.F32
        || type.rank() == 0
        || type.shape().elements() == 0
        || weights.get().rows() == 0) {
      return false;
    }
    int tokens = Math.toIntExact(type.shape().elements() / weights.get().columns());
    LinearLayer layer = new LinearLayer(node.name(), weights.get(), tokens, Linear.isDynamic(node));
    if (device.dispatch().options(layer).isEmpty()) {
      return false;
    }
    LayerChoice<LinearOption> choice = device.dispatch().choose(layer);
    add(node, layer, choice.option());
    planner.choice(new LinearLayer.Planned(layer, choice.option()));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.get().format(),
            choice.option().name(),
            device.dispatch().reason(layer, choice),
            device.dispatch().weights(layer, choice.option()).bytes(),
            choice.candidates()));
    return true;
  }

  private void add(Node node, LinearLayer layer, LinearOption option) {
    long bias =
        node.input(Linear.BIAS)
            .map(name -> device.constants().vector(name, planner.constant(name).orElseThrow()))
            .orElse(0L);
    DeviceWeights weights = device.dispatch().weights(layer, option);
    String input = node.inputs().getFirst();
    Optional<Levels> levels =
        option.activation() == ActivationType.I8
            ? Optional.of(levels(input, layer.tokens()))
            : Optional.empty();
    levels.ifPresent(
        each -> {
          planner.keep(each.values);
          planner.keep(each.scales);
        });
    DeviceTensor x = levels.map(Levels::values).orElseGet(() -> planner.use(input, DType.F16));
    DeviceTensor residual = node.input(Linear.RESIDUAL).map(planner::use).orElse(null);
    DeviceTensor y = planner.define(node.output());
    long workspaceBytes = option.workspaceBytes(device, weights);
    DeviceTensor workspace = workspaceBytes == 0 ? null : planner.bytes(workspaceBytes);
    planner.sums().need(option);
    planner.add(
        new DeviceStep.OnDevice(
            arena ->
                option.bind(
                    device,
                    weights,
                    new LinearOption.Operands(
                        x.on(arena),
                        levels.map(each -> each.scales.address(arena)).orElse(0L),
                        bias,
                        Linear.activation(node),
                        residual == null ? null : residual.on(arena),
                        y.on(arena),
                        workspace == null ? 0 : workspace.address(arena),
                        planner.sums().address(arena, option)))));
  }

  private Levels levels(String value, int tokens) {
    return rounded.computeIfAbsent(
        value,
        unused -> {
          DeviceTensor exact = planner.use(value, DType.F16);
          DeviceTensor values = planner.temporary(DType.I8, exact.shape());
          DeviceTensor scales = planner.temporary(DType.F32, Shape.of(tokens));
          planner.launch(
              arena ->
                  TokenQuantization.quantize(
                      device.kernels(), exact.on(arena), values.on(arena), scales.address(arena)));
          return new Levels(values, scales);
        });
  }
}
