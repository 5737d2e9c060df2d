package dev.filigree.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * Candidates that take turns in slices of processor time, so that what else a machine does weighs
 * on all alike; each round goes through them in the opposite order of the one before. They work in
 * the calling thread.
 */
final class Turns {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private Turns() {}

  /** Work that is measured. */
  @FunctionalInterface
  interface Work {
    void run() throws Exception;
  }

  /**
   * Nanoseconds of processor time that a call of each candidate takes, {@code [candidate][round]}.
   *
   * @param warmNanos of each candidate before the first round
   * @param sliceNanos of each candidate in a round
   */
  static double[][] nanos(int rounds, long warmNanos, long sliceNanos, Work... candidates) {
    for (Work candidate : candidates) {
      nanos(candidate, warmNanos);
    }
    double[][] times = new double[candidates.length][rounds];
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < candidates.length; i++) {
        int turn = round % 2 == 0 ? i : candidates.length - 1 - i;
        times[turn][round] = nanos(candidates[turn], sliceNanos);
      }
    }
    return times;
  }

  /** Median over the rounds of one candidate's time over another's. */
  static double ratio(double[] times, double[] others) {
    double[] ratios = new double[times.length];
    for (int round = 0; round < times.length; round++) {
      ratios[round] = times[round] / others[round];
    }
    return Percentiles.median(ratios);
  }

  private static double nanos(Work work, long least) {
    long start = THREADS.getCurrentThreadCpuTime();
    long elapsed;
    int runs = 0;
    do {
      try {
        work.run();
      } catch (Exception failed) {
        throw new IllegalStateException("a candidate failed while it was measured", failed);
      }
      runs++;
      elapsed = THREADS.getCurrentThreadCpuTime() - start;
    } while (elapsed < least);
    return (double) elapsed / runs;
  }
}
