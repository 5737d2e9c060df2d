package dev.filigree.cuda.plan;

import java.util.List;
import java.util.Map;

/** Says how long the ways to run a linear layer take. */
interface LinearClock {
  /** Whether its answers are a model's instead of measurements. */
  boolean isProjecting();

  /** Microseconds of each option by its name; without those it can say nothing about. */
  Map<String, Double> measure(LinearLayer layer, List<LinearOption> options);
}
