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
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Operators that move, take or count elements. */
final class ShapeOperatorsTest {
  private static final long MAX = Long.MAX_VALUE;
  private static final long MIN = Long.MIN_VALUE;

  @ParameterizedTest
  @CsvSource({
    "1, 3, 1, 1 2",
    "0, 9223372036854775807, 1, 0 1 2 3 4",
    "-9223372036854775808, 9223372036854775807, 1, 0 1 2 3 4",
    "-2, 9223372036854775807, 1, 3 4",
    "0, -1, 1, 0 1 2 3",
    "3, 1, 1, ''",
    "9223372036854775807, 9223372036854775807, 1, ''",
    "4, -9223372036854775808, -1, 4 3 2 1 0",
    "9223372036854775807, -9223372036854775808, -2, 4 2 0",
    "-1, 0, -1, 4 3 2 1",
    "0, 5, 9223372036854775807, 0",
    "4, -9223372036854775808, -9223372036854775808, 4",
    "1, 5, 3, 1 4"
  })
  void boundsAreClampedAndCountFromTheEnd(long start, long end, long step, String expected) {
    Tensor x = vector(DType.F32, 0, 1, 2, 3, 4);
    Tensor y = operator("Slice").to(x, longs(start), longs(end), longs(0), longs(step));
    List<Long> values = new ArrayList<>();
    for (String value : expected.isEmpty() ? new String[0] : expected.split(" ")) {
      values.add(Long.valueOf(value));
    }
    assertTensor(
        "f32[" + values.size() + "]", values.stream().mapToLong(Long::longValue).toArray(), y);
  }

  @Seeded(200)
  void slicesAgreeWithTheDefinition(Samples samples) {
    int n = samples.between(0, 7);
    long[] content = new long[n];
    for (int i = 0; i < n; i++) {
      content[i] = 100 + i;
    }
    long start = samples.between(-9, 9);
    long end = samples.between(-9, 9);
    long step = samples.oneOf(List.of(-3, -2, -1, 1, 2, 3));
    // the specification clamps a start to the axis and lets an end lie one before it
    long last = step > 0 ? n : Math.max(0, n - 1);
    long from = Math.clamp(start < 0 ? start + n : start, 0, last);
    long to = Math.clamp(end < 0 ? end + n : end, step > 0 ? 0 : -1, last);
    List<Long> expected = new ArrayList<>();
    for (long i = from; step > 0 ? i < to : i > to; i += step) {
      if (i >= 0 && i < n) {
        expected.add(content[(int) i]);
      }
    }
    Tensor y =
        operator("Slice").to(longs(content), longs(start), longs(end), longs(-1), longs(step));
    assertTensor(
        "i64[" + expected.size() + "]", expected.stream().mapToLong(Long::longValue).toArray(), y);
  }

  @Test
  void slicesOfTheOldFormTakeAttributes() {
    Tensor x = tensor(DType.I32, new long[] {2, 3}, 1, 2, 3, 4, 5, 6);
    Map<String, Object> attributes =
        Map.of("axes", List.of(-1, 0), "starts", List.of(1, -1), "ends", List.of(MAX, MAX));
    assertTensor("i32[1, 2]", new long[] {5, 6}, operator("Slice", 9, attributes).to(x));
  }

  @Test
  void slicesThatContradictThemselvesAreRefused() {
    Tensor x = tensor(DType.F32, new long[] {3, 3});
    operator("Slice")
        .refuses(GraphException.class, "step 0", x, longs(0), longs(1), longs(0), longs(0));
    operator("Slice")
        .refuses(GraphException.class, "axis 0 twice", x, longs(0, 0), longs(1, 1), longs(0, 0));
    operator("Slice")
        .refuses(GraphException.class, "axis 0 twice", x, longs(0, 0), longs(1, 1), longs(0, -2));
    operator("Slice").refuses(GraphException.class, "starts", x, longs(0, 0), longs(1));
    operator("Slice").refuses(GraphException.class, "axis 2", x, longs(0), longs(1), longs(2));
  }

