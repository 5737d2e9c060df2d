package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.assertTensor;
import static dev.filigree.kernel.Apply.longs;
import static dev.filigree.kernel.Apply.operator;
import static dev.filigree.kernel.Apply.tensor;
import static dev.filigree.kernel.Apply.vector;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Matrix products and quantisation. */
final class ProductTest {
  @Test
  void vectorsAreMatricesOfOneRowOrColumn() {
    Tensor m = tensor(DType.F32, new long[] {2, 3}, 1, 2, 3, 4, 5, 6);
    assertTensor(
        "f32[2]", new double[] {14, 32}, operator("MatMul").to(m, vector(DType.F32, 1, 2, 3)));
    assertTensor(
        "f32[3]", new double[] {9, 12, 15}, operator("MatMul").to(vector(DType.F32, 1, 2), m));
    assertTensor(
        "f32[]",
        new double[] {11},
        operator("MatMul").to(vector(DType.F32, 1, 2), vector(DType.F32, 3, 4)));
  }

  @Test
  void leadingAxesBroadcast() {
    Tensor a = tensor(DType.I32, new long[] {2, 1, 1, 2}, 1, 2, 3, 4);
    Tensor b = tensor(DType.I32, new long[] {3, 2, 1}, 1, 1, 10, 10, 100, 100);
    assertTensor(
        "i32[2, 3, 1, 1]", new long[] {3, 30, 300, 7, 70, 700}, operator("MatMul").to(a, b));
  }

  @Test
  void emptyProductsAreZeroOrEmpty() {
    Tensor tall = tensor(DType.F32, new long[] {2, 0});
    Tensor wide = tensor(DType.F32, new long[] {0, 2});
    assertTensor("f32[2, 2]", new double[4], operator("MatMul").to(tall, wide));
    assertEquals("f32[0, 0]", operator("MatMul").to(wide, tall).toString());
    Tensor bias = vector(DType.F32, 1, 2);
    assertTensor("f32[2, 2]", new double[] {1, 2, 1, 2}, operator("Gemm").to(tall, wide, bias));
  }

  @Test
  void innerExtentsThatDifferAreRefused() {
    Tensor m = tensor(DType.F32, new long[] {2, 3});
    operator("MatMul").refuses(GraphException.class, "3 and 2", m, m);
    operator("Gemm").refuses(GraphException.class, "3 and 2", m, m);
    operator("MatMul").refuses(GraphException.class, "scalar", m, Tensor.of(new float[] {1}));
    operator("MatMul")
        .refuses(GraphException.class, "type", m, tensor(DType.F16, new long[] {3, 2}));
  }

  @Test
  void zeroPointsOfBytesAreTakenForRowsAndColumns() {
    Tensor a = tensor(DType.U8, new long[] {2, 2}, 255, 0, 1, 2);
    Tensor b = tensor(DType.I8, new long[] {2, 2}, -128, 127, 1, 2);
    Tensor rows = vector(DType.U8, 255, 1);
    Tensor columns = vector(DType.I8, -128, 2);
    assertTensor(
        "i32[2, 2]",
        new long[] {0 * 0 - 255 * 129, 0 * 125 - 255 * 0, 0 * 0 + 1 * 129, 0 * 125 + 1 * 0},
        operator("MatMulInteger").to(a, b, rows, columns));
    assertTensor(
        "i32[2, 2]", new long[] {-32640, 32385, -126, 131}, operator("MatMulInteger").to(a, b));
  }

  @Test
  void zeroPointsThatDoNotFitAreRefused() {
    Tensor a = tensor(DType.U8, new long[] {2, 2});
    Tensor b = tensor(DType.I8, new long[] {2, 3});
    Tensor three = vector(DType.U8, 1, 2, 3);
    operator("MatMulInteger").refuses(GraphException.class, "3 zero points", a, b, three);
    operator("MatMulInteger")
        .refuses(UnsupportedException.class, "zero points", a, b, null, vector(DType.U8, 1));
  }

  @Test
  void dynamicQuantisationCoversItsRangeAndZero() {
    Tensor[] q = operator("DynamicQuantizeLinear").outputs(3, vector(DType.F32, 0, 2, -3, 1));
    assertTensor("f32[]", new double[] {(float) 5 / 255}, q[1]);
    assertTensor("u8[]", new long[] {153}, q[2]);
    assertTensor("u8[4]", new long[] {153, 255, 0, 204}, q[0]);
    Tensor[] positive = operator("DynamicQuantizeLinear").outputs(3, vector(DType.F32, 2.55, 1));
    assertTensor("u8[]", new long[] {0}, positive[2]);
    Tensor[] zeros = operator("DynamicQuantizeLinear").outputs(3, vector(DType.F32, 0, 0));
    assertTensor("f32[]", new double[] {1}, zeros[1]);
    assertTensor("u8[2]", new long[] {0, 0}, zeros[0]);
    Tensor[] none = operator("DynamicQuantizeLinear").outputs(3, vector(DType.F32));
    assertTensor("f32[]", new double[] {1}, none[1]);
  }

