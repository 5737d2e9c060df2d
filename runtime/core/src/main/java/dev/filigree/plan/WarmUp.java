package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.event.Flight;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.KernelGuard;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.LayerOption;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Brings the JIT compiler to rest and measures kernels. Candidates run in alternation on the shapes
 * of the plan, with the session's threads; the lower quartile of several rounds counts, since
 * machines are shared and what others do there only ever adds time.
 */
final class WarmUp {
  private static final long SETTLE_NANOS = 2_000_000_000;
  private static final int SETTLE_RUNS = 200;

  /** Runs whose best time must not improve any more. */
  private static final int WINDOW = 10;

  private static final double SETTLED = 0.95;
  private static final int ROUNDS = 9;
  private static final long WARM_NANOS = 60_000_000;
  private static final long SAMPLE_NANOS = 2_000_000;

  /** Plain Java comes out of the interpreter in its own time, late on a busy machine. */
  private static final long SCALAR_WARM_NANOS = 3_000_000_000L;

  private static final long LOOK_NANOS = 100_000;

  /** A multiply-add of plain Java takes this. */
  private static final double STUCK_NANOS_PER_PRODUCT = 1;

  /** Below this a call's overhead counts, and being slow costs nothing. */
  private static final double STUCK_CALL_MICROS = 20;

  private final LinearLayers linearLayers;
  private final WorkerPool pool;

  WarmUp(LinearLayers linearLayers, WorkerPool pool) {
    this.linearLayers = linearLayers;
    this.pool = pool;
  }

  /** Runs until it gets no faster, for two seconds at most. */
  void settle(Runnable run, Progress progress) {
    long start = System.nanoTime();
    double best = Double.MAX_VALUE;
    double bestOfWindow = Double.MAX_VALUE;
    for (int i = 1; i <= SETTLE_RUNS && System.nanoTime() - start < SETTLE_NANOS; i++) {
      long before = System.nanoTime();
      run.run();
      bestOfWindow = Math.min(bestOfWindow, System.nanoTime() - before);
      progress.at("warming up", i, SETTLE_RUNS);
      if (i % WINDOW == 0) {
        if (bestOfWindow > best * SETTLED) {
          break;
        }
        best = Math.min(best, bestOfWindow);
        bestOfWindow = Double.MAX_VALUE;
      }
    }
    progress.at("warming up", SETTLE_RUNS, SETTLE_RUNS);
  }

  /** A linear layer of a plan. */
  record Sized(LinearLayers.Layer layer, int tokens) {}

  /**
   * Measures the candidates of every kind of layer that has not been measured. One that has a
   * single candidate is measured if that is stuck.
   *
   * @return whether anything was measured
   */
  boolean measure(List<Sized> layers, Progress progress) {
    Map<LinearLayers.Kind, Sized> kinds = new LinkedHashMap<>();
    for (Sized sized : layers) {
      LinearLayers.Kind kind = LinearLayers.Kind.of(sized.layer, sized.tokens);
      if (!linearLayers.isMeasured(kind)) {
        kinds.putIfAbsent(kind, sized);
      }
    }
    int done = 0;
    boolean measured = false;
    for (Map.Entry<LinearLayers.Kind, Sized> entry : kinds.entrySet()) {
      progress.at("measuring kernels", done++, kinds.size());
      Sized sized = entry.getValue();
      if (linearLayers.options(sized.layer).size() > 1 || isStuck(sized)) {
        linearLayers.record(entry.getKey(), withLastResort(sized, measure(sized)));
        measured = true;
      }
    }
    progress.at("measuring kernels", kinds.size(), kinds.size());
    return measured;
  }

  /** Whether the only kernel of a layer, which has run often by now, is far from any rate. */
  private boolean isStuck(Sized sized) {
    // what is not packed runs nowhere: a convolution by tiles has other products
    if (linearLayers.kernels().name().equals(KernelSets.SCALAR)
        || !linearLayers.isPacked(sized.layer, 0)) {
      return false;
    }
    try (Workspace workspace = workspace(sized, linearLayers.kernel(sized.layer, 0))) {
      return isStuck(sized, time(workspace, LOOK_NANOS));
    }
  }

  private static boolean isStuck(Sized sized, double micros) {
    Weights weights = sized.layer.weights();
    double products = (double) weights.stored() * sized.tokens;
    return micros > STUCK_CALL_MICROS && micros * 1e3 > products * STUCK_NANOS_PER_PRODUCT;
  }

