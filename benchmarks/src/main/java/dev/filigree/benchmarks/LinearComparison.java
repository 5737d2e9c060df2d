package dev.filigree.benchmarks;

import java.util.Arrays;
import java.util.Locale;

/**
 * Compares dense and sparse linear layers on one thread with each other and with the machine's
 * peak. Candidates take turns, and a ratio is the median of the ratios of each round.
 */
public final class LinearComparison {
  private static final int ROUNDS = 21;
  private static final long WARM_NANOS = 700_000_000;
  private static final long SLICE_NANOS = 4_000_000;
  private static final int PEAK_STEPS = 100_000;

  private static final int[][] SHAPES = {
    {384, 384}, {1536, 384}, {384, 1536}, {768, 768}, {3072, 768}, {768, 3072}
  };

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
        System.out.printf(" %11s", form);
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
    Turns.Work[] candidates = new Turns.Work[forms.length + 1];
    LinearLayer dense = new LinearLayer(LinearLayer.Form.DENSE, rows, columns, tokens);
    candidates[0] = dense::run;
    for (int i = 1; i < forms.length; i++) {
      candidates[i] = new LinearLayer(forms[i], rows, columns, tokens)::run;
    }
    candidates[forms.length] = () -> sink = Peak.multiplyAdd(PEAK_STEPS, 0.5f, 1);
    double[][] times = Turns.nanos(ROUNDS, WARM_NANOS, SLICE_NANOS, candidates);
    double[] peak = times[forms.length];
    double ofPeak = Turns.ratio(peak, times[0]) * dense.flops() / Peak.flops(PEAK_STEPS);
    System.out.printf(
        Locale.ROOT,
        "%-18s %9.1f %8.1f %7.0f%%",
        rows + " x " + columns + ", " + tokens,
        Peak.flops(PEAK_STEPS) / Percentiles.median(peak),
        dense.flops() / Percentiles.median(times[0]),
        100 * ofPeak);
    for (int i = 1; i < forms.length; i++) {
      System.out.printf(Locale.ROOT, " %11.2f", Turns.ratio(times[0], times[i]));
    }
    System.out.println();
  }
}
