package dev.filigree.cli;

import dev.filigree.Progress;
import dev.filigree.plan.LayerTime;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Measures contenders in alternation, forwards and backwards, so that drift of the machine hits all
 * alike. The first is the baseline.
 *
 * @param runs of each at most
 * @param seconds after which no more runs start
 */
record Measurement(int runs, double seconds) {
  /** Runs at least, however slow. */
  private static final int LEAST_RUNS = 3;

  /** Runs of each at least before any is counted. */
  private static final int WARM_RUNS = 2;

  /**
   * Processor time of the caller that each runs for before any run is counted: on a busy machine
   * the JIT compiler gets no more time than the caller does, so that waiting by the clock is no
   * warm-up.
   */
  private static final long WARM_NANOS = 1_500_000_000;

  /** Something that runs. */
  interface Subject extends AutoCloseable {
    void run();

    /** The first output of the last run. */
    float[] output();

    /** Whether it can tell what each kernel takes. */
    default boolean hasProfile() {
      return false;
    }

    /** Runs once and tells what each kernel took. */
    default List<LayerTime> profile() {
      throw new UnsupportedOperationException("another runtime does not tell its kernels' times");
    }

    @Override
    void close();
  }

  /**
   * Times of one contender in one configuration.
   *
   * @param batch rows of the batch
   * @param length 0 if the model leaves none open
   * @param ratio median of the paired ratios of the baseline's time over this one's
   * @param ratioLow their 10th percentile
   * @param ratioHigh their 90th percentile
   * @param cpuRatio the same median of the processor time of the calling thread, which other
   *     programs cannot lengthen by taking its turn; NaN with more threads than one
   * @param cosine between its first output and the baseline's
   */
  record Result(
      String runtime,
      String recipe,
      String precision,
      String device,
      int batch,
      int length,
      int threads,
      int runs,
      double p50,
      double p95,
      double p99,
      double throughput,
      double ratio,
      double ratioLow,
      double ratioHigh,
      double cpuRatio,
      double cosine) {}

  /** Times of the runs of one contender, in milliseconds. */
  private record Times(double[] wall, double[] cpu) {
    Times(int runs) {
      this(new double[runs], new double[runs]);
    }
  }

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /** Measures all contenders on inputs of one size. */
  List<Result> compare(
      List<Contenders.Contender> contenders,
      int batch,
      int length,
      int threads,
      Progress progress) {
    for (Contenders.Contender contender : contenders) {
      long start = THREADS.getCurrentThreadCpuTime();
      for (int i = 0;
          i < WARM_RUNS || THREADS.getCurrentThreadCpuTime() - start < WARM_NANOS;
          i++) {
        contender.subject().run();
      }
    }
    List<Times> times = new ArrayList<>();
    contenders.forEach(contender -> times.add(new Times(runs)));
    long start = System.nanoTime();
    int counted = 0;
    while (counted < runs
        && (counted < LEAST_RUNS || (System.nanoTime() - start) / 1e9 < seconds)) {
      for (int i = 0; i < contenders.size(); i++) {
        int turn = counted % 2 == 0 ? i : contenders.size() - 1 - i;
        Subject subject = contenders.get(turn).subject();
        long cpu = THREADS.getCurrentThreadCpuTime();
        long before = System.nanoTime();
        subject.run();
        times.get(turn).wall[counted] = (System.nanoTime() - before) / 1e6;
        times.get(turn).cpu[counted] = (THREADS.getCurrentThreadCpuTime() - cpu) / 1e6;
      }
      counted++;
      progress.at("measuring " + batch + " x " + length, counted, runs);
    }
    float[] expected = contenders.getFirst().subject().output();
    List<Result> results = new ArrayList<>();
    for (int i = 0; i < contenders.size(); i++) {
      double cosine = cosine(expected, contenders.get(i).subject().output());
      results.add(
          result(
              contenders.get(i),
              batch,
              length,
              threads,
              counted,
              times.getFirst(),
              times.get(i),
              cosine));
    }
    return results;
  }

  private static Result result(
      Contenders.Contender contender,
      int batch,
      int length,
      int threads,
      int counted,
      Times baseline,
      Times own,
      double cosine) {
    double[] ratios = ratios(baseline.wall, own.wall, counted);
    double[] cpuRatios = ratios(baseline.cpu, own.cpu, counted);
    double[] sorted = Arrays.copyOf(own.wall, counted);
    Arrays.sort(sorted);
    return new Result(
        contender.runtime(),
        contender.recipe(),
        contender.precision(),
        contender.device(),
        batch,
        length,
        threads,
        counted,
        percentile(sorted, 50),
        percentile(sorted, 95),
        percentile(sorted, 99),
        batch * 1e3 / percentile(sorted, 50),
        percentile(ratios, 50),
        percentile(ratios, 10),
        percentile(ratios, 90),
        threads == 1 ? percentile(cpuRatios, 50) : Double.NaN,
        cosine);
  }

  /** Paired ratios, sorted. */
  private static double[] ratios(double[] baseline, double[] own, int counted) {
    double[] ratios = new double[counted];
    for (int run = 0; run < counted; run++) {
      ratios[run] = baseline[run] / own[run];
    }
    Arrays.sort(ratios);
    return ratios;
  }

  /** The nearest-rank percentile. */
  private static double percentile(double[] sorted, int percent) {
    return sorted[Math.max(0, (int) Math.ceil(percent / 100.0 * sorted.length) - 1)];
  }

  private static double cosine(float[] a, float[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < Math.min(a.length, b.length); i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    if (Arrays.equals(a, b)) {
      return 1;
    }
    return a.length == b.length ? ab / Math.sqrt(aa * bb) : Double.NaN;
  }
}
