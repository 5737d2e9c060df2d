package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Slides a window over each plane on its own: a depthwise convolution or a pool. The pixels of a
 * panel under each tap become rows, which are summed with weights or of which the largest is taken.
 *
 * @param window over the planes
 * @param x input {@code [batch, channels, spatial...]}
 * @param y output of the same channels
 * @param weights of the taps, channel by channel; one set if {@code shared}; null for the largest
 * @param shared whether all channels have the same weights
 * @param bias of each channel, or null
 * @param activation applied at the end
 */
record WindowStep(
    Kernels kernels,
    Sliding window,
    Slot x,
    Slot y,
    float[] weights,
    boolean shared,
    float[] bias,
    Activation activation)
    implements Step {
  /** Taps up to which the rows of a panel stay in the first cache. */
  static final int MAX_TAPS = 64;

  private long stretchBytes() {
    return Arenas.aligned(window.taps() * (Sliding.TAP_BYTES + Integer.BYTES));
  }

  @Override
  public long scratchBytes() {
    return stretchBytes() + (window.taps() + 2L) * Panels.FULL * Float.BYTES;
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep, WorkerPool.Body {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final Panels panels = Panels.of(window.outPixels(), kernels.lanes());
    private final int channels = (int) x.shape().extent(1);
    private final int batch = (int) x.shape().extent(0);

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
    }

    @Override
    public void run(WorkerPool pool) {
      pool.forEach(batch * panels.count(), this);
    }

    @Override
    public void run(int item, int worker) {
      int image = item / panels.count();
      int p = item % panels.count();
      long stretches = workspace.scratch(worker);
      long counts = stretches + window.taps() * Sliding.TAP_BYTES;
      long rows = stretches + stretchBytes();
      for (int tap = 0; tap < window.taps(); tap++) {
        int count =
            window.stretches(
                tap,
                panels.start(p),
                panels.used(p),
                panels.width(p),
                memory,
                stretches + tap * Sliding.TAP_BYTES);
        memory.set(DType.INT, counts + (long) tap * Integer.BYTES, count);
      }
      for (int c = 0; c < channels; c++) {
        channel(image, c, p, stretches, counts, rows);
      }
    }

    private void channel(int image, int c, int p, long stretches, long counts, long rows) {
      int width = panels.width(p);
      int taps = window.taps();
      long plane = (long) image * channels + c;
      long source = x.offset() + plane * window.inPixels() * Float.BYTES;
      for (int tap = 0; tap < taps; tap++) {
        kernels.gather(
            memory,
            source,
            0,
            1,
            stretches + tap * Sliding.TAP_BYTES,
            memory.get(DType.INT, counts + (long) tap * Integer.BYTES),
            weights == null ? Float.NEGATIVE_INFINITY : 0,
            rows + (long) tap * width * Float.BYTES,
            width);
      }
      // the last row may be written beyond its end
      long result = rows + (taps + 1L) * Panels.FULL * Float.BYTES;
      if (weights == null) {
        kernels.maximum(memory, rows, taps, width, result);
      } else {
        kernels.weightedSum(
            memory,
            rows,
            taps,
            width,
            weights,
            shared ? 0 : c * taps,
            bias == null ? 0 : bias[c],
            result);
      }
      if (activation != Activation.NONE) {
        kernels.activate(activation, memory, result, width);
      }
      MemorySegment.copy(
          memory,
          result,
          memory,
          y.offset() + (plane * window.outPixels() + panels.start(p)) * Float.BYTES,
          (long) panels.used(p) * Float.BYTES);
    }
  }
}
