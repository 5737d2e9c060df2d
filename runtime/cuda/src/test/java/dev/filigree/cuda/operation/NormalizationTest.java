package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * LayerNorm and RMSNorm against the reference operator in double precision: within 1 unit in the
 * last place of the element type, or 2^-18 near zero, where f32 sums of values of size 1 cancel.
 */
class NormalizationTest extends OperationTest {
  private static final double NEAR_ZERO = 0x1p-18;
  private static final float EPSILON = 1e-5f;

  private static Tensor sum(Tensor x, Tensor residual) {
    Tensor sum = Tensor.zeros(DType.F32, x.shape());
    for (int i = 0; i < x.elements(); i++) {
      sum.setDouble(i, x.getDouble(i) + residual.getDouble(i));
    }
    return sum;
  }

  private static Tensor reference(Tensor x, float[] scale, float[] bias, DType dtype) {
    var node =
        GraphBuilder.node(
            "LayerNormalization",
            Map.of("epsilon", EPSILON),
            List.of("x", "scale", "bias"),
            List.of("y"));
    Tensor result =
        Interpreter.run(
            node,
            17,
            new Tensor[] {x, Tensor.of(scale, scale.length), Tensor.of(bias, bias.length)})[0];
    return rounded(result, dtype);
  }

  private static Tensor rounded(Tensor x, DType dtype) {
    Tensor rounded = Tensor.zeros(dtype, x.shape());
    for (int i = 0; i < x.elements(); i++) {
      rounded.setDouble(i, x.getDouble(i));
    }
    return rounded;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1", "2, 2", "3, 3", "4, 7", "5, 8", "7, 9", "9, 15", "1, 16", "6, 17", "2, 31", "2, 33",
    "8, 384", "3, 768", "2, 769", "3, 1000", "2, 1024", "1, 1025", "2, 4099"
  })
  void normalisesRowsOfAnyLength(int tokens, int columns) {
    Samples samples = new Samples(tokens * 10_007L + columns);
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      Tensor x = normal(samples, dtype, tokens, columns);
      float[] scale = samples.normal(columns);
      float[] bias = samples.normal(columns);
      Rows y = room(dtype, Shape.of(tokens, columns), 2);
      run(
          Normalization.layer(
              kernels,
              upload(x),
              null,
              parameters(scale),
              parameters(bias),
              null,
              new Normalization.Results(y),
              EPSILON));
      assertNear(reference(x, scale, bias, dtype), download(y, tokens, columns), 1, NEAR_ZERO);
    }
  }

  /** The residual stream of a network that normalises last: f32 in, f32 and f16 out. */
  @ParameterizedTest
  @CsvSource({"1, 1", "3, 5", "2, 31", "5, 384", "2, 770", "1, 1025", "2, 2500"})
  void normalisesF32AndGivesBothForms(int tokens, int columns) {
    Samples samples = new Samples(columns);
    for (DType dtype : List.of(DType.F32, DType.F16)) {
      Tensor x = normal(samples, dtype, tokens, columns);
      float[] scale = samples.normal(columns);
      float[] bias = samples.normal(columns);
      Rows y = room(DType.F16, Shape.of(tokens, columns), 1);
      Rows exact = room(DType.F32, Shape.of(tokens, columns), 3);
      Rows alone = room(DType.F32, tokens, columns);
      long parameters = parameters(scale);
      long shifts = parameters(bias);
      Rows from = upload(x);
      run(
          Normalization.layer(
              kernels,
              from,
              null,
              parameters,
              shifts,
              null,
              new Normalization.Results(y, exact),
              EPSILON));
      run(
          Normalization.layer(
              kernels,
              from,
              null,
              parameters,
              shifts,
              null,
              new Normalization.Results(null, alone),
              EPSILON));
      Tensor expected = reference(rounded(x, DType.F32), scale, bias, DType.F32);
      Tensor found = download(exact, tokens, columns);
      assertNear(expected, found, 4, NEAR_ZERO);
      assertSame(found, download(alone, tokens, columns));
      assertSame(rounded(found, DType.F16), download(y, tokens, columns));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16"})
  void addsTheResidualFirstAndKeepsTheSum(DType dtype) {
    Samples samples = new Samples(3);
    for (int columns : new int[] {100, 1500}) {
      Tensor x = normal(samples, dtype, 5, columns);
      Tensor residual = normal(samples, dtype, 5, columns);
      float[] scale = samples.normal(columns);
      float[] bias = samples.normal(columns);
      Rows sum = room(dtype, 5, columns);
      Rows y = room(dtype, 5, columns);
      run(
          Normalization.layer(
              kernels,
              upload(x),
              upload(residual),
              parameters(scale),
              parameters(bias),
              sum,
              new Normalization.Results(y),
              EPSILON));
      Tensor exact = sum(x, residual);
      assertSame(rounded(exact, dtype), download(sum, 5, columns));
      assertNear(reference(exact, scale, bias, dtype), download(y, 5, columns), 1, NEAR_ZERO);
    }
  }

  @ParameterizedTest
  @CsvSource({"3, 9", "2, 384", "1, 1030"})
  void dividesByTheRootOfTheMeanSquare(int tokens, int columns) {
    Samples samples = new Samples(columns);
    Tensor x = normal(samples, DType.F16, tokens, columns);
    float[] scale = samples.normal(columns);
    Rows y = room(DType.F16, tokens, columns);
    run(
        Normalization.rms(
            kernels,
            upload(x),
            null,
            parameters(scale),
            0,
            null,
            new Normalization.Results(y),
            EPSILON));
    Tensor expected = Tensor.zeros(DType.F16, x.shape());
    for (int t = 0; t < tokens; t++) {
      double squares = 0;
      for (int c = 0; c < columns; c++) {
        squares += Math.pow(x.getDouble((long) t * columns + c), 2);
      }
      double inverse = 1 / Math.sqrt(squares / columns + EPSILON);
      for (int c = 0; c < columns; c++) {
        long i = (long) t * columns + c;
        expected.setDouble(i, x.getDouble(i) * inverse * scale[c]);
      }
    }
    assertNear(expected, download(y, tokens, columns), 1, 0);
  }

  @Test
  void aNaNOrInfinityStaysInItsRow() {
    Samples samples = new Samples(1);
    Tensor x = normal(samples, DType.F16, 4, 40);
    x.setDouble(40, Double.NaN);
    x.setDouble(2 * 40 + 39, Double.POSITIVE_INFINITY);
    float[] scale = samples.normal(40);
    float[] bias = samples.normal(40);
    Rows y = room(DType.F16, 4, 40);
    run(
        Normalization.layer(
            kernels,
            upload(x),
            null,
            parameters(scale),
            parameters(bias),
            null,
            new Normalization.Results(y),
            EPSILON));
    assertNear(reference(x, scale, bias, DType.F16), download(y, 4, 40), 1, NEAR_ZERO);
  }

  @Test
  void aConstantRowBecomesTheBias() {
    Tensor x = Tensor.zeros(DType.F16, Shape.of(1, 20));
    for (int i = 0; i < 20; i++) {
      x.setDouble(i, 3);
    }
    float[] bias = new Samples(2).normal(20);
    Rows y = room(DType.F16, 1, 20);
    run(
        Normalization.layer(
            kernels,
            upload(x),
            null,
            0,
            parameters(bias),
            null,
            new Normalization.Results(y),
            EPSILON));
    Tensor expected = Tensor.zeros(DType.F16, x.shape());
    for (int i = 0; i < 20; i++) {
      expected.setDouble(i, bias[i]);
    }
    assertSame(expected, download(y, 1, 20));
  }
}
