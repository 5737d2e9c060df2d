package dev.filigree.cuda.plan;

import dev.filigree.plan.LayerPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How a layer runs and why.
 *
 * @param option what runs
 * @param ratio to the next dense way, in words that go behind others; empty if there is none
 * @param candidates all that could run
 */
record LayerChoice<O extends LayerOption>(
    O option, String ratio, List<LayerPlan.Candidate> candidates) {
  /** Candidates that are measured. */
  private static final int MOST_CANDIDATES = 6;

  /** How much slower than the best a candidate may be predicted to be measured at all. */
  private static final double WORTH_MEASURING = 2;

  /** How much faster than the predicted best a kernel must be measured to be taken. */
  private static final double MARGIN = 0.97;

  /**
   * Those that may be the fastest; a dense one, and one that reads what the weights keep alone.
   *
   * @param all the one predicted to be fastest first
   */
  static <O extends LayerOption> List<O> worthMeasuring(List<O> all) {
    List<O> kept = new ArrayList<>();
    for (O option : all) {
      boolean promising =
          option.predictedMicros() <= WORTH_MEASURING * all.getFirst().predictedMicros();
      boolean firstOfItsKind = kept.stream().noneMatch(each -> each.isDense() == option.isDense());
      if (promising && kept.size() < MOST_CANDIDATES || firstOfItsKind) {
        kept.add(option);
      }
    }
    return kept;
  }

  /**
   * The choice as things are known now.
   *
   * @param options the one predicted to be fastest first
   */
  static <O extends LayerOption> LayerChoice<O> among(
      List<O> options, LayerTimes times, LayerKind kind) {
    Map<String, Double> micros = times.of(kind);
    O best = options.getFirst();
    double bestMicros = micros.getOrDefault(best.name(), Double.POSITIVE_INFINITY) * MARGIN;
    List<LayerPlan.Candidate> candidates = new ArrayList<>();
    for (O option : options) {
      double own = micros.getOrDefault(option.name(), Double.NaN);
      candidates.add(
          times.areProjected()
              ? LayerPlan.Candidate.projected(option.name(), option.predictedMicros(), own)
              : new LayerPlan.Candidate(option.name(), option.predictedMicros(), own));
      if (own < bestMicros) {
        best = option;
        bestMicros = own;
      }
    }
    return new LayerChoice<>(best, ratio(best, options, micros, times.areProjected()), candidates);
  }

  private static String ratio(
      LayerOption best,
      List<? extends LayerOption> options,
      Map<String, Double> micros,
      boolean projected) {
    for (LayerOption option : options) {
      if (option != best && option.isDense()) {
        boolean known = micros.containsKey(best.name()) && micros.containsKey(option.name());
        double ratio =
            known
                ? micros.get(option.name()) / micros.get(best.name())
                : option.predictedMicros() / best.predictedMicros();
        String how = !known ? "predicted" : projected ? "projected" : "measured";
        return String.format(Locale.ROOT, "; %s %.2fx of %s", how, ratio, option.name());
      }
    }
    return "";
  }
}
