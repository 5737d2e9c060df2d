package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Layer normalisation and softmax. */
final class NormalizationTest {
  private static final int[] FEATURES = {1, 2, 3, 4, 5, 7, 15, 16, 17, 63, 64, 65, 384};

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  private int[] widths() {
    int[] widths = {1, vector.lanes(), 2 * vector.lanes(), Panels.FULL};
    return Arrays.stream(widths).distinct().toArray();
  }

  /** Compares layer normalisations into another panel and in place. */
  private void compareNormalisation(
      String what, float[] values, int width, float epsilon, float[] scale, float[] bias) {
    int features = scale.length;
    double[] errors = new double[values.length];
    for (int i = 0; i < errors.length; i++) {
      double shift = bias == null ? 0 : Math.abs(bias[i / width]);
      double factor = Math.abs(scale[i / width]) * condition(values, width, i % width, epsilon);
      errors[i] = 1e-6 * (factor + shift);
    }
    Operands operands = new Operands();
    long x = operands.place(values);
    long y = operands.place(new float[values.length]);
    for (long output : new long[] {x, y}) {
      Operands.Action action =
          (kernels, memory) ->
              kernels.layerNormalization(memory, x, output, width, features, scale, bias, epsilon);
      Operands.assertClose(
          what + " of " + width + " tokens, " + features + " features",
          operands.run(scalar, output, action),
          operands.run(vector, output, action),
          errors);
    }
  }

  /** How much the roundings of a token's features weigh after normalisation. */
  private static double condition(float[] values, int width, int token, float epsilon) {
    int features = values.length / width;
    double sum = 0;
    double squares = 0;
    double most = 0;
    for (int f = 0; f < features; f++) {
      double value = values[f * width + token];
      sum += value;
      squares += value * value;
      most = Math.max(most, Math.abs(value));
    }
    double mean = sum / features;
    return most / Math.sqrt(Math.max(0, squares / features - mean * mean) + epsilon);
  }

  @Test
  void layerNormalisationFollowsItsTwin() {
    SplittableRandom random = Legs.random("layer normalisation");
    for (int width : widths()) {
      for (int features : FEATURES) {
        float[] values = Legs.normal(random, width * features);
        float[] scale = Legs.normal(random, features);
        float[] bias = Legs.normal(random, features);
        compareNormalisation("normal values", values, width, 1e-5f, scale, bias);
        compareNormalisation("no bias", values, width, 1e-12f, scale, null);
      }
    }
  }

  @Test
  void aTokenOfEqualFeaturesBecomesTheBias() {
    for (int width : widths()) {
      for (int features : FEATURES) {
        float[] values = new float[width * features];
        float[] scale = Legs.floats(features, i -> 1 + i);
        float[] bias = Legs.floats(features, i -> 0.5 * i);
        for (float value : new float[] {0, -0f, 8, -1024}) {
          Arrays.fill(values, value);
          Operands operands = new Operands();
          long x = operands.place(values);
          float[] y =
              operands.run(
                  vector,
                  x,
                  (kernels, memory) ->
                      kernels.layerNormalization(
                          memory, x, x, width, features, scale, bias, 1e-5f));
          for (int i = 0; i < y.length; i++) {
            assertEquals(bias[i / width], y[i], "of " + value);
          }
        }
      }
    }
  }

  @Test
  void oneBadTokenSpoilsNoOther() {
    SplittableRandom random = Legs.random("bad token");
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int width : widths()) {
        for (int features : new int[] {5, 65}) {
          float[] values = Legs.normal(random, width * features);
          values[width * features - 1] = bad;
          float[] scale = Legs.normal(random, features);
          compareNormalisation("a token with " + bad, values, width, 1e-5f, scale, null);
        }
      }
    }
  }

  @Test
  void tinyAndLargeFeaturesAreNormalisedToo() {
    SplittableRandom random = Legs.random("sizes of features");
    for (int width : widths()) {
      for (double size : new double[] {1e-30, 1e-3, 1e6, 1e15}) {
        int features = 65;
        float[] values = Legs.floats(width * features, i -> size * random.nextGaussian());
        float[] scale = Legs.normal(random, features);
        compareNormalisation("size " + size, values, width, 1e-5f, scale, scale);
      }
    }
  }

  private static final int[] COUNTS = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 65, 200, 384};

  /** Compares softmaxes at several alignments, into another row and in place. */
  private void compareSoftmax(String what, float[] values) {
    double[] errors = new double[values.length];
    Arrays.fill(errors, 5e-7);
    for (int shift = 0; shift < 3; shift++) {
      Operands operands = new Operands();
      long x = operands.place(values, shift);
      long y = operands.place(new float[values.length], 3);
      for (long output : new long[] {x, y}) {
        Operands.Action action =
            (kernels, memory) -> kernels.softmax(memory, x, output, values.length);
        Operands.assertClose(
            "softmax of " + values.length + ", " + what,
            operands.run(scalar, output, action),
            operands.run(vector, output, action),
            errors);
      }
    }
  }

  @Test
  void softmaxFollowsItsTwin() {
    SplittableRandom random = Legs.random("softmax");
    for (int count : COUNTS) {
      float[] values = Legs.floats(count, i -> 5 * random.nextGaussian());
      compareSoftmax("normal values", values);
      compareSoftmax("equal values", new float[count]);
      float[] masked = values.clone();
      for (int i = 0; i < count - 1; i += 2) {
        masked[i] = Float.NEGATIVE_INFINITY;
      }
      compareSoftmax("masked by minus infinity", masked);
      for (int i = 0; i < count - 1; i += 2) {
        masked[i] = -Float.MAX_VALUE;
      }
      compareSoftmax("masked by the least float", masked);
      compareSoftmax("huge values", Legs.floats(count, i -> 1e38 * (i % 3)));
    }
  }

  @Test
  void softmaxOfNothingFiniteIsUndefinedAsItsTwinsIs() {
    for (int count : COUNTS) {
      float[] values = new float[count];
      Arrays.fill(values, Float.NEGATIVE_INFINITY);
      compareSoftmax("minus infinity", values);
      values[count / 2] = Float.NaN;
      compareSoftmax("NaN", values);
      values[count / 2] = Float.POSITIVE_INFINITY;
      compareSoftmax("infinity", values);
    }
  }
}
