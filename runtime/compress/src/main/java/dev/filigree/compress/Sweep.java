package dev.filigree.compress;

import dev.filigree.Model;
import dev.filigree.Progress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Several recipes applied to one model. What recipes that distil have in common, the pruning and
 * the training before values are encoded, is done once and kept. Not safe to share.
 */
public final class Sweep {
  private final Model model;
  private final Calibration calibration;
  private final int threads;
  private final Map<List<Stage>, Compression> pruned = new HashMap<>();
  private final Map<List<Stage>, DistilledRun.Trained> trained = new HashMap<>();

  /**
   * A sweep over a model, which must stay open.
   *
   * @param calibration samples for recipes that need them; null if there are none
   * @param threads that work side by side
   */
  public Sweep(Model model, Calibration calibration, int threads) {
    this.model = model;
    this.calibration = calibration;
    this.threads = threads;
  }

  /** Compresses the model by another recipe, as {@link Compressor#compress} does. */
  public Compression compress(Recipe recipe, Progress progress) {
    return Compressor.compress(model, recipe, calibration, threads, progress, this);
  }

  /** The model pruned by some stages. */
  Compression pruned(List<Stage> stages, Supplier<Compression> otherwise) {
    // not computeIfAbsent: what it computes may ask for other entries
    Compression known = pruned.get(stages);
    if (known == null) {
      known = otherwise.get();
      pruned.put(stages, known);
    }
    return known;
  }

  /** What training made of the model pruned by some stages, the last of which trains. */
  DistilledRun.Trained trained(List<Stage> stages, Supplier<DistilledRun.Trained> otherwise) {
    DistilledRun.Trained known = trained.get(stages);
    if (known == null) {
      known = otherwise.get();
      trained.put(stages, known);
    }
    return known;
  }
}
