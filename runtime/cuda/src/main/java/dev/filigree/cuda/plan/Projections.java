package dev.filigree.cuda.plan;

import java.util.OptionalDouble;

/** What the simulated device projects; see {@code dev.filigree.simgpu.Projection}. */
@FunctionalInterface
public interface Projections {
  /** Microseconds of all launches of some work, which is done now; empty where counters are off. */
  OptionalDouble micros(Runnable work);
}
