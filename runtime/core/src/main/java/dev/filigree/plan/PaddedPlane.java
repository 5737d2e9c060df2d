package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Rows of a plane with their padding, so that a window slides over them without asking where the
 * image ends. A window that moves by more than one pixel sees only pixels of some rows and columns
 * under a tap; these are put beside each other, each such phase a plane of its own, and under every
 * tap the pixels of neighbouring results are neighbours too.
 *
 * <pre>
 *   strides 2, 2:   a b a b                 a a | b b
 *                   c d c d      becomes    a a | b b      one phase after the other
 *                   a b a b                 c c | d d
 *                   c d c d                 c c | d d
 * </pre>
 */
final class PaddedPlane {
  private final Sliding window;

  /** Elements of a row of a phase. */
  private final int pitch;

  /** Rows that a result's taps reach below its own row. */
  private final int reach;

  /** Which phases some tap sees. */
  private final boolean[] seen;

  PaddedPlane(Sliding window) {
    this.window = window;
    int[] kernel = window.kernel();
    int[] strides = window.strides();
    int[] dilations = window.dilations();
    this.reach = (kernel[0] - 1) * dilations[0] / strides[0];
    this.pitch = window.outWidth() + (kernel[1] - 1) * dilations[1] / strides[1];
    this.seen = new boolean[strides[0] * strides[1]];
    for (int tap = 0; tap < window.taps(); tap++) {
      seen[phase(tap)] = true;
    }
  }

  private int down(int tap) {
    return tap / window.kernel()[1] * window.dilations()[0];
  }

  private int across(int tap) {
    return tap % window.kernel()[1] * window.dilations()[1];
  }

  private int phase(int tap) {
    int[] strides = window.strides();
    return down(tap) % strides[0] * strides[1] + across(tap) % strides[1];
  }

  int pitch() {
    return pitch;
  }

  /** Elements that so many rows of results need, all phases together. */
  long elements(int rows) {
    return seen.length * phaseElements(rows);
  }

  private long phaseElements(int rows) {
    return (long) (rows + reach) * pitch;
  }

  /**
   * Rows of results whose plane has at most so many elements, but one at least.
   *
   * @param elements that shall suffice
   */
  int rowsWithin(int elements) {
    long fit = elements / ((long) seen.length * pitch) - reach;
    return Math.clamp(fit, 1, window.outHeight());
  }

  /** Elements from the start to the first pixel under each tap. */
  int[] taps(int rows) {
    int[] taps = new int[window.taps()];
    for (int tap = 0; tap < taps.length; tap++) {
      taps[tap] =
          Math.toIntExact(
              phase(tap) * phaseElements(rows)
                  + (long) (down(tap) / window.strides()[0]) * pitch
                  + across(tap) / window.strides()[1]);
    }
    return taps;
  }

  /**
   * Fills the padding, which stays while planes are copied into it.
   *
   * @param first row of results
   * @param rows of results
   * @param outside what stands there
   * @param at offset of the padded plane
   */
  void pad(MemorySegment memory, int first, int rows, float outside, long at) {
    for (int phase = 0; phase < seen.length; phase++) {
      if (!seen[phase]) {
        continue;
      }
      int left = left(phase);
      int right = right(phase);
      for (int r = 0; r < rows + reach; r++) {
        long row = at + (phase * phaseElements(rows) + (long) r * pitch) * Float.BYTES;
        boolean inside = isInside(sourceRow(phase, first + r));
        fill(memory, row, 0, inside ? left : pitch, outside);
        fill(memory, row, inside ? right : pitch, pitch, outside);
      }
    }
  }

  private static void fill(MemorySegment memory, long row, int from, int to, float value) {
    for (int i = from; i < to; i++) {
      memory.set(DType.FLOAT, row + (long) i * Float.BYTES, value);
    }
  }

  /**
   * Copies rows of an image's plane.
   *
   * @param plane offset of the plane
   * @param at offset of the padded plane
   */
  void copy(Kernels kernels, MemorySegment memory, long plane, int first, int rows, long at) {
    int[] strides = window.strides();
    for (int phase = 0; phase < seen.length; phase++) {
      int left = left(phase);
      int width = right(phase) - left;
      int from = firstInside(phase, first);
      int to = lastInside(phase, first + rows + reach);
      if (!seen[phase] || width <= 0 || from >= to) {
        continue;
      }
      long pixel = sourceRow(phase, from) * window.inWidth() + sourceColumn(phase, left);
      long target = phase * phaseElements(rows) + (long) (from - first) * pitch + left;
      kernels.copyRows(
          memory,
          plane + pixel * Float.BYTES,
          strides[1],
          strides[0] * window.inWidth(),
          at + target * Float.BYTES,
          pitch,
          to - from,
          width);
    }
  }

  private long sourceRow(int phase, long row) {
    int[] strides = window.strides();
    return row * strides[0] + phase / strides[1] - window.before()[0];
  }

  private long sourceColumn(int phase, long column) {
    int[] strides = window.strides();
    return column * strides[1] + phase % strides[1] - window.before()[1];
  }

  private boolean isInside(long row) {
    return row >= 0 && row < window.inHeight();
  }

  /** First row of a phase, from one on, that lies in the image. */
  private int firstInside(int phase, int row) {
    long least = Math.ceilDiv(-sourceRow(phase, 0), (long) window.strides()[0]);
    return Math.clamp(least, row, Integer.MAX_VALUE);
  }

  /** Row after the last of a phase, up to one, that lies in the image. */
  private int lastInside(int phase, int row) {
    long end = Math.ceilDiv(window.inHeight() - sourceRow(phase, 0), (long) window.strides()[0]);
    return Math.clamp(end, 0, row);
  }

  /** First column of a phase that lies in the image. */
  private int left(int phase) {
    long least = Math.ceilDiv(-sourceColumn(phase, 0), (long) window.strides()[1]);
    return Math.clamp(least, 0, pitch);
  }

  /** Column after the last of a phase that lies in the image. */
  private int right(int phase) {
    long end = Math.ceilDiv(window.inWidth() - sourceColumn(phase, 0), (long) window.strides()[1]);
    return Math.clamp(end, left(phase), pitch);
  }
}
