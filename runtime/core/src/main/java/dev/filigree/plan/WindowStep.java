package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Slides a window over each plane on its own: a depthwise convolution or a pool. Bands of a plane
 * that stay in the first cache are copied with their padding and summed with weights, or the
 * largest is taken.
 *
 * @param window over the planes
 * @param x input {@code [batch, channels, spatial...]}
 * @param y output {@code [batch, channels * m, spatial...]}: each plane of x makes m that follow
 *     one another
 * @param weights of the taps, output by output; one set if {@code shared}; null for the largest
 * @param shared whether all outputs have the same weights
 * @param bias of each output, or null
 * @param residual of y's shape, added before the activation; or null
 * @param divisors of the results of a plane, the elements each mean is over; or null
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
    Slot residual,
    float[] divisors,
    Activation activation)
    implements Step {
  /** Elements of a padded band: half of a first cache of 48 KiB. */
  private static final int BAND = 6 * 1024;

  /** Padded bytes up to which a plane is worth copying. */
  private static final long MOST = 1 << 24;

  /** Parts that the channels of a band are divided into for threads. */
  private static final int PARTS = 16;

  /** Whether the copies that a window needs are of a reasonable size. */
  static boolean fits(Sliding window) {
    long strides = (long) window.strides()[0] * window.strides()[1];
    long rows = 1 + (window.kernel()[0] - 1L) * window.dilations()[0] / window.strides()[0];
    long pitch =
        window.outWidth() + (window.kernel()[1] - 1L) * window.dilations()[1] / window.strides()[1];
    return strides <= MOST
        && rows <= MOST
        && pitch <= MOST
        && strides * rows * pitch <= MOST
        && (long) window.kernel()[0] * window.kernel()[1] <= BAND;
  }

  @Override
  public long scratchBytes() {
    PaddedPlane padded = new PaddedPlane(window);
    // kernels read up to a vector after the last row
    return padded.elements(padded.rowsWithin(BAND)) * Float.BYTES + Arenas.ALIGNMENT;
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep, WorkerPool.Body {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final PaddedPlane padded = new PaddedPlane(window);
    private final int rows = padded.rowsWithin(BAND);
    private final int bands = Math.ceilDiv(window.outHeight(), rows);
    private final int[] taps = padded.taps(rows);
    private final int[] lastTaps = padded.taps(window.outHeight() - (bands - 1) * rows);
    private final int channels = (int) x.shape().extent(1);
    private final int outputs = (int) (y.shape().extent(1) / channels);
    private final int part = Math.ceilDiv(channels, PARTS);
    private final int parts = Math.ceilDiv(channels, part);
    private final int batch = (int) x.shape().extent(0);

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
    }

    @Override
    public void run(WorkerPool pool) {
      pool.forEach(batch * bands * parts, this);
    }

    @Override
    public void run(int item, int worker) {
      int image = item / (bands * parts);
      int band = item / parts % bands;
      int channel = item % parts * part;
      int end = Math.min(channels, channel + part);
      int first = band * rows;
      int count = Math.min(rows, window.outHeight() - first);
      long scratch = workspace.scratch(worker);
      float outside = weights == null ? Float.NEGATIVE_INFINITY : 0;
      padded.pad(memory, first, count, outside, scratch);
      for (int c = channel; c < end; c++) {
        long plane = (long) image * channels + c;
        long from = x.offset() + plane * window.inPixels() * Float.BYTES;
        padded.copy(kernels, memory, from, first, count, scratch);
        for (int o = 0; o < outputs; o++) {
          slide(c * outputs + o, plane * outputs + o, first, count, scratch);
        }
      }
    }

    private void slide(int output, long plane, int first, int count, long scratch) {
      int width = window.outWidth();
      long offset = (plane * window.outPixels() + (long) first * width) * Float.BYTES;
      long results = y.offset() + offset;
      int[] places = count == rows ? taps : lastTaps;
      if (weights == null) {
        kernels.slideMaximum(memory, scratch, places, padded.pitch(), results, count, width);
      } else {
        kernels.slide(
            memory,
            scratch,
            places,
            padded.pitch(),
            weights,
            shared ? 0 : output * taps.length,
            bias == null ? 0 : bias[output],
            results,
            count,
            width);
      }
      if (divisors != null) {
        divide(results, first * width, count * width);
      }
      if (residual != null) {
        kernels.add(memory, results, residual.offset() + offset, results, (long) count * width);
      }
      if (activation != Activation.NONE) {
        kernels.activate(activation, memory, results, (long) count * width);
      }
    }

    private void divide(long results, int first, int count) {
      for (int i = 0; i < count; i++) {
        long at = results + (long) i * Float.BYTES;
        memory.set(DType.FLOAT, at, memory.get(DType.FLOAT, at) / divisors[first + i]);
      }
    }
  }
}
