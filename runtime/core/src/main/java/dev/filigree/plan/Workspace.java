package dev.filigree.plan;

import dev.filigree.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Memory for one run of a plan at a time, and the plan's steps bound to it.
 *
 * <pre>
 *   memory: | buffers of the plan | scratch of worker 0 | scratch of worker 1 | ...
 * </pre>
 */
final class Workspace implements ShapePlan.Memory {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;
  private final long scratchStart;
  private final long scratchBytes;
  private final float[][] scratchFloats;
  private final DecoderState decoder = new DecoderState();
  private final BoundStep[] steps;

  /**
   * Memory for steps.
   *
   * @param bytes of the plan's buffers
   * @param workers threads that may work on a run
   */
  Workspace(long bytes, int workers, List<Step> plan) {
    scratchStart = Arenas.aligned(bytes);
    scratchBytes = Arenas.aligned(plan.stream().mapToLong(Step::scratchBytes).max().orElse(0));
    int floats = plan.stream().mapToInt(Step::scratchFloats).max().orElse(0);
    long total = scratchStart + workers * scratchBytes;
    try {
      memory = arena.allocate(total, Arenas.ALIGNMENT);
    } catch (OutOfMemoryError full) {
      arena.close();
      throw new DeviceException(
          DeviceException.Kind.MEMORY,
          "no memory for " + total + " bytes of activations",
          "use smaller batches or shorter sequences, or give the process more memory",
          full);
    }
    scratchFloats = new float[workers][floats];
    steps = plan.stream().map(step -> step.bind(this)).toArray(BoundStep[]::new);
  }

  MemorySegment memory() {
    return memory;
  }

  /** Offset of a worker's scratch. */
  long scratch(int worker) {
    return scratchStart + worker * scratchBytes;
  }

  /** A worker's scratch on the heap. */
  float[] floats(int worker) {
    return scratchFloats[worker];
  }

  /** What a run of a decoder knows beside its inputs. */
  DecoderState decoder() {
    return decoder;
  }

  @Override
  public long bytes() {
    return memory.byteSize();
  }

  /** Runs all steps. */
  void run(WorkerPool pool) {
    for (BoundStep step : steps) {
      step.run(pool);
    }
  }

  /**
   * Runs all steps.
   *
   * @param ends receives when each ended, by {@link System#nanoTime}
   */
  void run(WorkerPool pool, long[] ends) {
    for (int i = 0; i < steps.length; i++) {
      steps[i].run(pool);
      ends[i] = System.nanoTime();
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
