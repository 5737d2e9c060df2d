package dev.filigree.compress.train;

import dev.filigree.InputException;

/**
 * When how much is pruned while training goes on: the cubic schedule of Zhu and Gupta (arXiv
 * 1710.01878, equation 1), which prunes most while many weights matter little.
 *
 * @param from step of the first pruning
 * @param to step at which all is pruned that will be
 * @param every steps between one pruning and the next
 */
public record PruningSchedule(int from, int to, int every) {
  public PruningSchedule {
    if (from < 0 || to < from || every < 1) {
      throw new InputException(
          "pruning from step " + from + " to step " + to + " every " + every,
          "let it end no sooner than it begins, and set every to 1 or more");
    }
  }

  /** All at once, before the first step. */
  public static PruningSchedule atOnce() {
    return new PruningSchedule(0, 0, 1);
  }

  /** Whether weights are pruned before a step. */
  public boolean isDue(int step) {
    return step == to || step >= from && step < to && (step - from) % every == 0;
  }

  /**
   * The fraction pruned before a step: {@code target * (1 - (1 - progress)^3)}.
   *
   * @param target fraction pruned in the end
   */
  public double sparsity(double target, int step) {
    if (step >= to) {
      return target;
    }
    double left = 1 - (double) Math.max(0, step - from) / (to - from);
    return target * (1 - left * left * left);
  }
}
