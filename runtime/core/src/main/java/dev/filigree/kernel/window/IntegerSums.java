package dev.filigree.kernel.window;

import dev.filigree.Tensor;
import dev.filigree.kernel.quant.ZeroPoints;
import java.util.Arrays;

/**
 * Sums of products of codes without their zero points, for all positions of an output channel of an
 * image or a line at once: each weight is multiplied by the row of codes that it meets.
 */
final class IntegerSums {
  /** Products of 9 bits each that a 32-bit sum holds. */
  private static final long MOST_PRODUCTS = Integer.MAX_VALUE / (255 * 255);

  private final Window window;
  private final Tensor x;
  private final Tensor zero;
  private final int channels;
  private final int height;
  private final int width;

  /** Codes of the channels of a group. */
  private final int[] codes;

  private final int[] sums;

  /** Element where the channels that are read begin. */
  private long read;

  IntegerSums(Window window, Tensor x, Tensor zero, long channels) {
    this.window = window;
    this.x = x;
    this.zero = zero;
    this.channels = (int) channels;
    int rank = x.shape().rank();
    this.height = window.rank() == 1 ? 1 : (int) x.shape().extent(rank - 2);
    this.width = (int) x.shape().extent(rank - 1);
    this.codes = new int[this.channels * height * width];
    this.sums = new int[(int) window.positions()];
  }

  /** Whether arrays and sums of 32 bits do. */
  static boolean fit(Window window, Tensor x, long channels) {
    long images = Math.max(1, x.shape().extent(0));
    return window.rank() <= 2
        && channels * window.size() <= MOST_PRODUCTS
        && x.elements() / images <= Integer.MAX_VALUE
        && window.positions() <= Integer.MAX_VALUE;
  }

  /**
   * The sums of one output channel; the same array each time.
   *
   * @param channel element where the group's first input channel starts
   * @param filter element where the output's weights start
   */
  int[] of(long channel, long output, Tensor w, long filter, Tensor zeroW) {
    if (output == 0 || channel != read) {
      read(channel);
    }
    Arrays.fill(sums, 0);
    long zw = ZeroPoints.at(zeroW, output);
    boolean line = window.rank() == 1;
    int high = line ? 1 : (int) window.kernel()[0];
    int wide = (int) window.kernel()[window.rank() - 1];
    long at = filter;
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < high; i++) {
        for (int j = 0; j < wide; j++) {
          int weight = (int) (w.getLong(at++) - zw);
          if (weight != 0) {
            addTap(c, line ? 0 : window.start(0, 0) + i * window.dilations()[0], j, weight);
          }
        }
      }
    }
    return sums;
  }

  private void read(long channel) {
    long zx = ZeroPoints.at(zero, 0);
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (int) (x.getLong(channel + i) - zx);
    }
    read = channel;
  }

  /**
   * Adds a weight times what it meets, at all positions.
   *
   * @param top row that the tap meets at the first position
   */
  private void addTap(int c, long top, int column, int weight) {
    int axis = window.rank() - 1;
    int stride = (int) window.strides()[axis];
    long left = window.start(axis, 0) + column * window.dilations()[axis];
    long columns = window.outputs()[axis];
    long rows = axis == 0 ? 1 : window.outputs()[0];
    long down = axis == 0 ? 1 : window.strides()[0];
    int first = (int) Math.clamp(Math.ceilDiv(-left, stride), 0, columns);
    int last = (int) Math.clamp(Math.ceilDiv(width - left, stride), 0, columns);
    for (long row = 0; row < rows; row++) {
      long y = top + row * down;
      if (y >= 0 && y < height && first < last) {
        int from = (int) ((c * (long) height + y) * width + left + (long) first * stride);
        addRow((int) (row * columns) + first, last - first, from, stride, weight);
      }
    }
  }

  private void addRow(int to, int count, int from, int stride, int weight) {
    if (stride == 1) {
      for (int i = 0; i < count; i++) {
        sums[to + i] += codes[from + i] * weight;
      }
    } else {
      for (int i = 0; i < count; i++) {
        sums[to + i] += codes[from + i * stride] * weight;
      }
    }
  }
}
