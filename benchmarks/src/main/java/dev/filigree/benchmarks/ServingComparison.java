package dev.filigree.benchmarks;

import com.sun.management.ThreadMXBean;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.BatchStatistics;
import dev.filigree.serving.Batcher;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * What dynamic batching gives and costs: the throughput of many callers of short texts with and
 * without it, in alternation; the latency of requests that come at random at a share of the highest
 * load; and what it adds to the call of a lone caller.
 */
public final class ServingComparison {
  static final int CALLERS = 32;

  private static final int ROUNDS = 9;
  private static final long ROUND_NANOS = 2_000_000_000;
  private static final double LOAD = 0.7;
  private static final long OPEN_NANOS = 5_000_000_000L;
  private static final int LONE_SAMPLES = 60;
  private static final int SHAPES = 512;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Session session;
  private final Batcher batcher;
  private final List<Map<String, Tensor>> requests;

  /**
   * Callers of a model.
   *
   * @param lengths tokens of the texts, in turn
   */
  ServingComparison(Session session, Batcher batcher, int[] lengths) {
    this.session = session;
    this.batcher = batcher;
    this.requests = new ArrayList<>();
    for (int i = 0; i < CALLERS; i++) {
      int length = lengths[i % lengths.length];
      requests.add(MadeUpTexts.padded(session.model(), new int[] {length}, length, i));
    }
  }

  /** Options of the session: plans for every size of batch, or each new one would be planned. */
  static SessionOptions options() {
    return SessionOptions.defaults().withShapes(SHAPES);
  }

  /** Arguments: the model's file, then lengths of texts (8 to 24 if there are none). */
  public static void main(String[] args) throws InterruptedException {
    int[] lengths =
        args.length > 1
            ? Arrays.stream(args).skip(1).mapToInt(Integer::parseInt).toArray()
            : new int[] {8, 11, 13, 16, 9, 12, 15, 24};
    try (Model model = Model.open(Path.of(args[0]));
        Session session = model.session(options());
        Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      ServingComparison comparison = new ServingComparison(session, batcher, lengths);
      comparison.warmUp();
      comparison.throughput();
      comparison.latency();
    }
  }

  private void warmUp() throws InterruptedException {
    session.warmUp(requests.getFirst(), Progress.NONE);
    for (int i = 0; i < 3; i++) {
      closedLoop(session::run, ROUND_NANOS);
      closedLoop(batcher::run, ROUND_NANOS);
    }
  }

  /** Requests a second of callers that each wait for an answer before they ask again. */
  double closedLoop(Consumer<Map<String, Tensor>> run, long nanos) throws InterruptedException {
    AtomicLong done = new AtomicLong();
    long start = System.nanoTime();
    List<Thread> callers = new ArrayList<>();
    for (Map<String, Tensor> request : requests) {
      callers.add(
          Thread.ofVirtual()
              .start(
                  () -> {
                    do {
                      run.accept(request);
                      done.getAndIncrement();
                    } while (System.nanoTime() - start < nanos);
                  }));
    }
    for (Thread caller : callers) {
      caller.join();
    }
    return done.get() * 1e9 / (System.nanoTime() - start);
  }

  private void throughput() throws InterruptedException {
    double[] with = new double[ROUNDS];
    double[] ratios = new double[ROUNDS];
    BatchStatistics before = batcher.statistics();
    for (int round = 0; round < ROUNDS; round++) {
      boolean first = round % 2 == 0;
      double batched = first ? closedLoop(batcher::run, ROUND_NANOS) : 0;
      double alone = closedLoop(session::run, ROUND_NANOS);
      with[round] = first ? batched : closedLoop(batcher::run, ROUND_NANOS);
      ratios[round] = with[round] / alone;
    }
    double rows = batcher.statistics().batchRows().since(before.batchRows()).mean();
    System.out.printf(
        Locale.ROOT,
        "%d callers: %.0f texts/s in batches of %.1f, %.2fx of the same callers without batching%n",
        CALLERS,
        Percentiles.median(with),
        rows,
        Percentiles.median(ratios));
  }

  /** The load follows what the machine could do just before: others use it too. */
  private void latency() throws InterruptedException {
    double[] p50 = new double[ROUNDS];
    double[] p99 = new double[ROUNDS];
    double[] ratios = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      double rate = LOAD * closedLoop(batcher::run, ROUND_NANOS);
      double[] millis = openLoop(rate, OPEN_NANOS);
      p50[round] = Percentiles.percentile(millis, 50);
      p99[round] = Percentiles.percentile(millis, 99);
      ratios[round] = p99[round] / p50[round];
    }
    System.out.printf(
        Locale.ROOT,
        "at %.0f %% of that load, at random: p50 %.2f ms, p99 %.2f ms, p99 = %.2f p50 (%.2f to"
            + " %.2f)%n",
        100 * LOAD,
        Percentiles.median(p50),
        Percentiles.median(p99),
        Percentiles.median(ratios),
        Percentiles.percentile(ratios, 0),
        Percentiles.percentile(ratios, 100));
  }

  /**
   * Milliseconds from when each request was due to its answer; requests are due at random, however
   * long those before them take.
   */
  double[] openLoop(double rate, long nanos) throws InterruptedException {
    SplittableRandom random = new SplittableRandom(1);
    List<Double> millis = new ArrayList<>();
    Semaphore answered = new Semaphore(0);
    long start = System.nanoTime();
    double due = 0;
    int sent = 0;
    while (due < nanos) {
      due -= Math.log(1 - random.nextDouble()) * 1e9 / rate;
      long at = start + (long) due;
      for (long left = at - System.nanoTime(); left > 0; left = at - System.nanoTime()) {
        LockSupport.parkNanos(left);
      }
      CompletableFuture<Map<String, Tensor>> result =
          batcher.submit(requests.get(sent % requests.size()));
      result.whenComplete(
          (outputs, failure) -> {
            double taken = (System.nanoTime() - at) / 1e6;
            synchronized (millis) {
              millis.add(failure == null ? taken : Double.POSITIVE_INFINITY);
            }
            answered.release();
          });
      sent++;
    }
    answered.acquire(sent);
    return millis.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** What a lone call takes, and what batching adds to it: medians in microseconds. */
  record Lone(double alone, double added) {}

  /**
   * A lone caller with and without a batcher, on one thread and by its processor's time: both sides
   * compute in the caller's own thread, and what else the machine does is left out. With a large
   * model the difference drowns in how much its own time varies.
   *
   * @param calls of each sample
   */
  static Lone lone(Model model, int length, int calls) {
    Map<String, Tensor> request = MadeUpTexts.padded(model, new int[] {length}, length, 0);
    double[] added = new double[LONE_SAMPLES];
    double[] alone = new double[LONE_SAMPLES];
    try (Session session = model.session(options().withThreads(1));
        Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      for (int i = -LONE_SAMPLES / 3; i < LONE_SAMPLES; i++) {
        double batched = micros(() -> batcher.run(request), calls);
        double direct = micros(() -> session.run(request), calls);
        if (i >= 0) {
          alone[i] = direct;
          added[i] = batched - direct;
        }
      }
    }
    return new Lone(Percentiles.median(alone), Percentiles.median(added));
  }

  private static double micros(Runnable run, int calls) {
    long start = THREADS.getCurrentThreadCpuTime();
    for (int i = 0; i < calls; i++) {
      run.run();
    }
    return (THREADS.getCurrentThreadCpuTime() - start) / 1e3 / calls;
  }
}
