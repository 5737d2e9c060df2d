package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.kernel.window.Window;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * A window that slides over planes of one size, and where the pixels of a panel lie under each of
 * its taps. Pixels are those of the output, row by row.
 *
 * @param inHeight rows of an input plane
 * @param inWidth columns of an input plane
 * @param outHeight rows of an output plane
 * @param outWidth columns of an output plane
 * @param kernel rows and columns of the window
 * @param strides along rows and columns
 * @param dilations along rows and columns
 * @param before padding above and to the left
 * @param isByPhases whether input planes are divided as {@link PhaseStep} divides them, so that the
 *     pixels that a stride passes over do not lie between those it meets
 */
record Sliding(
    int inHeight,
    int inWidth,
    int outHeight,
    int outWidth,
    int[] kernel,
    int[] strides,
    int[] dilations,
    int[] before,
    boolean isByPhases) {
  /** Bytes of a stretch: lane, element of the plane or -1, and length. */
  private static final int STRETCH = 3 * Integer.BYTES;

  /** Bytes that the stretches of one tap take at most. */
  static final long TAP_BYTES = (long) Panels.FULL * STRETCH;

  /** A window over planes of one or two axes. */
  static Sliding of(Window window, Shape x) {
    boolean line = window.rank() == 1;
    return new Sliding(
        line ? 1 : (int) x.extent(2),
        (int) x.extent(-1),
        line ? 1 : (int) window.outputs()[0],
        (int) window.outputs()[window.rank() - 1],
        both(window.kernel(), 1),
        both(window.strides(), 1),
        both(window.dilations(), 1),
        both(window.before(), 0),
        false);
  }

  /** The same window over planes divided by phases. */
  Sliding byPhases() {
    return new Sliding(
        inHeight, inWidth, outHeight, outWidth, kernel, strides, dilations, before, true);
  }

  /** Rows of a phase. */
  int phaseHeight() {
    return Math.ceilDiv(inHeight, strides[0]);
  }

  /** Columns of a phase. */
  int phaseWidth() {
    return Math.ceilDiv(inWidth, strides[1]);
  }

  private int element(long y, long x) {
    if (!isByPhases) {
      return (int) (y * inWidth + x);
    }
    long phase = y % strides[0] * strides[1] + x % strides[1];
    long row = phase * phaseHeight() + y / strides[0];
    return (int) (row * phaseWidth() + x / strides[1]);
  }

  private static int[] both(long[] values, int missing) {
    return values.length == 1
        ? new int[] {missing, (int) values[0]}
        : new int[] {(int) values[0], (int) values[1]};
  }

  int taps() {
    return kernel[0] * kernel[1];
  }

  /** Elements of an input plane, with those that divide its phases evenly. */
  int inPixels() {
    return isByPhases ? strides[0] * strides[1] * phaseHeight() * phaseWidth() : inHeight * inWidth;
  }

  int outPixels() {
    return outHeight * outWidth;
  }

  /** For each pixel of the output how many under the taps lie in the image, 1 where none does. */
  float[] pixelsUnderTaps() {
    int[] down = tapsInside(0, outHeight, inHeight);
    int[] across = tapsInside(1, outWidth, inWidth);
    float[] pixels = new float[outPixels()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = Math.max(1, down[i / outWidth] * across[i % outWidth]);
    }
    return pixels;
  }

  private int[] tapsInside(int axis, int outputs, int extent) {
    int[] inside = new int[outputs];
    for (int i = 0; i < outputs; i++) {
      for (int tap = 0; tap < kernel[axis]; tap++) {
        // strides and pads may be as large as an int
        long at = (long) i * strides[axis] + (long) tap * dilations[axis] - before[axis];
        inside[i] += at >= 0 && at < extent ? 1 : 0;
      }
    }
    return inside;
  }

  /**
   * Writes the stretches of a row of a panel.
   *
   * @param tap element of the window
   * @param first pixel of the panel
   * @param used pixels of the panel that are no padding
   * @param at offset where they go
   * @return how many there are
   */
  int stretches(int tap, int first, int used, int width, MemorySegment memory, long at) {
    // strides and pads may be as large as an int
    long up = (long) tap / kernel[1] * dilations[0] - before[0];
    long left = (long) tap % kernel[1] * dilations[1] - before[1];
    int count = 0;
    int pixel = first;
    int end = first + used;
    while (pixel < end) {
      int row = pixel / outWidth;
      long y = (long) row * strides[0] + up;
      int lineEnd = Math.min(end, (row + 1) * outWidth);
      if (y < 0 || y >= inHeight) {
        count = write(memory, at, count, pixel - first, -1, lineEnd - pixel);
        pixel = lineEnd;
        continue;
      }
      while (pixel < lineEnd) {
        long x = (long) (pixel % outWidth) * strides[1] + left;
        int length;
        if (x < 0) {
          length = (int) Math.min(lineEnd - pixel, Math.ceilDiv(-x, (long) strides[1]));
        } else if (x >= inWidth) {
          length = lineEnd - pixel;
        } else if (strides[1] == 1 || isByPhases) {
          length = (int) Math.min(lineEnd - pixel, Math.ceilDiv(inWidth - x, (long) strides[1]));
        } else {
          length = 1;
        }
        boolean outside = x < 0 || x >= inWidth;
        count = write(memory, at, count, pixel - first, outside ? -1 : element(y, x), length);
        pixel += length;
      }
    }
    return used == width ? count : write(memory, at, count, used, -1, width - used);
  }

  /**
   * Writes a stretch after others, or lengthens the one before.
   *
   * @param count how many there are
   * @return how many there are then
   */
  static int write(MemorySegment memory, long at, int count, int lane, int element, int length) {
    long stretch = at + (long) count * STRETCH;
    if (count > 0) {
      int before = memory.get(DType.INT, stretch - 2 * Integer.BYTES);
      int beforeLength = memory.get(DType.INT, stretch - Integer.BYTES);
      boolean continues =
          element < 0 ? before < 0 : before >= 0 && before + beforeLength == element;
      if (continues) {
        memory.set(DType.INT, stretch - Integer.BYTES, beforeLength + length);
        return count;
      }
    }
    memory.set(DType.INT, stretch, lane);
    memory.set(DType.INT, stretch + Integer.BYTES, element);
    memory.set(DType.INT, stretch + 2 * Integer.BYTES, length);
    return count + 1;
  }
}
