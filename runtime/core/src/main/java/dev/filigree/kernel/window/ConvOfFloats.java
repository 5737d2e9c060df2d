package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A convolution of f32: what lies under the window is gathered once for all outputs of a group, and
 * four outputs are summed beside each other. The sums are those of {@link Conv}, in double and in
 * the same order.
 */
final class ConvOfFloats implements Kernel {
  private static final int OUTPUTS = 4;

  private final Tensor x;
  private final Tensor w;
  private final Tensor bias;
  private final Tensor y;
  private final Windows windows;
  private final Patch patch;

  /** Elements of a channel of the input. */
  private final long size;

  /** Of the output. */
  private final long positions;

  private final int groups;

  /** Of a group. */
  private final int outputs;

  ConvOfFloats(Node node, Tensor x, Tensor w, Tensor bias, Tensor y) {
    this.x = x;
    this.w = w;
    this.bias = bias;
    this.y = y;
    Window window = Conv.window(node, x, w);
    long[] extents = Arrays.copyOfRange(x.shape().extents(), 2, x.shape().rank());
    this.windows = new Windows(window, extents);
    this.patch = new Patch((int) w.shape().extent(1), (int) window.size());
    this.size = Elements.product(x.shape(), 2, x.shape().rank());
    this.positions = window.positions();
    this.groups = (int) Conv.group(node);
    this.outputs = (int) w.shape().extent(0) / groups;
  }

  @Override
  public void run() {
    windows.forEachPosition(
        position -> {
          patch.cover(windows);
          for (long n = 0; n < x.shape().extent(0); n++) {
            for (int group = 0; group < groups; group++) {
              patch.gather(x.data(), (n * groups + group) * patch.channels * size, size);
              int end = (group + 1) * outputs;
              for (int first = group * outputs; first < end; first += OUTPUTS) {
                int count = Math.min(OUTPUTS, end - first);
                patch.start(bias, first, count);
                patch.multiply(w.data(), first, count);
                long to = (n * outputs * groups + first) * positions + position;
                for (int i = 0; i < count; i++) {
                  y.data()
                      .set(DType.FLOAT, (to + i * positions) * Float.BYTES, (float) patch.sums[i]);
                }
              }
            }
          }
        });
  }

  /** What lies under the window, without padding. */
  private static final class Patch {
    private final int channels;

    /** Elements of the window. */
    private final int plane;

    private final long[] elements;
    private final int[] taps;
    private final float[] values;
    private final double[] sums = new double[OUTPUTS];
    private int covered;

    Patch(int channels, int plane) {
      this.channels = channels;
      this.plane = plane;
      this.elements = new long[plane];
      this.taps = new int[plane];
      this.values = new float[Math.multiplyExact(channels, plane)];
    }

    void cover(Windows windows) {
      covered = 0;
      windows.forEachElement(
          (element, tap) -> {
            elements[covered] = element;
            taps[covered++] = (int) tap;
          });
    }

    /**
     * Gathers.
     *
     * @param from element where the group's first channel starts
     * @param size elements of a channel
     */
    void gather(MemorySegment x, long from, long size) {
      for (int c = 0, at = 0; c < channels; c++) {
        for (int i = 0; i < covered; i++) {
          values[at++] = x.get(DType.FLOAT, (from + c * size + elements[i]) * Float.BYTES);
        }
      }
    }

    /** Begins the sums of some outputs. */
    void start(Tensor bias, int first, int count) {
      for (int i = 0; i < count; i++) {
        sums[i] = bias == null ? 0 : bias.getDouble(first + i);
      }
    }

    /** Adds to the sums of some outputs; of fewer than four the last one is repeated. */
    void multiply(MemorySegment w, int first, int count) {
      long row = (long) channels * plane * Float.BYTES;
      long a = first * row;
      long b = (first + Math.min(1, count - 1)) * row;
      long c = (first + Math.min(2, count - 1)) * row;
      long d = (first + Math.min(3, count - 1)) * row;
      double sumA = sums[0];
      double sumB = sums[1];
      double sumC = sums[2];
      double sumD = sums[3];
      for (int channel = 0, at = 0; channel < channels; channel++) {
        for (int i = 0; i < covered; i++) {
          long tap = (channel * plane + taps[i]) * (long) Float.BYTES;
          double value = values[at++];
          sumA += value * w.get(DType.FLOAT, a + tap);
          sumB += value * w.get(DType.FLOAT, b + tap);
          sumC += value * w.get(DType.FLOAT, c + tap);
          sumD += value * w.get(DType.FLOAT, d + tap);
        }
      }
      sums[0] = sumA;
      sums[1] = sumB;
      sums[2] = sumC;
      sums[3] = sumD;
    }
  }
}
