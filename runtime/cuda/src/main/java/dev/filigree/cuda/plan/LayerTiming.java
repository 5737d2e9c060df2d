package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.Event;
import dev.filigree.cuda.driver.Stream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measures the candidates of a layer on the device: in alternation, so that drift of its clock hits
 * all alike, by events around several launches; the median of the rounds counts.
 */
final class LayerTiming implements LayerClock {
  private static final int ROUNDS = 7;
  private static final int LAUNCHES = 10;

  private final DeviceState device;

  LayerTiming(DeviceState device) {
    this.device = device;
  }

  @Override
  public boolean isProjecting() {
    return false;
  }

  @Override
  public Map<String, Double> measure(LayerBench bench) {
    List<LayerBench.Candidate> candidates = bench.candidates();
    try (Event start = device.context().event();
        Event end = device.context().event()) {
      double[][] micros = new double[candidates.size()][ROUNDS];
      candidates.forEach(each -> each.work().into(bench.stream()));
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < micros.length; i++) {
          micros[i][round] = time(bench.stream(), start, end, candidates.get(i).work());
        }
      }
      Map<String, Double> medians = new LinkedHashMap<>();
      for (int i = 0; i < micros.length; i++) {
        Arrays.sort(micros[i]);
        medians.put(candidates.get(i).option().name(), micros[i][ROUNDS / 2]);
      }
      return medians;
    }
  }

  /** Median microseconds of some work by itself, once it has run. */
  static double median(Stream stream, Event start, Event end, DeviceStep.Work work) {
    work.into(stream);
    double[] micros = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      micros[round] = time(stream, start, end, work);
    }
    Arrays.sort(micros);
    return micros[ROUNDS / 2];
  }

  private static double time(Stream stream, Event start, Event end, DeviceStep.Work work) {
    start.record(stream);
    for (int i = 0; i < LAUNCHES; i++) {
      work.into(stream);
    }
    end.record(stream);
    end.synchronize();
    return end.microsSince(start) / LAUNCHES;
  }
}
