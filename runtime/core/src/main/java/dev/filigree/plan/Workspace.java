package dev.filigree.plan;

import dev.filigree.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
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
  private final Sequences sequences;

  /** Steps and chains of steps, in order. */
  private final BoundStep[] runs;

  private final int steps;

  /**
   * Memory for steps.
   *
   * @param bytes of the plan's buffers
   * @param workers threads that may work on a run
   * @param chains of the plan's steps, those that run panel by panel together
   * @param ragged what of the tokens the plan computes, or null for all
   */
  Workspace(
      long bytes, int workers, List<Step> plan, List<PanelChain.Range> chains, Ragged ragged) {
    sequences = ragged == null ? null : new Sequences(ragged);
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
    steps = plan.size();
    BoundStep[] bound = plan.stream().map(step -> step.bind(this)).toArray(BoundStep[]::new);
    runs = joined(plan, bound, chains);
  }

  /** Bound steps with those of a chain as one. */
  private static BoundStep[] joined(
      List<Step> plan, BoundStep[] bound, List<PanelChain.Range> chains) {
    List<BoundStep> runs = new ArrayList<>();
    int at = 0;
    for (PanelChain.Range chain : chains) {
      runs.addAll(Arrays.asList(bound).subList(at, chain.first()));
      at = chain.last() + 1;
      int panels = plan.get(chain.first()).panels().count();
      runs.add(PanelChain.of(Arrays.copyOfRange(bound, chain.first(), at), panels));
    }
    runs.addAll(Arrays.asList(bound).subList(at, bound.length));
    return runs.toArray(BoundStep[]::new);
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

  /** Which tokens a run of a ragged plan has; null for other plans. */
  Sequences sequences() {
    return sequences;
  }

  @Override
  public long bytes() {
    return memory.byteSize();
  }

  /** Runs all steps. */
  void run(WorkerPool pool) {
    for (BoundStep run : runs) {
      run.run(pool);
    }
  }

  /**
   * Runs all steps.
   *
   * @return when each ended, by {@link System#nanoTime}; a chain's steps by their parts of its time
   */
  long[] timed(WorkerPool pool) {
    long[] ends = new long[steps];
    int step = 0;
    for (BoundStep run : runs) {
      if (run instanceof PanelChain chain) {
        chain.run(pool, ends, step);
        step += chain.steps();
      } else {
        run.run(pool);
        ends[step++] = System.nanoTime();
      }
    }
    return ends;
  }

  @Override
  public void close() {
    arena.close();
  }
}