  /**
   * The times, and that of the scalar kernel as the last where every other seems stuck: compiled
   * badly for the life of the process. See {@link dev.filigree.spi.KernelGuard}.
   */
  private double[] withLastResort(Sized sized, double[] micros) {
    double best = Arrays.stream(micros).min().orElseThrow();
    if (!isStuck(sized, best)) {
      return micros;
    }
    LayerOption scalar = linearLayers.lastResort(sized.layer);
    double[] all = Arrays.copyOf(micros, micros.length + 1);
    try (Workspace workspace = workspace(sized, scalar.pack())) {
      long start = System.nanoTime();
      do {
        all[micros.length] = time(workspace, WARM_NANOS);
      } while (isStuck(sized, all[micros.length]) && System.nanoTime() - start < SCALAR_WARM_NANOS);
    }
    if (all[micros.length] < best) {
      Flight.fallback(
          "scalar dense product of " + sized.layer.weights().format(),
          String.format(
              Locale.ROOT,
              "the fast kernel is stuck at %.0f us, the scalar one takes %.0f us",
              best,
              all[micros.length]),
          KernelGuard.REMEDY);
    }
    return all;
  }

  /** Microseconds of each candidate. */
  private double[] measure(Sized sized) {
    List<LayerOption> options = linearLayers.options(sized.layer);
    Workspace[] workspaces = new Workspace[options.size()];
    try {
      for (int i = 0; i < workspaces.length; i++) {
        workspaces[i] = workspace(sized, linearLayers.kernel(sized.layer, i));
      }
      double[][] samples = new double[workspaces.length][ROUNDS];
      for (Workspace workspace : workspaces) {
        time(workspace, WARM_NANOS);
      }
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < workspaces.length; i++) {
          samples[i][round] = time(workspaces[i], SAMPLE_NANOS);
        }
      }
      double[] micros = new double[workspaces.length];
      for (int i = 0; i < micros.length; i++) {
        Arrays.sort(samples[i]);
        micros[i] = samples[i][ROUNDS / 4];
      }
      return micros;
    } finally {
      for (Workspace workspace : workspaces) {
        if (workspace != null) {
          workspace.close();
        }
      }
    }
  }

  /** A workspace in which a kernel runs on inputs of its own, encoded as a part of its time. */
  private Workspace workspace(Sized sized, PackedLinear packed) {
    Panels panels = Panels.of(sized.tokens, linearLayers.kernels().lanes());
    Slot x = slot(sized.tokens, packed.columns(), panels, 0);
    Slot y = slot(sized.tokens, packed.rows(), panels, end(x));
    Slot codes =
        packed instanceof RoundedKernel kernel
            ? codes(kernel.code().bytes(panels, packed.columns()), panels, end(y))
            : null;
    List<Step> steps =
        switch (packed) {
          case LinearKernel kernel ->
              List.of(
                  new LinearStep(
                      linearLayers.kernels(), kernel, x, y, null, null, null, Activation.NONE));
          case RoundedKernel kernel ->
              List.of(
                  new EncodeStep(kernel.code(), x, codes),
                  new RoundedStep(kernel, codes, y, null, null, Activation.NONE));
        };
    Workspace workspace =
        new Workspace(end(codes == null ? y : codes), pool.size(), steps, List.of(), null);
    fill(workspace.memory(), x);
    return workspace;
  }

  private static Slot codes(long bytes, Panels panels, long offset) {
    Buffer buffer = new Buffer(bytes, 0);
    buffer.placeAt(offset);
    return new Slot(DType.U8, Shape.of(bytes), Layout.PANELS, panels, buffer);
  }

  private static long end(Slot slot) {
    return Arenas.aligned(slot.offset() + slot.buffer().bytes());
  }

  private static Slot slot(int tokens, int features, Panels panels, long offset) {
    Buffer buffer = new Buffer(panels.bytes(features), 0);
    buffer.placeAt(offset);
    return new Slot(DType.F32, Shape.of(tokens, features), Layout.PANELS, panels, buffer);
  }

  /** Values that no arithmetic treats specially. */
  private static void fill(MemorySegment memory, Slot slot) {
    for (long i = 0; i < slot.length(); i++) {
      memory.set(DType.FLOAT, slot.offset() + i * Float.BYTES, (i % 13 - 6) * 0.125f);
    }
  }

  /**
   * Microseconds of the shortest of the runs that fill a time: another program that takes its turn
   * for longer than many runs would spoil an average.
   */
  private double time(Workspace workspace, long nanos) {
    long start = System.nanoTime();
    long before = start;
    long shortest = Long.MAX_VALUE;
    do {
      workspace.run(pool);
      long now = System.nanoTime();
      shortest = Math.min(shortest, now - before);
      before = now;
    } while (before - start < nanos);
    return shortest / 1e3;
  }
}
