package dev.filigree.image;

/**
 * How the pixels around a place are weighed when an image gets another size. When it gets smaller
 * the filter is stretched, so that every pixel counts: what Pillow does.
 */
public enum Filter {
  /** The pixel the place lies in. */
  NEAREST(0) {
    @Override
    double weight(double distance) {
      throw new IllegalStateException("one pixel is taken as it is");
    }
  },

  /** A triangle. */
  BILINEAR(1) {
    @Override
    double weight(double distance) {
      return Math.max(0, 1 - Math.abs(distance));
    }
  },

  /** R. Keys, Cubic Convolution Interpolation, 1981, with a = -0.5. */
  BICUBIC(2) {
    @Override
    double weight(double distance) {
      double x = Math.abs(distance);
      if (x < 1) {
        return (1.5 * x - 2.5) * x * x + 1;
      }
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    }
  };

  /** Pixels it reaches to either side. */
  final double reach;

  Filter(double reach) {
    this.reach = reach;
  }

  /** The weight of a pixel at a distance. */
  abstract double weight(double distance);

  /**
   * Resamples lines of pixels. Values are rounded to whole numbers from 0 to 255.
   *
   * @param lines how many there are
   * @param from first line's first value
   * @param lineStep values from one line to the next
   * @param step values from one pixel of a line to the next
   * @param length pixels of a line
   * @param wanted pixels of a line of the result, which is laid out {@code [lines, wanted]} with
   *     the steps that follow
   */
  void resample(
      byte[] pixels,
      int from,
      int lineStep,
      int step,
      int lines,
      int length,
      byte[] into,
      int to,
      int intoLineStep,
      int intoStep,
      int wanted) {
    double ratio = (double) length / wanted;
    double stretch = Math.max(1, ratio);
    double[] weights = new double[(int) Math.ceil(2 * reach * stretch) + 2];
    for (int i = 0; i < wanted; i++) {
      double center = (i + 0.5) * ratio;
      int first;
      int count;
      if (this == NEAREST) {
        first = Math.min(length - 1, (int) center);
        count = 1;
        weights[0] = 1;
      } else {
        first = Math.max(0, (int) (center - reach * stretch + 0.5));
        count = Math.min(length, (int) (center + reach * stretch + 0.5)) - first;
        double sum = 0;
        for (int k = 0; k < count; k++) {
          weights[k] = weight((first + k - center + 0.5) / stretch);
          sum += weights[k];
        }
        for (int k = 0; k < count; k++) {
          weights[k] /= sum;
        }
      }
      for (int line = 0; line < lines; line++) {
        double value = 0;
        int at = from + line * lineStep + first * step;
        for (int k = 0; k < count; k++) {
          value += weights[k] * (pixels[at + k * step] & 0xff);
        }
        into[to + line * intoLineStep + i * intoStep] =
            (byte) Math.clamp(Math.round(value), 0, 255);
      }
    }
  }
}