  @Test
  void dynamicQuantisationOfTheSmallestFloatsSaturates() {
    // the range over 255 rounds to no scale at all
    double tiny = Float.MIN_VALUE;
    Tensor[] q = operator("DynamicQuantizeLinear").outputs(3, vector(DType.F32, tiny, 0));
    assertTensor("f32[]", new double[] {0}, q[1]);
    assertTensor("u8[2]", new long[] {255, 0}, q[0]);
  }

  @Seeded(100)
  void dynamicQuantisationIsOffByHalfAStepAtMost(Samples samples) {
    float[] values = samples.normal(samples.between(1, 40));
    Tensor[] q = operator("DynamicQuantizeLinear").outputs(3, Tensor.of(values, values.length));
    double scale = q[1].getDouble(0);
    for (int i = 0; i < values.length; i++) {
      double back = (q[0].getLong(i) - q[2].getLong(0)) * scale;
      // rounding of the zero point may cost another half at the ends of the range
      assertTrue(Math.abs(back - values[i]) <= scale * 1.001, values[i] + " became " + back);
    }
  }

  @Test
  void quantisationRoundsHalfToEvenAndSaturates() {
    Tensor x = vector(DType.F32, 1, 3, -1, 1000, -1000, Double.NaN);
    Tensor two = Tensor.of(new float[] {2});
    assertTensor("u8[6]", new long[] {0, 2, 0, 255, 0, 0}, operator("QuantizeLinear").to(x, two));
    Tensor zero = tensor(DType.I8, new long[0], 1);
    assertTensor(
        "i8[6]",
        new long[] {1, 3, 1, 127, -128, -128},
        operator("QuantizeLinear").to(x, two, zero));
  }

  @Test
  void dequantisationTakesAScaleForEachIndexOfAnAxis() {
    Tensor x = tensor(DType.I8, new long[] {2, 2}, -128, 127, 1, 2);
    Tensor scales = vector(DType.F32, 1, 0.5);
    Tensor zeros = vector(DType.I8, -128, 1);
    assertTensor(
        "f32[2, 2]",
        new double[] {0, 63, 129, 0.5},
        operator("DequantizeLinear").to(x, scales, zeros));
    assertTensor(
        "f32[2, 2]",
        new double[] {0, 255, 0, 0.5},
        operator("DequantizeLinear", 13, Map.of("axis", 0)).to(x, scales, zeros));
    assertTensor(
        "f32[1]",
        new double[] {-2147483648.0 * 0.5},
        operator("DequantizeLinear")
            .to(vector(DType.I32, Integer.MIN_VALUE), Tensor.of(new float[] {0.5f})));
  }

  @Test
  void scalesThatDoNotFitAreRefused() {
    Tensor x = tensor(DType.I8, new long[] {2, 2});
    operator("DequantizeLinear")
        .refuses(GraphException.class, "[3] scales", x, vector(DType.F32, 1, 2, 3));
    operator("DequantizeLinear")
        .refuses(
            GraphException.class,
            "type of the codes",
            x,
            Tensor.of(new float[] {1}),
            tensor(DType.U8, new long[0], 1));
    operator("DequantizeLinear")
        .refuses(
            GraphException.class, "zero points", x, vector(DType.F32, 1, 2), vector(DType.I8, 1));
    operator("QuantizeLinear")
        .refuses(UnsupportedException.class, "converts", longs(1), Tensor.of(new float[] {1}));
  }

  /** More products of the largest bytes than an int can add up. */
  @Test
  void longSumsOfBytesAreExact() {
    int k = 70_000;
    Tensor a = Tensor.zeros(DType.U8, Shape.of(2, k));
    Tensor b = Tensor.zeros(DType.U8, Shape.of(k, 1));
    for (int i = 0; i < k; i++) {
      a.setLong(i, 255);
      a.setLong(k + i, i % 2);
      b.setLong(i, 255);
    }
    Tensor one = Tensor.of(new float[] {1});
    Tensor large = Tensor.of(new float[] {20_000_000});
    Tensor zero = Tensor.zeros(DType.U8, Shape.of());
    // 70,000 times 255 times 255 is 4,551,750,000, which is 227.6 times 20,000,000
    assertTensor(
        "u8[2, 1]",
        new long[] {228, 0},
        operator("QLinearMatMul").to(a, one, zero, b, one, zero, large, zero));
  }
}