  @Test
  void gatherTakesNegativeIndicesAndAnyAxis() {
    Tensor x = tensor(DType.F32, new long[] {2, 3}, 1, 2, 3, 4, 5, 6);
    assertTensor(
        "f32[3]", new double[] {4, 5, 6}, operator("Gather").to(x, Tensor.of(new long[] {-1})));
    assertTensor(
        "f32[2, 2]",
        new double[] {3, 1, 6, 4},
        operator("Gather", 13, Map.of("axis", -1)).to(x, vector(DType.I32, -1, 0)));
    assertTensor(
        "f32[2, 0]", new double[0], operator("Gather", 13, Map.of("axis", 1)).to(x, longs()));
    Tensor empty = tensor(DType.F32, new long[] {4, 0});
    assertEquals("f32[2, 0]", operator("Gather").to(empty, longs(3, 0)).toString());
  }

  @Test
  void gatherRefusesIndicesOutOfRange() {
    Tensor x = vector(DType.F32, 1, 2, 3);
    for (long index : new long[] {3, -4, MAX, MIN}) {
      operator("Gather")
          .refuses(GraphException.class, "takes row " + index + " of 3", x, longs(index));
    }
    operator("Gather")
        .refuses(GraphException.class, "of 0", tensor(DType.F32, new long[] {0, 2}), longs(0));
    operator("Gather").refuses(GraphException.class, "i64 or i32", x, vector(DType.F32, 0));
    operator("Gather")
        .refuses(GraphException.class, "axis 0", Tensor.of(new float[] {1}), longs(0));
  }

  @Test
  void gatherOfAWideTensorOfLongsIsExact() {
    assertTensor(
        "i64[2]", new long[] {MIN, MAX}, operator("Gather").to(longs(MAX, 0, MIN), longs(2, 0)));
  }

  @Test
  void reshapeCopiesInfersAndKeepsEmptyTensors() {
    Tensor x = tensor(DType.F32, new long[] {2, 3, 4});
    assertEquals("f32[2, 12]", operator("Reshape").to(x, longs(0, -1)).toString());
    assertEquals("f32[24]", operator("Reshape").to(x, longs(-1)).toString());
    Tensor empty = tensor(DType.F32, new long[] {0, 3});
    assertEquals("f32[0, 5]", operator("Reshape").to(empty, longs(0, 5)).toString());
    assertEquals("f32[0, 5]", operator("Reshape").to(empty, longs(-1, 5)).toString());
    assertEquals(
        "f32[3, 0]",
        operator("Reshape", 14, Map.of("allowzero", 1)).to(empty, longs(3, 0)).toString());
    assertEquals("f32[]", operator("Reshape").to(vector(DType.F32, 1), longs()).toString());
  }

  @Test
  void reshapeRefusesShapesThatDoNotFit() {
    Tensor x = tensor(DType.F32, new long[] {2, 3});
    operator("Reshape").refuses(GraphException.class, "divide", x, longs(4, -1));
    operator("Reshape").refuses(GraphException.class, "stay the same", x, longs(2, 2));
    operator("Reshape").refuses(GraphException.class, "infers two", x, longs(-1, -1));
    operator("Reshape").refuses(GraphException.class, "0 or more", x, longs(-2, 3));
    operator("Reshape").refuses(GraphException.class, "only 2 axes", x, longs(2, 3, 0));
    operator("Reshape").refuses(GraphException.class, "", x, longs(1L << 32, 1L << 32));
  }

  @Test
  void axesOfOneAreInsertedAndRemoved() {
    Tensor x = tensor(DType.F32, new long[] {2, 1, 3});
    assertEquals("f32[1, 2, 1, 3, 1]", operator("Unsqueeze").to(x, longs(-1, 0)).toString());
    assertEquals(
        "f32[1, 2, 1, 3]", operator("Unsqueeze", 11, Map.of("axes", List.of(0))).to(x).toString());
    assertEquals("f32[2, 3]", operator("Squeeze").to(x).toString());
    assertEquals("f32[2, 3]", operator("Squeeze").to(x, longs(-2)).toString());
    operator("Squeeze").refuses(GraphException.class, "extent of 1", x, longs(0));
    operator("Unsqueeze").refuses(GraphException.class, "twice", x, longs(0, -5));
    operator("Unsqueeze").refuses(GraphException.class, "axis 4", x, longs(4));
  }

