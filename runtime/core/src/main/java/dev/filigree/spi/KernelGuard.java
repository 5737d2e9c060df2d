package dev.filigree.spi;

import dev.filigree.Progress;
import dev.filigree.event.Flight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;

/**
 * Notices kernels that the JIT compiler gave up on. Such a kernel makes an object of every vector
 * and runs a hundred times slower than it should for the life of the process, without any error. A
 * kernel that stays above a time that even slow machines keep, and above twice the time of its
 * scalar twin, is replaced by that.
 */
public final class KernelGuard {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  /** What to do about a kernel that is stuck. */
  public static final String REMEDY =
      "start the process again, with the launcher or its compiler directives; if it comes back,"
          + " report the Java version and the processor";

  /**
   * Calls after which every healthy kernel was compiled: it takes 50 to 1,600, since the
   * interpreter counts calls and turns of loops, and more where others were compiled with it and
   * are thrown away. A clock would not do, as a busy machine may take any time for them.
   */
  private static final int ENOUGH_CALLS = 10_000;

  private static final int FEWEST_CALLS = 5_000;

  /**
   * For the fewest calls to do, as a kernel in the interpreter may need milliseconds for each; and
   * for the scalar kernel to come out of it.
   */
  private static final long LONG_NANOS = 3_000_000_000L;

  private static final int CALLS_OF_A_LOOK = 4;

  /**
   * A scalar kernel is compiled after this, on a busy machine after some of it; only those of a
   * slow kernel are run.
   */
  private static final long SCALAR_NANOS = 300_000_000;

  private static final int SCALAR_CALLS = 2_000;

  /** How much slower than the scalar kernel is no noise. */
  private static final double STUCK = 2;

  private KernelGuard() {}

  /**
   * A kernel that was replaced.
   *
   * @param set it belongs to
   * @param operation that is slow
   * @param slowdown its time over that of the scalar kernel
   */
  public record Stuck(String set, String operation, double slowdown) {}

  /**
   * Looks at the operations that were used so far in this process and replaces those that are
   * stuck. Takes microseconds for each that is not.
   *
   * @return those replaced by this call
   */
  public static List<Stuck> checkUsed() {
    List<Stuck> found = new ArrayList<>();
    for (GuardedKernels kernels : KernelSets.opened()) {
      found.addAll(check(kernels, kernels::isUsed));
    }
    return found;
  }

  /**
   * Looks at the operations that were used so far in a thread of its own; for sessions that serve
   * without having been warmed up.
   */
  public static void checkUsedMeanwhile() {
    Thread.ofPlatform().daemon().name("filigree-kernel-check").start(KernelGuard::checkUsed);
  }

  /**
   * Looks at every operation of the sets that are open, the first time some seconds long, since
   * each has to be compiled.
   *
   * @return those replaced by this call
   */
  public static List<Stuck> checkAll(Progress progress) {
    List<Stuck> found = new ArrayList<>();
    for (GuardedKernels kernels : KernelSets.opened()) {
      IntPredicate every =
          operation -> {
            progress.at("checking kernels", operation, KernelOperation.COUNT);
            return true;
          };
      found.addAll(check(kernels, every));
    }
    progress.at("checking kernels", KernelOperation.COUNT, KernelOperation.COUNT);
    return found;
  }

  private static synchronized List<Stuck> check(GuardedKernels kernels, IntPredicate wanted) {
    List<Stuck> found = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      KernelProbe probe = new KernelProbe(arena);
      for (int i = 0; i < KernelOperation.COUNT; i++) {
        if (wanted.test(i) && !kernels.isStuck(i)) {
          KernelOperation operation = KernelOperation.at(i);
          double slowdown = slowdown(probe, operation, kernels);
          if (slowdown > STUCK) {
            kernels.replace(i);
            Stuck stuck = new Stuck(kernels.fast().name(), operation.label(), slowdown);
            report(stuck);
            found.add(stuck);
          }
        }
      }
    }
    return found;
  }

  private static void report(Stuck stuck) {
    String what =
        String.format(
            Locale.ROOT,
            "the kernel for %s of %s is stuck at %.1f times the time of the scalar one",
            stuck.operation,
            stuck.set,
            stuck.slowdown);
    LOG.log(System.Logger.Level.WARNING, what + ", which replaces it; " + REMEDY);
    Flight.fallback("scalar " + stuck.operation, what, REMEDY);
  }

  /** Time over that of the scalar kernel; 0 for a kernel that is as fast as any machine's. */
  private static double slowdown(
      KernelProbe probe, KernelOperation operation, GuardedKernels kernels) {
    KernelProbe.Trial fast = probe.trial(operation, kernels.fast());
    long start = System.nanoTime();
    double nanos = Double.MAX_VALUE;
    int calls = 0;
    while (calls < ENOUGH_CALLS
        && (calls < FEWEST_CALLS || System.nanoTime() - start < LONG_NANOS)) {
      nanos = shortest(fast.call(), CALLS_OF_A_LOOK, 0);
      if (nanos <= fast.nanos()) {
        return 0;
      }
      calls += CALLS_OF_A_LOOK;
    }
    KernelProbe.Trial scalar = probe.trial(operation, kernels.scalar());
    double scalarNanos = Double.MAX_VALUE;
    start = System.nanoTime();
    do {
      scalarNanos = Math.min(scalarNanos, shortest(scalar.call(), SCALAR_CALLS, SCALAR_NANOS));
      nanos = Math.min(nanos, shortest(fast.call(), CALLS_OF_A_LOOK, 0));
    } while (nanos <= STUCK * scalarNanos && System.nanoTime() - start < LONG_NANOS);
    return nanos / scalarNanos;
  }

  /**
   * Of so many calls that also fill a time: what else runs on the machine only ever adds to one.
   */
  private static double shortest(Runnable call, int calls, long nanos) {
    long start = System.nanoTime();
    long before = start;
    long shortest = Long.MAX_VALUE;
    for (int i = 0; i < calls || before - start < nanos; i++) {
      call.run();
      long now = System.nanoTime();
      shortest = Math.min(shortest, now - before);
      before = now;
    }
    return shortest;
  }
}
