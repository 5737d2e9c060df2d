package dev.filigree.plan;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Runs a convolution as a product, a piece of the image at a time: the patches under the window
 * become a panel that stays in cache, the linear kernel multiplies it, and bias, residual and
 * activation are applied before the results go to their planes.
 *
 * <pre>
 *   planes [c][pixels] -> patches [tap, c][64 pixels] -> results [out][64 pixels] -> planes [out][pixels]
 * </pre>
 *
 * @param kernels for patches, start and activation
 * @param kernel the packed weights, columns by tap and then channel
 * @param window over the planes of x
 * @param x input {@code [batch, channels, spatial...]}
 * @param y output {@code [batch, out, spatial...]}
 * @param residual added to the output; or null
 * @param bias one value for each output, or null
 * @param activation applied at the end
 * @param group which part of the channels and outputs it reads and makes, from 0
 * @param groups into how many they are divided
 */
record ConvolutionStep(
    Kernels kernels,
    LinearKernel kernel,
    Sliding window,
    Slot x,
    Slot y,
    Slot residual,
    float[] bias,
    Activation activation,
    int group,
    int groups)
    implements Step {
  /** Patches that stay in the second cache. */
  private static final long CACHE = 1 << 20;

  /** Kernels take two panels at a time. */
  private static final int PANELS = 2;

  /** Images up to this size are cut finer, so that threads have something to share. */
  private static final int SMALL = 4 * PANELS * Panels.FULL;

  /** Pixels of a piece. */
  int pixels() {
    boolean fits = (long) kernel.columns() * PANELS * Panels.FULL * Float.BYTES <= CACHE;
    return fits && window.outPixels() > SMALL ? PANELS * Panels.FULL : Panels.FULL;
  }

  private long patchBytes() {
    return (long) kernel.columns() * pixels() * Float.BYTES;
  }

  @Override
  public int scratchFloats() {
    return kernel.scratch();
  }

  @Override
  public long scratchBytes() {
    long results = (long) kernel.rows() * pixels() * Float.BYTES;
    // the last patch may be written beyond its end
    return Arenas.aligned(Sliding.TAP_BYTES)
        + Arenas.aligned(patchBytes())
        + results
        + Arenas.ALIGNMENT;
  }

  @Override
  public Bound bind(Workspace workspace) {
    return new Bound(workspace);
  }

  /** Pieces that threads share. */
  int items() {
    return (int) x.shape().extent(0) * Math.ceilDiv(window.outPixels(), pixels());
  }

  /** The step bound to memory; its items may be run in any order. */
  final class Bound implements BoundStep, WorkerPool.Body {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final int pixels = pixels();
    private final int pieces = Math.ceilDiv(window.outPixels(), pixels);
    private final Panels full = Panels.of(pixels, kernels.lanes());
    private final Panels last =
        Panels.of(window.outPixels() - (pieces - 1) * pixels, kernels.lanes());
    private final int channels = kernel.columns() / window.taps();
    private final Shares shares = new Shares(items(), kernel);

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
    }

    @Override
    public void run(WorkerPool pool) {
      shares.run(pool, this);
    }

    @Override
    public void run(int item, int worker) {
      int image = shares.piece(item) / pieces;
      int piece = shares.piece(item) % pieces;
      int from = shares.from(item);
      int to = shares.to(item);
      Panels panels = piece == pieces - 1 ? last : full;
      long stretches = workspace.scratch(worker);
      long patches = stretches + Arenas.aligned(Sliding.TAP_BYTES);
      long results = patches + Arenas.aligned(patchBytes());
      gather(image, piece * pixels, panels, stretches, patches);
      start(image, piece * pixels, panels, stretches, results, from, to);
      for (int block = shares.fromBlock(item); block < shares.toBlock(item); block++) {
        kernel.accumulate(
            block, panels, 0, panels.count(), memory, patches, results, workspace.floats(worker));
      }
      finish(image, piece * pixels, panels, stretches, results, from, to);
    }

    private void gather(int image, int first, Panels panels, long stretches, long patches) {
      long plane = (long) window.inPixels() * Float.BYTES;
      long source = x.offset() + ((long) image * groups + group) * channels * plane;
      for (int p = 0; p < panels.count(); p++) {
        int width = panels.width(p);
        long panel = patches + panels.offset(p, kernel.columns());
        for (int tap = 0; tap < window.taps(); tap++) {
          int count =
              window.stretches(
                  tap, first + panels.start(p), panels.used(p), width, memory, stretches);
          long rows = panel + (long) tap * channels * width * Float.BYTES;
          kernels.gather(memory, source, plane, channels, stretches, count, 0, rows, width);
        }
      }
    }

    private void start(
        int image, int first, Panels panels, long stretches, long results, int from, int to) {
      for (int p = 0; p < panels.count(); p++) {
        long panel = results + panels.offset(p, kernel.rows());
        int width = panels.width(p);
        if (residual != null) {
          int count = piece(first + panels.start(p), panels.used(p), width, stretches);
          kernels.gather(
              memory,
              residual.offset() + planeOffset(image, from, 0),
              (long) window.outPixels() * Float.BYTES,
              to - from,
              stretches,
              count,
              0,
              panel + (long) from * width * Float.BYTES,
              width);
        }
        kernels.start(memory, panel, width, from, to, bias, residual == null ? -1 : panel);
      }
    }

    private void finish(
        int image, int first, Panels panels, long stretches, long results, int from, int to) {
      for (int p = 0; p < panels.count(); p++) {
        int width = panels.width(p);
        long rows = results + panels.offset(p, kernel.rows()) + (long) from * width * Float.BYTES;
        if (activation != Activation.NONE) {
          kernels.activate(activation, memory, rows, (long) (to - from) * width);
        }
        store(
            rows,
            to - from,
            width,
            panels.used(p),
            planeOffset(image, from, first + panels.start(p)),
            stretches);
      }
    }

    private void store(long panel, int rows, int width, int used, long plane, long stretches) {
      if (used % kernels.lanes() == 0) {
        kernels.gather(
            memory,
            panel,
            (long) width * Float.BYTES,
            rows,
            stretches,
            piece(0, used, used, stretches),
            0,
            y.offset() + plane,
            window.outPixels());
        return;
      }
      // vectors would reach into pixels that another thread writes
      for (int o = 0; o < rows; o++) {
        MemorySegment.copy(
            memory,
            panel + (long) o * width * Float.BYTES,
            memory,
            y.offset() + plane + (long) o * window.outPixels() * Float.BYTES,
            (long) used * Float.BYTES);
      }
    }

    /** Writes the stretches of pixels that lie one after the other. */
    private int piece(int pixel, int used, int width, long stretches) {
      int count = Sliding.write(memory, stretches, 0, 0, pixel, used);
      return used == width
          ? count
          : Sliding.write(memory, stretches, count, used, -1, width - used);
    }

    private long planeOffset(int image, int output, int pixel) {
      long row = ((long) image * groups + group) * kernel.rows() + output;
      return (row * window.outPixels() + pixel) * Float.BYTES;
    }
  }
}
