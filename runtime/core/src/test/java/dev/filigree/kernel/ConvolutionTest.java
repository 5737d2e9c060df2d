package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.operator;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The convolution of f32 by patches sums what the plain one of f64 sums, in its order. */
final class ConvolutionTest {
  private static Tensor widened(Tensor floats) {
    Tensor wide = Tensor.zeros(DType.F64, floats.shape());
    for (long i = 0; i < floats.elements(); i++) {
      wide.setDouble(i, floats.getDouble(i));
    }
    return wide;
  }

  private static Tensor normal(Samples samples, long... extents) {
    return Tensor.of(samples.normal((int) Shape.of(extents).elements()), extents);
  }

  private static long[] shape(long first, long second, int axes, Samples samples, int most) {
    long[] extents = new long[axes + 2];
    extents[0] = first;
    extents[1] = second;
    for (int axis = 0; axis < axes; axis++) {
      extents[axis + 2] = samples.between(1, most);
    }
    return extents;
  }

  @Seeded(60)
  void patchesGiveThePlainSums(Samples samples) {
    int axes = samples.between(1, 3);
    int groups = samples.between(1, 3);
    int channels = samples.between(1, 3);
    int outputs = samples.between(1, 6);
    long[] kernel = shape((long) groups * outputs, channels, axes, samples, 3);
    long[] image = shape(samples.between(1, 3), (long) groups * channels, axes, samples, 5);
    for (int axis = 2; axis < image.length; axis++) {
      image[axis] += kernel[axis] * 2;
    }
    Map<String, Object> attributes = new HashMap<>();
    attributes.put("group", groups);
    attributes.put("strides", repeated(axes, samples.between(1, 2)));
    attributes.put("dilations", repeated(axes, samples.between(1, 2)));
    attributes.put("pads", repeated(2 * axes, samples.between(0, 2)));
    Tensor x = normal(samples, image);
    Tensor w = normal(samples, kernel);
    Tensor bias = samples.chance(0.5) ? normal(samples, kernel[0]) : null;
    Tensor wide =
        operator("Conv", 13, attributes)
            .to(widened(x), widened(w), bias == null ? null : widened(bias));
    float[] expected = new float[(int) wide.elements()];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = (float) wide.getDouble(i);
    }
    assertArrayEquals(expected, operator("Conv", 13, attributes).to(x, w, bias).toFloats());
  }

  private static List<Long> repeated(int count, long value) {
    return Collections.nCopies(count, value);
  }
}
