package dev.filigree.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import dev.filigree.compress.KMeans;
import dev.filigree.compress.layer.Grid;
import dev.filigree.compress.layer.Moments;
import dev.filigree.compress.layer.Surgeon;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Processor time of the methods that compression spends its time in, on random matrices of the
 * sizes that MiniLM has: all threads together, so that others who use the machine count for little.
 */
public final class CompressionTimes {
  private static final int HIDDEN = 384;
  private static final int WIDE = 1536;
  private static final int BLOCKS = 6;
  private static final int TOKENS = 3000;
  private static final int RUNS = 5;

  private CompressionTimes() {}

  /** Processor seconds of a method. */
  record Result(String what, double seconds) {}

  public static void main(String[] arguments) {
    int threads = Runtime.getRuntime().availableProcessors();
    for (Result result : measure(HIDDEN, WIDE, BLOCKS, TOKENS, RUNS, threads)) {
      System.out.printf(
          Locale.ROOT, "%-60s %6.2f s of processor time%n", result.what, result.seconds);
    }
  }

  static List<Result> measure(int hidden, int wide, int blocks, int tokens, int runs, int threads) {
    List<Result> results = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(1);
    float[] weights = normal(random, hidden * wide);
    double[] clustering = new double[runs];
    double least = KMeans.exact(weights, 16).cost();
    for (int run = 0; run < runs; run++) {
      double start = processorSeconds();
      double cost = KMeans.exact(weights, 16).cost();
      clustering[run] = processorSeconds() - start;
      if (cost != least || !(cost > 0)) {
        throw new IllegalStateException("the optimum is " + least + " and then " + cost);
      }
    }
    Arrays.sort(clustering);
    results.add(
        new Result(
            "exact k-means of " + weights.length + " weights, 16 clusters", clustering[runs / 2]));
    try (WorkerPool pool = new WorkerPool(threads, "filigree-benchmark")) {
      Moments narrow = moments(random, hidden, tokens, pool);
      Moments broad = moments(random, wide, tokens, pool);
      double start = processorSeconds();
      for (int block = 0; block < blocks; block++) {
        // queries, keys and values read the same inputs
        prune(narrow, random, hidden, 3, pool);
        prune(narrow, random, hidden, 1, pool);
        prune(narrow, random, wide, 1, pool);
        prune(broad, random, hidden, 1, pool);
      }
      results.add(
          new Result(
              "SparseGPT to 2:4 of " + 6 * blocks + " matrices, moments given",
              processorSeconds() - start));
    }
    return results;
  }

  private static Moments moments(SplittableRandom random, int inputs, int tokens, WorkerPool pool) {
    Moments moments = new Moments(inputs, true, KernelSets.open(""), pool);
    moments.add(normal(random, tokens * inputs), tokens);
    return moments;
  }

  private static void prune(
      Moments moments, SplittableRandom random, int outputs, int layers, WorkerPool pool) {
    Surgeon surgeon = Surgeon.of(moments, 0.01, false, pool);
    for (int layer = 0; layer < layers; layer++) {
      double[][] weights = new double[outputs][moments.inputs()];
      for (double[] row : weights) {
        Arrays.setAll(row, i -> random.nextGaussian());
      }
      long kept = surgeon.operate(weights, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS).kept();
      if (2 * kept != (long) outputs * moments.inputs()) {
        throw new IllegalStateException(kept + " weights stayed");
      }
    }
  }

  private static float[] normal(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static double processorSeconds() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime()
        / 1e9;
  }
}
