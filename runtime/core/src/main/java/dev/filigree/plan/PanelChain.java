package dev.filigree.plan;

import dev.filigree.spi.Panels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Steps of a plan that follow each other and each compute a panel from the same panel, as all of a
 * transformer do but attention. The activations of many tokens are larger than a core's cache: were
 * every step run for all of them, each would fetch them from memory and send them back. So a few
 * panels go through all steps while they are in cache, and then the next ones; the weights of the
 * chain are what is read again and again.
 *
 * <pre>
 *              output layer   normalisation   first layer   second layer   ...
 *   panels 0..1     1               2              3              4
 *   panels 2..3     5               6              7              8
 *   ...
 * </pre>
 *
 * The steps' buffers must all be needed at the same time ({@link Buffer#needDuring}), since panels
 * are at different steps at once.
 */
final class PanelChain implements BoundStep, WorkerPool.Body {
  /** Panels that go together: as many as kernels take at a time. */
  static final int GRAIN = 2;

  /** Bytes of a core's second cache: what fits there need not be fetched twice. */
  private static final long CACHE = 1 << 20;

  /** How many times as long a chain may take for threads that wait at its end. */
  private static final double MOST_WAITING = 1.15;

  /**
   * Where a chain is in a plan.
   *
   * @param first its first step
   * @param last its last step
   */
  record Range(int first, int last) {}

  private final PanelWork[] steps;
  private final int panels;
  private final int groups;

  private PanelChain(PanelWork[] steps, int panels) {
    this.steps = steps;
    this.panels = panels;
    this.groups = Math.ceilDiv(panels, GRAIN);
  }

  /**
   * The chains of a plan, in order; steps in none of them are run one by one.
   *
   * @param buffers of the plan
   */
  static List<Range> of(List<Step> steps, List<Buffer> buffers) {
    List<Range> chains = new ArrayList<>();
    for (int first = 0; first < steps.size(); ) {
      Panels panels = steps.get(first).panels();
      int end = first + 1;
      while (panels != null && end < steps.size() && areIn(panels, steps.get(end))) {
        end++;
      }
      Range chain = new Range(first, end - 1);
      if (panels != null && panels.count() > GRAIN && bytes(buffers, chain) > CACHE) {
        chains.add(chain);
      }
      first = end;
    }
    return chains;
  }

  private static boolean areIn(Panels panels, Step step) {
    return step.panels() != null && step.panels().areAlike(panels);
  }

  private static long bytes(List<Buffer> buffers, Range chain) {
    return buffers.stream()
        .filter(buffer -> buffer.isNeededDuring(chain))
        .mapToLong(Buffer::bytes)
        .sum();
  }

  /**
   * A chain.
   *
   * @param steps that follow each other
   * @param panels of each
   */
  static PanelChain of(BoundStep[] steps, int panels) {
    // what a step with panels is bound to
    return new PanelChain(Arrays.copyOf(steps, steps.length, PanelWork[].class), panels);
  }

  /** Number of steps. */
  int steps() {
    return steps.length;
  }

  @Override
  public void run(WorkerPool pool) {
    if (isShared(pool)) {
      pool.forEach(groups, this);
    } else {
      for (PanelWork step : steps) {
        step.run(pool);
      }
    }
  }

  /** Whether there are panels enough for all threads to end at about the same time. */
  private boolean isShared(WorkerPool pool) {
    int rounds = Math.ceilDiv(groups, pool.size());
    return pool.size() == 1 || (double) rounds * GRAIN * pool.size() <= MOST_WAITING * panels;
  }

  /**
   * Runs and tells what part of the time each step took.
   *
   * @param ends receives when each step would have ended had it run for all panels at once, from
   *     {@code first} on
   */
  void run(WorkerPool pool, long[] ends, int first) {
    if (!isShared(pool)) {
      for (int i = 0; i < steps.length; i++) {
        steps[i].run(pool);
        ends[first + i] = System.nanoTime();
      }
      return;
    }
    AtomicLongArray nanos = new AtomicLongArray(steps.length);
    long start = System.nanoTime();
    pool.forEach(groups, (group, worker) -> time(group, worker, nanos));
    long took = System.nanoTime() - start;
    long all = 0;
    for (int i = 0; i < steps.length; i++) {
      all += nanos.get(i);
    }
    long sum = 0;
    for (int i = 0; i < steps.length; i++) {
      sum += nanos.get(i);
      ends[first + i] = start + Math.round((double) took * sum / Math.max(1, all));
    }
  }

  private void time(int group, int worker, AtomicLongArray nanos) {
    int from = group * GRAIN;
    int to = Math.min(panels, from + GRAIN);
    long before = System.nanoTime();
    for (int i = 0; i < steps.length; i++) {
      steps[i].run(from, to, worker);
      long now = System.nanoTime();
      nanos.addAndGet(i, now - before);
      before = now;
    }
  }

  @Override
  public void run(int group, int worker) {
    int from = group * GRAIN;
    int to = Math.min(panels, from + GRAIN);
    for (PanelWork step : steps) {
      step.run(from, to, worker);
    }
  }
}