  @Test
  void transposeReversesByDefaultAndChecksItsOrder() {
    Tensor x = tensor(DType.I64, new long[] {2, 3}, 1, 2, 3, 4, 5, 6);
    assertTensor("i64[3, 2]", new long[] {1, 4, 2, 5, 3, 6}, operator("Transpose").to(x));
    for (List<Integer> order : List.of(List.of(0, 0), List.of(0), List.of(0, 2), List.of(0, -1))) {
      operator("Transpose", 13, Map.of("perm", order))
          .refuses(GraphException.class, "name each axis once", x);
    }
  }

  @Test
  void concatJoinsEmptyPartsAndNegativeAxes() {
    Tensor a = tensor(DType.U8, new long[] {2, 1}, 1, 2);
    Tensor none = tensor(DType.U8, new long[] {2, 0});
    Tensor b = tensor(DType.U8, new long[] {2, 2}, 3, 4, 5, 6);
    assertTensor(
        "u8[2, 3]",
        new long[] {1, 3, 4, 2, 5, 6},
        operator("Concat", 13, Map.of("axis", -1)).to(a, none, b));
    operator("Concat", 13, Map.of("axis", 0)).refuses(GraphException.class, "other extents", a, b);
    operator("Concat", 13, Map.of("axis", 0))
        .refuses(GraphException.class, "type", a, tensor(DType.I8, new long[] {2, 1}));
  }

  @Test
  void shapesOfImpossibleSizeAreRefused() {
    operator("ConstantOfShape").refuses(GraphException.class, "0 or more", longs(2, -1));
    operator("Expand").refuses(GraphException.class, "0 or more", vector(DType.F32, 1), longs(-1));
    operator("ConstantOfShape")
        .refuses(GraphException.class, "memory of this JVM", longs(1L << 40, 1L << 10));
    operator("ConstantOfShape")
        .refuses(GraphException.class, "no shape", longs(1L << 40, 1L << 40));
    operator("Range").refuses(GraphException.class, "closer", longs(MIN), longs(MAX), longs(1));
    operator("Range").refuses(GraphException.class, "by 0", longs(0), longs(1), longs(0));
    operator("Range").refuses(GraphException.class, "one number", longs(), longs(1), longs(1));
  }

  @Test
  void splitCutsIntoGivenOrEqualParts() {
    Tensor x = tensor(DType.U8, new long[] {2, 5}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    Tensor[] y = operator("Split", 13, Map.of("axis", 1)).outputs(3, x, longs(1, 0, 4));
    assertTensor("u8[2, 1]", new long[] {0, 5}, y[0]);
    assertEquals("u8[2, 0]", y[1].toString());
    assertTensor("u8[2, 4]", new long[] {1, 2, 3, 4, 6, 7, 8, 9}, y[2]);
    y = operator("Split", 18, Map.of("axis", -1)).outputs(2, x);
    assertTensor("u8[2, 3]", new long[] {0, 1, 2, 5, 6, 7}, y[0]);
    assertTensor("u8[2, 2]", new long[] {3, 4, 8, 9}, y[1]);
    y = operator("Split", 11, Map.of("axis", 0, "split", List.of(1, 1))).outputs(2, x);
    assertTensor("u8[1, 5]", new long[] {5, 6, 7, 8, 9}, y[1]);
    operator("Split").refuses(GraphException.class, "for 1 outputs", x, longs(1, 1));
    operator("Split").refuses(GraphException.class, "make the axis", x, longs(3));
  }

  @Test
  void rangesCountUpAndDown() {
    assertTensor(
        "i64[3]", new long[] {1, 4, 7}, operator("Range").to(longs(1), longs(8), longs(3)));
    assertTensor(
        "i64[3]", new long[] {5, 3, 1}, operator("Range").to(longs(5), longs(0), longs(-2)));
    assertTensor("i64[0]", new long[0], operator("Range").to(longs(5), longs(0), longs(1)));
  }

  @Test
  void shapeTakesARangeOfAxesAndClampsIt() {
    Tensor x = tensor(DType.F32, new long[] {2, 0, 4});
    assertTensor("i64[3]", new long[] {2, 0, 4}, operator("Shape").to(x));
    assertTensor("i64[2]", new long[] {0, 4}, operator("Shape", 15, Map.of("start", -2)).to(x));
    assertTensor("i64[0]", new long[0], operator("Shape", 15, Map.of("start", 2, "end", 1)).to(x));
    assertTensor("i64[]", new long[] {0}, operator("Size").to(x));
  }
}
