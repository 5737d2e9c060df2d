package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.testing.Samples;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Resampling by tables of taps against loops in double precision. */
class ResizingTest extends OperationTest {
  private static final float OUTSIDE = -3;

  private record Axis(int[] elements, float[] weights, int count) {}

  /** Random taps; the second place lies outside if there is one. */
  private static Axis axis(Samples samples, int from, int to, int count) {
    int[] elements = new int[to * count];
    float[] weights = samples.normal(to * count);
    for (int i = 0; i < elements.length; i++) {
      elements[i] = samples.between(0, from - 1);
    }
    if (to > 3) {
      elements[count] = -1;
    }
    return new Axis(elements, weights, count);
  }

  private Resizing.Axis upload(Axis axis) {
    return new Resizing.Axis(
        upload(axis.elements).address(), upload(axis.weights).address(), axis.count);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void sumsWhatTheTapsName(int taps) {
    Samples samples = new Samples(taps);
    for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
      for (int channels : new int[] {1, 8, 13}) {
        Tensor x = normal(samples, dtype, 2, 5, 4, channels);
        Axis down = axis(samples, 5, 7, taps);
        Axis across = axis(samples, 4, 3, taps);
        Tensor expected = Tensor.zeros(dtype, Shape.of(2, 7, 3, channels));
        for (int i = 0; i < expected.elements(); i++) {
          int c = i % channels;
          int ow = i / channels % 3;
          int oh = i / channels / 3 % 7;
          int b = i / channels / 21;
          double sum = 0;
          for (int t = 0; t < taps * taps; t++) {
            int r = oh * taps + t / taps;
            int k = ow * taps + t % taps;
            long at = (((long) b * 5 + Math.max(0, down.elements[r])) * 4 + across.elements[k]);
            sum += (double) down.weights[r] * across.weights[k] * x.getDouble(at * channels + c);
          }
          expected.setDouble(i, down.elements[oh * taps] < 0 ? OUTSIDE : sum);
        }
        Rows y = room(dtype, expected.shape(), 1);
        run(
            Resizing.resize(
                kernels,
                upload(down),
                upload(across),
                OUTSIDE,
                upload(x),
                new Extent(5, 4),
                y,
                new Extent(7, 3)));
        assertNear(expected, download(y, 2, 7, 3, channels), 1, 1e-5);
      }
    }
  }
}
