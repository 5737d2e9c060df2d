package dev.filigree.cuda.linear;

import dev.filigree.DType;
import dev.filigree.kernels.cuda.WeightsForm.Values;
import dev.filigree.weights.Weights;
import org.junit.jupiter.api.Assertions;

/**
 * What a kernel of a linear layer must give: one product after the other, stored weights only, in
 * double precision.
 */
final class LinearTwin {
  /** Of an f32 sum whose products are added in another order and truncated: two for each term. */
  private static final double SUM_ERROR = Math.ulp(1f);

  /** Units in the last place of the result: rounding to it, and the fast exponential before. */
  private static final double RESULT_ULPS = 1;

  private LinearTwin() {}

  /**
   * Compares results with the twin. A result may be off by one unit in its last place and by an f32
   * rounding for each term of its sum, relative to the sum of the products' magnitudes.
   *
   * @param values how the kernel's weights are encoded: 16-bit weights are rounded to their type
   */
  static void assertSame(LinearCase layer, Values values, float[] results) {
    Weights weights = layer.weights();
    int columns = weights.columns();
    int rows = weights.rows();
    float[] w = new float[columns];
    for (int row = 0; row < rows; row++) {
      weights.unpackRow(row, w, 0);
      switch (values) {
        case F16 -> round(DType.F16, w);
        case BF16 -> round(DType.BF16, w);
        default -> {}
      }
      for (int t = 0; t < layer.tokens(); t++) {
        double tokenScale = layer.tokenScales() == null ? 1 : layer.tokenScales()[t];
        double sum = layer.bias() == null ? 0 : layer.bias()[row];
        double magnitude = Math.abs(sum);
        for (int k = 0; k < columns; k++) {
          if (weights.keeps(row, k)) {
            double product = w[k] * tokenScale * layer.x()[t * columns + k];
            sum += product;
            magnitude += Math.abs(product);
          }
        }
        if (layer.residual() != null) {
          sum += layer.residual()[t * rows + row];
          magnitude += Math.abs(layer.residual()[t * rows + row]);
        }
        float expected = LinearCase.round(layer.result(), (float) layer.activation().apply(sum));
        float found = results[t * rows + row];
        double tolerance =
            RESULT_ULPS * ulp(layer.result(), expected)
                + (columns + 2) * SUM_ERROR * magnitude
                + codebookError(values, layer) * magnitude;
        boolean same = Float.compare(expected, found) == 0;
        if (!same && !(Math.abs((double) expected - found) <= tolerance)) {
          Assertions.fail(
              "token %d, output %d is %s instead of %s: off by %s, tolerance %s"
                  .formatted(t, row, found, expected, Math.abs(expected - found), tolerance));
        }
      }
    }
  }

  /**
   * Relative. Centroids are f32 and a kernel's are 16-bit: half a unit in the last place of each.
   */
  private static double codebookError(Values values, LinearCase layer) {
    return switch (values) {
      case CODEBOOK16, CODEBOOK256 -> ulp(layer.operand(), 1) / 2;
      // a scale of a group is rounded, and a code times it once more
      case I4, I8_GROUPS -> ulp(layer.operand(), 1);
      default -> 0;
    };
  }

  private static void round(DType dtype, float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = LinearCase.round(dtype, values[i]);
    }
  }

  /** A unit in the last place of a 16-bit number; the smallest one's for subnormal numbers. */
  static double ulp(DType dtype, float value) {
    if (dtype == DType.F32) {
      return Math.ulp(value);
    }
    int fraction = dtype == DType.BF16 ? 7 : 10;
    int smallest = dtype == DType.BF16 ? -126 : -14;
    return Math.scalb(1.0, Math.max(smallest, Math.getExponent(value)) - fraction);
  }
}
