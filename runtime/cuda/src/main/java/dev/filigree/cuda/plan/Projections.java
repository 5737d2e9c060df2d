package dev.filigree.cuda.plan;

import java.util.OptionalDouble;

/** What the simulated device projects; see {@code dev.filigree.simgpu.Projection}. */
@FunctionalInterface
public interface Projections {
  /** Microseconds of the launch that ended last; empty where counters are off. */
  OptionalDouble lastMicros();
}
