package dev.filigree.cuda.plan;

import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Measures the candidates of layers where that has not been done on this machine. On a simulated
 * device projections stand in for measurements, where its counters are on. Not thread-safe.
 */
final class Measuring {
  private final DeviceState device;
  private final Optional<LayerClock> clock;
  private final Optional<MeasurementStore> store;

  /**
   * What a session measures with.
   *
   * @param graph whose layers are measured
   * @param projections of a simulated device, in place of measurements
   */
  Measuring(DeviceState device, Graph graph, Optional<Projections> projections) {
    this.device = device;
    GpuProperties gpu = device.context().properties();
    if (gpu.isSimulated()) {
      clock = projections.map(Projecting::new);
      store = Optional.empty();
    } else {
      boolean streamed = weightBytes(graph) > gpu.l2Bytes();
      clock = Optional.of(new LayerTiming(device, streamed));
      store = Optional.of(MeasurementStore.of(gpu, device.libraries(), streamed));
    }
    store.ifPresent(each -> device.times().addAll(each.load()));
  }

  /** Bytes of the weights that a run goes through, in f16, which some candidate has them in. */
  private static long weightBytes(Graph graph) {
    long stored = 0;
    for (Map.Entry<String, List<Node>> value : graph.consumers().entrySet()) {
      // rows of a table are looked up; what is added or scaled by is small
      boolean looked = value.getValue().stream().allMatch(node -> node.type().equals("Gather"));
      stored +=
          switch (graph.constants().get(value.getKey())) {
            case Constant.Compressed(Weights weights, boolean transposed) -> weights.stored();
            case Constant.Windowed(Weights weights, Shape shape) -> weights.stored();
            case Constant.Plain(Tensor tensor) ->
                looked || tensor.shape().rank() < 2 ? 0 : tensor.shape().elements();
            case null -> 0;
          };
    }
    return stored * Short.BYTES;
  }

  /**
   * Measures what has not been measured.
   *
   * @return whether there was any, so that other choices may follow
   */
  boolean measure(List<PlannedLayer> layers, Progress progress) {
    if (clock.isEmpty()) {
      return false;
    }
    LayerTimes times = device.times();
    boolean any = false;
    for (int i = 0; i < layers.size(); i++) {
      PlannedLayer layer = layers.get(i);
      if (!times.has(layer.kind())) {
        progress.at("measuring kernels", i, layers.size());
        any |= measure(layer, clock.get());
      }
    }
    progress.at("measuring kernels", layers.size(), layers.size());
    if (any) {
      store.ifPresent(each -> each.save(times.all()));
    }
    return any;
  }

  /** Measures a layer's candidates; whether it has several. */
  private boolean measure(PlannedLayer layer, LayerClock with) {
    Optional<LayerBench> several = layer.bench(device);
    if (several.isEmpty()) {
      return false;
    }
    try (LayerBench bench = several.get()) {
      device.times().record(layer.kind(), with.measure(bench), with.isProjecting());
      return true;
    }
  }
}
