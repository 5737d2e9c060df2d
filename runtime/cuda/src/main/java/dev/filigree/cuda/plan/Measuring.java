package dev.filigree.cuda.plan;

import dev.filigree.Progress;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Measures the candidates of layers where that has not been done on this machine. On a simulated
 * device projections stand in for measurements, where its counters are on. Not thread-safe.
 */
final class Measuring {
  /** What is measured; both have their weights at one place. */
  private static final Set<String> LAYERS = Set.of(Linear.TYPE, Convolution.TYPE);

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

  /**
   * Bytes of all weights that layers multiply by, in f16, which some candidate has them in. Tables
   * that rows are looked up in are none of them: a run reads few of their rows.
   */
  static long weightBytes(Graph graph) {
    return Short.BYTES
        * graph.nodes().stream()
            .filter(node -> LAYERS.contains(node.type()))
            .map(node -> node.inputs().get(Linear.WEIGHTS))
            .distinct()
            .mapToLong(value -> stored(graph.constants().get(value)))
            .sum();
  }

  private static long stored(Constant weights) {
    return switch (weights) {
      case Constant.Compressed compressed -> compressed.weights().stored();
      case Constant.Windowed windowed -> windowed.weights().stored();
      case Constant.Plain plain -> plain.tensor().shape().elements();
      case null -> 0;
    };
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
