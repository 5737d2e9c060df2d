package dev.filigree.cuda.plan;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * Runs each candidate of a layer once on the simulated device and takes what its model projects
 * from the counters. A candidate whose work the simulation does not count, that of a library, has
 * no time.
 *
 * @param projections of the simulated device
 */
record Projecting(Projections projections) implements LayerClock {
  @Override
  public boolean isProjecting() {
    return true;
  }

  @Override
  public Map<String, Double> measure(LayerBench bench) {
    Map<String, Double> micros = new LinkedHashMap<>();
    for (LayerBench.Candidate candidate : bench.candidates()) {
      OptionalDouble projected =
          projections.micros(
              () -> {
                candidate.work().into(bench.stream());
                bench.stream().synchronize();
              });
      if (candidate.option().isCounted() && projected.isPresent()) {
        micros.put(candidate.option().name(), projected.getAsDouble());
      }
    }
    return micros;
  }
}
