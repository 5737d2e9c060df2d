package dev.filigree.cuda.plan;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * Runs each candidate of a linear layer once on the simulated device and takes what its model
 * projects from the counters. A candidate whose work the simulation does not count, that of a
 * library, has no time.
 */
final class Projecting implements LinearClock {
  private final DeviceState device;
  private final Projections projections;

  Projecting(DeviceState device, Projections projections) {
    this.device = device;
    this.projections = projections;
  }

  @Override
  public boolean isProjecting() {
    return true;
  }

  @Override
  public Map<String, Double> measure(LinearLayer layer, List<LinearOption> options) {
    Map<String, Double> micros = new LinkedHashMap<>();
    try (LinearBench bench = new LinearBench(device, layer, options)) {
      for (int i = 0; i < options.size(); i++) {
        LinearOption option = options.get(i);
        bench.work().get(i).into(bench.stream());
        bench.stream().synchronize();
        if (option instanceof TensorCoreOption || option instanceof CsrOption) {
          OptionalDouble last = projections.lastMicros();
          if (last.isPresent()) {
            micros.put(option.name(), last.getAsDouble());
          }
        }
      }
    }
    return micros;
  }
}
