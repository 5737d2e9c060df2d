package dev.filigree.kernel.image;

import dev.filigree.Tensor;
import dev.filigree.kernel.Kernel;
import java.util.Arrays;

/** Makes each element of the result of the elements that the taps of its axes name. */
final class Resampler implements Kernel {
  private final Tensor x;
  private final Tensor y;
  private final Taps[] taps;
  private final double outside;
  private final long[] strides;
  private final int[] index;

  Resampler(Tensor x, Tensor y, Taps[] taps, double outside) {
    this.x = x;
    this.y = y;
    this.taps = taps;
    this.outside = outside;
    this.strides = x.shape().strides();
    this.index = new int[taps.length];
  }

  @Override
  public void run() {
    Arrays.fill(index, 0);
    for (long i = 0, n = y.elements(); i < n; i++) {
      if (isInside()) {
        y.setDouble(i, sum(0, 0));
      } else {
        y.setDouble(i, outside);
      }
      for (int a = index.length - 1; a >= 0 && ++index[a] == y.shape().extent(a); a--) {
        index[a] = 0;
      }
    }
  }

  private boolean isInside() {
    for (int axis = 0; axis < taps.length; axis++) {
      if (taps[axis].elements()[index[axis]] == null) {
        return false;
      }
    }
    return true;
  }

  private double sum(int axis, long at) {
    if (axis == taps.length) {
      return x.getDouble(at);
    }
    int[] elements = taps[axis].elements()[index[axis]];
    double[] weights = taps[axis].weights()[index[axis]];
    if (elements.length == 1 && weights[0] == 1) {
      return sum(axis + 1, at + elements[0] * strides[axis]);
    }
    double sum = 0;
    for (int t = 0; t < elements.length; t++) {
      sum += weights[t] * sum(axis + 1, at + elements[t] * strides[axis]);
    }
    return sum;
  }
}
