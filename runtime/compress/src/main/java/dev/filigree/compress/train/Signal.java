package dev.filigree.compress.train;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.compress.algebra.Transposition;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Activations of a batch, feature by feature: {@code data[feature * positions + position]}, where
 * positions run over samples first and then over what lies inside a sample (tokens, or rows and
 * columns of an image). In this order every layer is one product of matrices, and loops over
 * positions read consecutive values.
 *
 * @param data f32 {@code [features, samples, inner...]}
 * @param features or channels
 * @param samples of the batch
 * @param inner extents inside a sample; none for vectors, one for texts, two for images
 */
record Signal(float[] data, int features, int samples, int... inner) {
  /** Positions of a feature. */
  int positions() {
    return samples * perSample();
  }

  /** Positions of a feature in one sample. */
  int perSample() {
    return Arrays.stream(inner).reduce(1, (a, b) -> a * b);
  }

  /** Other values of the same form. */
  Signal with(float[] other) {
    return new Signal(other, features, samples, inner);
  }

  /** Other values with as many features as fit. */
  Signal with(float[] other, int otherFeatures) {
    return new Signal(other, otherFeatures, samples, inner);
  }

  /**
   * A tensor as a signal: {@code [samples, features]}, {@code [samples, tokens, features]} or
   * {@code [samples, channels, height, width]}.
   */
  static Signal of(Tensor tensor) {
    Shape shape = tensor.shape();
    float[] values = tensor.contiguous().toFloats();
    int samples = (int) shape.extent(0);
    switch (shape.rank()) {
      case 2 -> {
        int features = (int) shape.extent(1);
        return new Signal(Transposition.of(values, samples, features), features, samples);
      }
      case 3 -> {
        int tokens = (int) shape.extent(1);
        int features = (int) shape.extent(2);
        return new Signal(
            Transposition.of(values, samples * tokens, features), features, samples, tokens);
      }
      case 4 -> {
        int channels = (int) shape.extent(1);
        int height = (int) shape.extent(2);
        int width = (int) shape.extent(3);
        float[] data = new float[values.length];
        int plane = height * width;
        for (int n = 0; n < samples; n++) {
          for (int c = 0; c < channels; c++) {
            System.arraycopy(
                values, (n * channels + c) * plane, data, (c * samples + n) * plane, plane);
          }
        }
        return new Signal(data, channels, samples, height, width);
      }
      default ->
          throw new UnsupportedException(
              "activations of shape " + shape + " cannot be trained through",
              "train networks over vectors, texts [samples, tokens, features] or images");
    }
  }

  /** This signal as a tensor with the axes that {@link #of} takes. */
  Tensor toTensor() {
    Shape shape;
    float[] values;
    if (inner.length == 2) {
      int plane = perSample();
      values = new float[data.length];
      for (int n = 0; n < samples; n++) {
        for (int c = 0; c < features; c++) {
          System.arraycopy(
              data, (c * samples + n) * plane, values, (n * features + c) * plane, plane);
        }
      }
      shape = Shape.of(samples, features, inner[0], inner[1]);
    } else {
      values = Transposition.of(data, features, positions());
      shape =
          inner.length == 0 ? Shape.of(samples, features) : Shape.of(samples, inner[0], features);
    }
    return Tensor.of(DType.F32, shape, MemorySegment.ofArray(values));
  }
}
