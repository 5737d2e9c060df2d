package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.assertTensor;
import static dev.filigree.kernel.Apply.longs;
import static dev.filigree.kernel.Apply.operator;
import static dev.filigree.kernel.Apply.tensor;
import static dev.filigree.kernel.Apply.vector;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Tensor;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Reductions, softmax and layer normalisation. */
final class ReductionTest {
  private static final Tensor MATRIX = tensor(DType.F32, new long[] {2, 3}, 1, 2, 6, 10, 20, 60);

  @Test
  void axesComeAsAnAttributeOrAnInput() {
    double[] rows = {3, 30};
    for (int axis : new int[] {1, -1}) {
      assertTensor(
          "f32[2, 1]", rows, operator("ReduceMean", 13, Map.of("axes", List.of(axis))).to(MATRIX));
      assertTensor(
          "f32[2]",
          rows,
          operator("ReduceMean", 13, Map.of("axes", List.of(axis), "keepdims", 0)).to(MATRIX));
      assertTensor("f32[2, 1]", rows, operator("ReduceMean", 18, Map.of()).to(MATRIX, longs(axis)));
    }
    // ReduceSum took its axes as an input five sets earlier
    assertTensor("f32[2, 1]", new double[] {9, 90}, operator("ReduceSum").to(MATRIX, longs(1)));
    assertTensor(
        "f32[2, 1]",
        new double[] {9, 90},
        operator("ReduceSum", 12, Map.of("axes", List.of(1))).to(MATRIX));
  }

  @Test
  void noAxesMeanAllOfThemUnlessToldOtherwise() {
    assertTensor("f32[1, 1]", new double[] {16.5}, operator("ReduceMean").to(MATRIX));
    assertTensor(
        "f32[]", new double[] {16.5}, operator("ReduceMean", 13, Map.of("keepdims", 0)).to(MATRIX));
    assertTensor(
        "f32[1, 1]", new double[] {16.5}, operator("ReduceMean", 18, Map.of()).to(MATRIX, longs()));
    assertTensor(
        "f32[2, 3]",
        new double[] {1, 2, 6, 10, 20, 60},
        operator("ReduceMean", 18, Map.of("noop_with_empty_axes", 1)).to(MATRIX, longs()));
  }

  @Test
  void anAxisThatDoesNotExistIsRefused() {
    for (int axis : new int[] {2, -3}) {
      operator("ReduceMean", 13, Map.of("axes", List.of(axis)))
          .refuses(GraphException.class, "names axis " + axis, MATRIX);
    }
  }

  @Test
  void theReductionOfNothingIsTheNeutralElement() {
    Tensor empty = tensor(DType.F32, new long[] {2, 0});
    Map<String, Object> last = Map.of("axes", List.of(1));
    double inf = Double.POSITIVE_INFINITY;
    assertTensor("f32[2, 1]", new double[] {-inf, -inf}, operator("ReduceMax", 13, last).to(empty));
    assertTensor("f32[2, 1]", new double[] {inf, inf}, operator("ReduceMin", 13, last).to(empty));
    assertTensor("f32[2, 1]", new double[] {1, 1}, operator("ReduceProd", 13, last).to(empty));
    assertTensor("f32[2, 1]", new double[] {0, 0}, operator("ReduceSum").to(empty, longs(1)));
    assertTensor(
        "f32[2, 1]",
        new double[] {Double.NaN, Double.NaN},
        operator("ReduceMean", 13, last).to(empty));
    Tensor integers = tensor(DType.I32, new long[] {1, 0});
    assertTensor(
        "i32[1, 1]", new long[] {Integer.MIN_VALUE}, operator("ReduceMax", 13, last).to(integers));
    assertTensor(
        "u8[1, 1]",
        new long[] {255},
        operator("ReduceMin", 13, last).to(tensor(DType.U8, new long[] {1, 0})));
  }

  @Test
  void largeIntegersAreReducedExactly() {
    long odd = (1L << 53) + 1;
    assertTensor("i64[1]", new long[] {odd}, operator("ReduceMax").to(longs(odd - 1, odd)));
    assertTensor("i64[1]", new long[] {odd + 2}, operator("ReduceSum").to(longs(odd, 1, 1)));
    assertTensor("i64[1]", new long[] {3 * odd}, operator("ReduceProd").to(longs(odd, 3)));
    assertTensor("i64[1]", new long[] {odd}, operator("ReduceMean").to(longs(odd, odd)));
  }

