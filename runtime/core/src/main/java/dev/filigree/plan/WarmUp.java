package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Brings the JIT compiler to rest and measures kernels. Candidates run in alternation on the shapes
 * of the plan, with the session's threads; the median of several rounds counts, since machines are
 * shared and noisy.
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
  record Layer(Weights weights, int tokens) {}

  /**
   * Measures the candidates of every kind of layer that has not been measured.
   *
   * @return whether anything was measured
   */
  boolean measure(List<Layer> layers, Progress progress) {
    Map<LinearLayers.Kind, Layer> kinds = new LinkedHashMap<>();
    for (Layer layer : layers) {
      LinearLayers.Kind kind = LinearLayers.Kind.of(layer.weights, layer.tokens);
      if (!linearLayers.isMeasured(kind)
          && linearLayers.kernels().linear(layer.weights).size() > 1) {
        kinds.putIfAbsent(kind, layer);
      }
    }
    int done = 0;
    for (Map.Entry<LinearLayers.Kind, Layer> entry : kinds.entrySet()) {
      progress.at("measuring kernels", done++, kinds.size());
      linearLayers.record(entry.getKey(), measure(entry.getValue()));
    }
    progress.at("measuring kernels", kinds.size(), kinds.size());
    return !kinds.isEmpty();
  }

  /** Median microseconds of each candidate. */
  private double[] measure(Layer layer) {
    List<LinearOption> options = linearLayers.kernels().linear(layer.weights);
    Workspace[] workspaces = new Workspace[options.size()];
    try {
      for (int i = 0; i < workspaces.length; i++) {
        workspaces[i] = workspace(layer, options.get(i));
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
      double[] medians = new double[workspaces.length];
      for (int i = 0; i < medians.length; i++) {
        Arrays.sort(samples[i]);
        medians[i] = samples[i][ROUNDS / 2];
      }
      return medians;
    } finally {
      for (Workspace workspace : workspaces) {
        if (workspace != null) {
          workspace.close();
        }
      }
    }
  }

  private Workspace workspace(Layer layer, LinearOption option) {
    Weights weights = layer.weights;
    Panels panels = Panels.of(layer.tokens, linearLayers.kernels().lanes());
    Slot x = slot(layer.tokens, weights.columns(), panels, 0);
    Slot y = slot(layer.tokens, weights.rows(), panels, Arenas.aligned(x.buffer().bytes()));
    LinearStep step =
        new LinearStep(
            linearLayers.kernels(), option.pack(), x, y, null, null, null, Activation.NONE);
    Workspace workspace =
        new Workspace(y.offset() + y.buffer().bytes(), pool.size(), List.of(step));
    fill(workspace.memory(), x);
    return workspace;
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

  /** Microseconds of a run, averaged over runs that fill a time. */
  private double time(Workspace workspace, long nanos) {
    long start = System.nanoTime();
    long elapsed;
    int runs = 0;
    do {
      workspace.run(pool);
      runs++;
      elapsed = System.nanoTime() - start;
    } while (elapsed < nanos);
    return elapsed / 1e3 / runs;
  }
}
