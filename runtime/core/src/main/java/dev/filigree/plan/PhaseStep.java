package dev.filigree.plan;

import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Divides planes into the phases of a window's strides: a plane for each remainder of row and
 * column, one after the other, so that the pixels under a tap are neighbours. Elements that make
 * phases even are not written and never read.
 *
 * @param window whose strides divide the planes
 * @param x planes {@code [batch, channels, rows, columns]}
 * @param y phases {@code [batch, channels, elements]}
 */
record PhaseStep(Kernels kernels, Sliding window, Slot x, Slot y) implements Step {
  /** Phases beyond which most pixels are passed over. */
  private static final long MOST = 16;

  /** Whether it is worth dividing planes by the strides of a window. */
  static boolean fits(Sliding window) {
    return (long) window.strides()[0] * window.strides()[1] <= MOST;
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    int down = window.strides()[0];
    int across = window.strides()[1];
    int height = window.phaseHeight();
    int width = window.phaseWidth();
    boolean[] seen = seen();
    long pixels = window.byPhases().inPixels();
    int planes = Math.toIntExact(x.shape().extent(0) * x.shape().extent(1));
    WorkerPool.Body body =
        (plane, worker) -> {
          long from = x.offset() + (long) plane * window.inPixels() * Float.BYTES;
          long to = y.offset() + plane * pixels * Float.BYTES;
          for (int phase = 0; phase < seen.length; phase++) {
            int row = phase / across;
            int column = phase % across;
            if (!seen[phase] || row >= window.inHeight() || column >= window.inWidth()) {
              continue;
            }
            kernels.copyRows(
                memory,
                from + ((long) row * window.inWidth() + column) * Float.BYTES,
                across,
                down * window.inWidth(),
                to + (long) phase * height * width * Float.BYTES,
                width,
                Math.ceilDiv(window.inHeight() - row, down),
                Math.ceilDiv(window.inWidth() - column, across));
          }
        };
    return pool -> pool.forEach(planes, body);
  }

  @Override
  public String work() {
    return "divide by strides";
  }

  /** Which phases some tap meets. */
  private boolean[] seen() {
    int down = window.strides()[0];
    int across = window.strides()[1];
    boolean[] seen = new boolean[Math.multiplyExact(down, across)];
    for (int tap = 0; tap < window.taps(); tap++) {
      long row = (long) tap / window.kernel()[1] * window.dilations()[0] - window.before()[0];
      long column = (long) tap % window.kernel()[1] * window.dilations()[1] - window.before()[1];
      seen[Math.floorMod(row, down) * across + Math.floorMod(column, across)] = true;
    }
    return seen;
  }
}
