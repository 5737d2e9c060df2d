package dev.filigree.cuda.plan;

import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Optional;

/**
 * A linear layer of a plan.
 *
 * @param name in messages
 * @param weights of the graph
 * @param tokens that are multiplied at once
 * @param quantizable whether its inputs may be rounded to 8 bits
 */
record LinearLayer(String name, Weights weights, int tokens, boolean quantizable) {
  /** A layer and how a plan runs it. */
  record Planned(LinearLayer layer, LinearOption option) implements PlannedLayer {
    @Override
    public LayerKind kind() {
      return layer.kind();
    }

    @Override
    public Optional<LayerBench> bench(DeviceState device) {
      List<LinearOption> options = device.dispatch().options(layer);
      return options.size() < 2
          ? Optional.empty()
          : Optional.of(LinearBench.of(device, layer, options));
    }
  }

  LayerKind kind() {
    return new LayerKind(
        weights.rows(),
        weights.columns(),
        weights.format() + " as " + PackedWeights.describe(weights),
        weights.stored(),
        tokens,
        quantizable,
        "");
  }
}
