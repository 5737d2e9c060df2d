package dev.filigree.cuda.plan;

import java.util.Map;

/** Says how long the ways to run a layer take. */
interface LayerClock {
  /** Whether its answers are a model's instead of measurements. */
  boolean isProjecting();

  /** Microseconds of each candidate by its name; without those it can say nothing about. */
  Map<String, Double> measure(LayerBench bench);
}