  @Test
  void rootsAndLogarithmsOfIntegersLoseTheirFractions() {
    Tensor x = vector(DType.I32, 3, 4, 1);
    assertTensor("i32[1]", new long[] {5}, operator("ReduceL2", 13, Map.of()).to(x));
    assertTensor("i32[1]", new long[] {2}, operator("ReduceLogSum", 13, Map.of()).to(x));
    Tensor nothing = vector(DType.I32, 3, -3);
    assertTensor(
        "i32[1]",
        new long[] {Integer.MIN_VALUE},
        operator("ReduceLogSum", 13, Map.of()).to(nothing));
  }

  @Test
  void theLogarithmOfASumOfExponentialsDoesNotOverflow() {
    assertTensor(
        "f32[1]",
        new double[] {1000 + Math.log(2)},
        operator("ReduceLogSumExp").to(vector(DType.F32, 1000, 1000)));
    double none = Double.NEGATIVE_INFINITY;
    assertTensor(
        "f32[1]",
        new double[] {none},
        operator("ReduceLogSumExp").to(vector(DType.F32, none, none)));
  }

  @Test
  void softmaxNormalisesTheRestTogetherBeforeSetThirteen() {
    Tensor x = tensor(DType.F32, new long[] {1, 2, 2});
    double[] quarters = {0.25, 0.25, 0.25, 0.25};
    double[] halves = {0.5, 0.5, 0.5, 0.5};
    assertTensor("f32[1, 2, 2]", quarters, operator("Softmax", 12, Map.of()).to(x));
    assertTensor("f32[1, 2, 2]", halves, operator("Softmax", 12, Map.of("axis", 2)).to(x));
    assertTensor("f32[1, 2, 2]", halves, operator("Softmax", 13, Map.of()).to(x));
    assertTensor("f32[1, 2, 2]", halves, operator("Softmax", 13, Map.of("axis", 1)).to(x));
    assertTensor(
        "f32[1, 2, 2]",
        new double[] {1, 1, 1, 1},
        operator("Softmax", 13, Map.of("axis", 0)).to(x));
  }

  @Test
  void softmaxOfLargeAndInfiniteNumbersIsFinite() {
    double inf = Double.POSITIVE_INFINITY;
    assertTensor(
        "f32[3]",
        new double[] {0.5, 0.5, 0},
        operator("Softmax").to(vector(DType.F32, 3e38, 3e38, -inf)));
    assertTensor(
        "f32[2]",
        new double[] {-Math.log(2), -Math.log(2)},
        operator("LogSoftmax").to(vector(DType.F32, -3e38, -3e38)));
  }

  @Test
  void softmaxOfAnEmptyTensorIsEmpty() {
    for (int opset : new int[] {11, 13}) {
      for (int axis = 0; axis < 3; axis++) {
        Tensor empty = tensor(DType.F32, new long[] {2, 0, 3});
        Tensor y = operator("Softmax", opset, Map.of("axis", axis)).to(empty);
        assertEquals("f32[2, 0, 3]", y.toString());
      }
    }
  }

  @Test
  void layerNormalisationBroadcastsItsScaleAsArithmeticDoes() {
    Tensor x = tensor(DType.F32, new long[] {2, 2}, 1, 3, 10, 30);
    Tensor rows = tensor(DType.F32, new long[] {2, 1}, 1, 100);
    Tensor[] y =
        operator("LayerNormalization", 17, Map.of("axis", 0, "epsilon", 0f))
            .outputs(3, x, rows, tensor(DType.F32, new long[] {2, 1}, 0, 5));
    double mean = 11;
    double deviation = Math.sqrt((100 + 64 + 1 + 361) / 4.0);
    assertTensor(
        "f32[2, 2]",
        new double[] {-10 / deviation, -8 / deviation, 5 - 100 / deviation, 5 + 1900 / deviation},
        y[0]);
    assertTensor("f32[1, 1]", new double[] {mean}, y[1]);
    assertTensor("f32[1, 1]", new double[] {1 / deviation}, y[2]);
  }

  @Test
  void momentsOfHalfPrecisionAreKeptInFloat() {
    Tensor[] y =
        operator("LayerNormalization", 17, Map.of("epsilon", 0f))
            .outputs(3, vector(DType.F16, 1, 3), vector(DType.F16, 1, 1));
    assertTensor("f16[2]", new double[] {-1, 1}, y[0]);
    assertTensor("f32[1]", new double[] {2}, y[1]);
    assertTensor("f32[1]", new double[] {1}, y[2]);
  }
}
