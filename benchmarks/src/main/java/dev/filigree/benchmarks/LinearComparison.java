package dev.filigree.benchmarks;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;

/**
 * Compares dense and sparse linear layers on one thread with each other and with the machine's
 * peak. Candidates take turns in slices of some milliseconds of CPU time, so that what else the
 * machine does weighs on all alike, and a ratio is the median of the ratios of each round.
 */
public final class LinearComparison {
  private static final int ROUNDS = 21;
  private static final long WARM_NANOS = 700_000_000;
  private static final long SLICE_NANOS = 4_000_000;
  private static final int PEAK_STEPS = 100_000;

  private static final int[][] SHAPES = {
    {384, 384}, {1536, 384}, {384, 1536}, {768, 768}, {3072, 768}, {768, 3072}
  };

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Keeps the compiler from leaving the peak's work out. */
  private static volatile float sink;

  private LinearComparison() {}

  /** Numbers of tokens as arguments; 128 if there are none. */
  public static void main(String[] args) {
    int[] tokens =
        args.length == 0
            ? new int[] {128}
            : Arrays.stream(args).mapToInt(Integer::parseInt).toArray();
    System.out.printf("%-18s %8s %8s %8s", "out x in, tokens", "peak GF/s", "dense", "of peak");
    for (LinearLayer.Form form : LinearLayer.Form.values()) {
      if (form != LinearLayer.Form.DENSE) {
        System.out.printf(" %9s", form);
      }
    }
    System.out.println("   (times dense)");
    for (int count : tokens) {
      for (int[] shape : SHAPES) {
        compare(shape[0], shape[1], count);
      }
    }
  }

  private static void compare(int rows, int columns, int tokens) {
    LinearLayer.Form[] forms = LinearLayer.Form.values();
    Runnable[] candidates = new Runnable[forms.length + 1];
    LinearLayer dense = new LinearLayer(LinearLayer.Form.DENSE, rows, columns, tokens);
    candidates[0] = dense::run;
    for (int i = 1; i < forms.length; i++) {
      candidates[i] = new LinearLayer(forms[i], rows, columns, tokens)::run;
    }
    candidates[forms.length] = () -> sink = Peak.multiplyAdd(PEAK_STEPS, 0.5f, 1);
    for (Runnable candidate : candidates) {
      nanos(candidate, WARM_NANOS);
    }
    double[][] times = new double[candidates.length][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      for (int i = 0; i < candidates.length; i++) {
        int turn = round % 2 == 0 ? i : candidates.length - 1 - i;
        times[turn][round] = nanos(candidates[turn], SLICE_NANOS);
      }
    }
    double peak = Peak.flops(PEAK_STEPS) / Percentiles.median(times[forms.length]);
    double[] ofPeak = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      double best = Peak.flops(PEAK_STEPS) / times[forms.length][round];
      ofPeak[round] = dense.flops() / times[0][round] / best;
    }
    System.out.printf(
        Locale.ROOT,
        "%-18s %9.1f %8.1f %7.0f%%",
        rows + " x " + columns + ", " + tokens,
        peak,
        dense.flops() / Percentiles.median(times[0]),
        100 * Percentiles.median(ofPeak));
    for (int i = 1; i < forms.length; i++) {
      double[] ratios = new double[ROUNDS];
      for (int round = 0; round < ROUNDS; round++) {
        ratios[round] = times[0][round] / times[i][round];
      }
      System.out.printf(Locale.ROOT, " %9.2f", Percentiles.median(ratios));
    }
    System.out.println();
  }

  /** Mean CPU time of a call over calls that fill a time. */
  private static double nanos(Runnable candidate, long least) {
    long start = THREADS.getCurrentThreadCpuTime();
    long elapsed;
    int calls = 0;
    do {
      candidate.run();
      calls++;
      elapsed = THREADS.getCurrentThreadCpuTime() - start;
    } while (elapsed < least);
    return (double) elapsed / calls;
  }
}
