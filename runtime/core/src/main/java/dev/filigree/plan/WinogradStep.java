package dev.filigree.plan;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Runs a convolution by tiles of 4 x 4 pixels, a piece of the image at a time; see {@link
 * Winograd}. Vectors run along tiles.
 *
 * <pre>
 *   phases of planes -> d [16 pixels][c][64 tiles] -> B^T d B, in place
 *                    -> m [16 elements][out][64 tiles], a product for each element
 *                    -> A^T m A + bias, in place: [4 results][out][64 tiles] -> planes [out][pixels]
 * </pre>
 *
 * @param products one for each element, {@code [out, channels]}
 * @param tiles window over the phases of x that meets the pixels of a tile
 * @param height rows of an output plane
 * @param width columns of an output plane
 * @param x input {@code [batch, channels, elements]} divided by phases
 * @param y output {@code [batch, out, height, width]}
 * @param residual added to the output; or null
 * @param bias one value for each output, or null
 * @param activation applied at the end
 */
record WinogradStep(
    Kernels kernels,
    List<LinearKernel> products,
    Sliding tiles,
    int height,
    int width,
    Slot x,
    Slot y,
    Slot residual,
    float[] bias,
    Activation activation)
    implements Step {
  private static final int RESULTS = Winograd.RESULTS * Winograd.RESULTS;

  /**
   * Bytes between the panels of two elements: a transform reads sixteen at once, and at a multiple
   * of 4 KiB they would all want the same few lines of the first cache.
   */
  private static final long APART = 5 * Arenas.ALIGNMENT;

  WinogradStep {
    products = List.copyOf(products);
  }

  private int channels() {
    return products.getFirst().columns();
  }

  private int outputs() {
    return products.getFirst().rows();
  }

  /** Panels of a piece; a single tile gets a vector like any other, not a row. */
  private Panels panels(int count) {
    return Panels.of(Math.max(2, count), kernels.lanes());
  }

  private Panels full() {
    return panels(Math.min(Panels.FULL, tiles.outPixels()));
  }

  @Override
  public int scratchFloats() {
    return products.stream().mapToInt(LinearKernel::scratch).max().orElseThrow();
  }

  @Override
  public long scratchBytes() {
    Panels full = full();
    long added = residual == null ? 0 : RESULTS * full.bytes(outputs());
    // rows of pixels may be written beyond their end, and rows of results read
    return Arenas.aligned(Sliding.TAP_BYTES)
        + Winograd.ELEMENTS * (full.bytes(channels()) + full.bytes(outputs()) + 2 * APART)
        + added
        + 2 * Arenas.ALIGNMENT;
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  @Override
  public String work() {
    return "tiles of 4 x 4";
  }

  /** The step bound to memory; its items may be run in any order. */
  private final class Bound implements BoundStep, WorkerPool.Body {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final int pieces = Math.ceilDiv(tiles.outPixels(), Panels.FULL);
    private final Panels full = full();
    private final Panels last = panels(tiles.outPixels() - (pieces - 1) * Panels.FULL);
    private final int images = (int) x.shape().extent(0);
    private final Shares shares = new Shares(images * pieces, products.getFirst());

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
      int first = piece * Panels.FULL;
      Panels panels = piece == pieces - 1 ? last : full;
      int from = shares.from(item);
      int to = shares.to(item);
      long stretches = workspace.scratch(worker);
      long pixels = stretches + Arenas.aligned(Sliding.TAP_BYTES);
      long pixelStep = panels.bytes(channels()) + APART;
      long results = pixels + Winograd.ELEMENTS * pixelStep;
      long resultStep = panels.bytes(outputs()) + APART;
      long added = results + Winograd.ELEMENTS * resultStep;
      for (int p = 0; p < panels.count(); p++) {
        long panel = pixels + panels.offset(p, channels());
        gather(image, first, panels, p, stretches, panel, pixelStep);
        kernels.winogradInput(memory, panel, pixelStep, channels(), panels.width(p));
      }
      multiply(item, panels, pixels, pixelStep, results, resultStep, workspace.floats(worker));
      for (int p = 0; p < panels.count(); p++) {
        long panel = results + panels.offset(p, outputs());
        kernels.winogradOutput(memory, panel, resultStep, from, to, panels.width(p), bias);
        finish(image, first, panels, p, from, to, panel, resultStep, added);
      }
    }

    private void gather(
        int image, int first, Panels panels, int p, long stretches, long panel, long step) {
      long plane = (long) tiles.inPixels() * Float.BYTES;
      long source = x.offset() + (long) image * channels() * plane;
      int start = first + panels.start(p);
      int used = Math.min(panels.used(p), tiles.outPixels() - start);
      for (int tap = 0; tap < Winograd.ELEMENTS; tap++) {
        int count = tiles.stretches(tap, start, used, panels.width(p), memory, stretches);
        kernels.gather(
            memory,
            source,
            plane,
            channels(),
            stretches,
            count,
            0,
            panel + tap * step,
            panels.width(p));
      }
    }

    private void multiply(
        int item,
        Panels panels,
        long pixels,
        long pixelStep,
        long results,
        long resultStep,
        float[] floats) {
      for (int element = 0; element < Winograd.ELEMENTS; element++) {
        long in = pixels + element * pixelStep;
        long out = results + element * resultStep;
        for (int p = 0; p < panels.count(); p++) {
          long panel = out + panels.offset(p, outputs());
          kernels.start(
              memory, panel, panels.width(p), shares.from(item), shares.to(item), null, -1);
        }
        LinearKernel product = products.get(element);
        for (int block = shares.fromBlock(item); block < shares.toBlock(item); block++) {
          product.accumulate(block, panels, 0, panels.count(), memory, in, out, floats);
        }
      }
    }

    /** Adds the residual, applies the activation, and writes results to their planes. */
    private void finish(
        int image,
        int first,
        Panels panels,
        int p,
        int from,
        int to,
        long panel,
        long step,
        long added) {
      int lanes = panels.width(p);
      long skipped = (long) from * lanes * Float.BYTES;
      long count = (long) (to - from) * lanes;
      long planes = ((long) image * outputs() + from) * height * width * Float.BYTES;
      int start = first + panels.start(p);
      int used = Math.min(panels.used(p), tiles.outPixels() - start);
      if (residual != null) {
        for (int at = 0; at < used; at += inRow(start + at, used - at)) {
          addedRun(start + at, inRow(start + at, used - at), at, lanes, to - from, planes, added);
        }
      }
      for (int result = 0; result < RESULTS; result++) {
        long values = panel + result * step + skipped;
        if (residual != null) {
          kernels.add(memory, values, added + result * count * Float.BYTES, values, count);
        }
        if (activation != Activation.NONE) {
          kernels.activate(activation, memory, values, count);
        }
      }
      for (int at = 0; at < used; at += inRow(start + at, used - at)) {
        store(
            start + at,
            inRow(start + at, used - at),
            lanes,
            to - from,
            panel + skipped + (long) at * Float.BYTES,
            step,
            y.offset() + planes);
      }
    }

    /** Tiles from one on that lie in its row. */
    private int inRow(int tile, int most) {
      return Math.min(most, tiles.outWidth() - tile % tiles.outWidth());
    }

    /** Pixels of a row that the results of a run of tiles are. */
    private int pixels(int tile, int run) {
      return Math.min(2 * run, width - 2 * (tile % tiles.outWidth()));
    }

    /** Bytes from a plane's start to the first result of a tile in one of its two rows. */
    private long place(int tile, int row) {
      long line = 2L * (tile / tiles.outWidth()) + row;
      return (line * width + 2L * (tile % tiles.outWidth())) * Float.BYTES;
    }

    private boolean isInside(int tile, int row) {
      return 2 * (tile / tiles.outWidth()) + row < height;
    }

    /** Takes the residual of a run of tiles apart into {@code [4 results][rows][lanes]}. */
    private void addedRun(
        int tile, int run, int lane, int lanes, int rows, long planes, long added) {
      for (int result = 0; result < RESULTS; result++) {
        int across = result % 2;
        int count = Math.ceilDiv(pixels(tile, run) - across, 2);
        if (isInside(tile, result / 2) && count > 0) {
          kernels.copyRows(
              memory,
              residual.offset() + planes + place(tile, result / 2) + (long) across * Float.BYTES,
              2,
              height * width,
              added + ((long) result * rows * lanes + lane) * Float.BYTES,
              lanes,
              rows,
              count);
        }
      }
    }

    private void store(
        int tile, int run, int lanes, int rows, long results, long step, long planes) {
      for (int row = 0; row < 2; row++) {
        if (isInside(tile, row)) {
          long even = results + 2 * row * step;
          kernels.interleave(
              memory,
              even,
              even + step,
              lanes,
              planes + place(tile, row),
              height * width,
              rows,
              pixels(tile, run));
        }
      }
    }
  }
}
