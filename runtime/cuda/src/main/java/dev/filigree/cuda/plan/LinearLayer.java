package dev.filigree.cuda.plan;

import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
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

  /** Whether groups do not lie in the order of the columns, which their format does not say. */
  private boolean isReordered() {
    return switch (weights) {
      case Packed packed -> packed.values().groupOf().byteSize() != 0;
      case Sparse24 sparse ->
          sparse.values() instanceof PackedIntegers integers && integers.groupOf().byteSize() != 0;
      default -> false;
    };
  }

  LayerKind kind() {
    return new LayerKind(
        weights.rows(),
        weights.columns(),
        weights.format() + (isReordered() ? " in another order" : ""),
        weights.stored(),
        tokens,
        quantizable,
        "");
  }
}
