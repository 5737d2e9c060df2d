package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.assertTensor;
import static dev.filigree.kernel.Apply.longs;
import static dev.filigree.kernel.Apply.operator;
import static dev.filigree.kernel.Apply.tensor;
import static dev.filigree.kernel.Apply.vector;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Elementwise operators: broadcasting, integers at their limits, special floats. */
final class ArithmeticTest {
  private static final double NAN = Double.NaN;
  private static final double INF = Double.POSITIVE_INFINITY;

  @Seeded(200)
  void operandsOfUpToEightAxesBroadcast(Samples samples) {
    int rank = samples.between(0, 8);
    long[] shape = new long[rank];
    for (int axis = 0; axis < rank; axis++) {
      shape[axis] = samples.chance(0.05) ? 0 : samples.between(1, 3);
    }
    Tensor a = operand(samples, shape);
    Tensor b = operand(samples, shape);
    Tensor y = operator("Sub").to(a, b);
    int common = Math.max(a.shape().rank(), b.shape().rank());
    assertEquals(common, y.shape().rank());
    long[] index = new long[common];
    for (long i = 0; i < y.elements(); i++) {
      long rest = i;
      for (int axis = common - 1; axis >= 0; axis--) {
        index[axis] = rest % y.shape().extent(axis);
        rest /= y.shape().extent(axis);
      }
      assertEquals(at(a, index) - at(b, index), y.getLong(i), a + " - " + b + " at " + i);
    }
    for (int axis = 1; axis <= common; axis++) {
      long left = axis <= a.shape().rank() ? a.shape().extent(-axis) : 1;
      long right = axis <= b.shape().rank() ? b.shape().extent(-axis) : 1;
      assertEquals(left == 1 ? right : left, y.shape().extent(-axis));
    }
  }

  /** Random numbers in a shape of which leading axes are left out and others are 1. */
  private static Tensor operand(Samples samples, long[] shape) {
    int skipped = samples.between(0, shape.length);
    long[] extents = new long[shape.length - skipped];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = samples.chance(0.4) ? 1 : shape[axis + skipped];
    }
    Tensor tensor = Tensor.zeros(DType.I32, Shape.of(extents));
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.setLong(i, samples.between(-1000, 1000));
    }
    return tensor;
  }

  /** The element an index of the broadcast shape stands for, by the definition. */
  private static long at(Tensor tensor, long[] index) {
    long element = 0;
    for (int axis = 0; axis < tensor.shape().rank(); axis++) {
      long extent = tensor.shape().extent(axis);
      long own = index[index.length - tensor.shape().rank() + axis];
      element = element * extent + (extent == 1 ? 0 : own);
    }
    return tensor.getLong(element);
  }

  @Test
  void extentsThatDifferAreRefused() {
    operator("Add")
        .refuses(
            GraphException.class,
            "cannot broadcast",
            tensor(DType.F32, new long[] {2, 3}),
            tensor(DType.F32, new long[] {2, 2}));
    operator("Add")
        .refuses(
            GraphException.class,
            "cannot broadcast",
            tensor(DType.F32, new long[] {0}),
            tensor(DType.F32, new long[] {2}));
  }

  @Test
  void operandsOfTwoTypesAreRefused() {
    operator("Add")
        .refuses(GraphException.class, "same numeric type", longs(1), vector(DType.F32, 1));
    operator("Mul")
        .refuses(
            GraphException.class,
            "same numeric type",
            vector(DType.BOOL, 1),
            vector(DType.BOOL, 1));
  }

  @Test
  void integersWrap() {
    long max = Long.MAX_VALUE;
    long min = Long.MIN_VALUE;
    assertTensor("i64[2]", new long[] {min, 0}, operator("Add").to(longs(max, -1), longs(1)));
    assertTensor("i64[1]", new long[] {max}, operator("Sub").to(longs(min), longs(1)));
    assertTensor("i64[1]", new long[] {-2}, operator("Mul").to(longs(max), longs(2)));
    assertTensor(
        "u8[2]",
        new long[] {44, 255},
        operator("Add").to(vector(DType.U8, 200, 254), vector(DType.U8, 100, 1)));
    assertTensor(
        "i8[1]", new long[] {-128}, operator("Add").to(vector(DType.I8, 127), vector(DType.I8, 1)));
  }

  @Test
  void integerDivisionTruncatesAndNeverThrows() {
    assertTensor(
        "i64[6]",
        new long[] {3, -3, -3, 3, 0, Long.MIN_VALUE},
        operator("Div").to(longs(7, -7, 7, -7, 5, Long.MIN_VALUE), longs(2, 2, -2, -2, 0, -1)));
    assertTensor(
        "u8[2]",
        new long[] {127, 0},
        operator("Div").to(vector(DType.U8, 255, 1), vector(DType.U8, 2, 0)));
  }

  @Test
  void floatDivisionFollowsIeee() {
    assertTensor(
        "f32[4]",
        new double[] {INF, -INF, NAN, 0},
        operator("Div").to(vector(DType.F32, 1, 1, 0, 1), vector(DType.F32, 0, -0.0, 0, INF)));
  }

  @Test
  void comparisonsWithNanAreFalse() {
    Tensor left = vector(DType.F32, NAN, NAN, 1, 0.0, INF);
    Tensor right = vector(DType.F32, NAN, 1, NAN, -0.0, INF);
    assertTensor("bool[5]", new long[] {0, 0, 0, 1, 1}, operator("Equal").to(left, right));
    assertTensor("bool[5]", new long[] {0, 0, 0, 0, 0}, operator("Less").to(left, right));
    assertTensor("bool[5]", new long[] {0, 0, 0, 0, 0}, operator("Greater").to(left, right));
    assertTensor("bool[5]", new long[] {0, 0, 0, 1, 1}, operator("LessOrEqual").to(left, right));
    assertTensor("bool[5]", new long[] {0, 0, 0, 1, 1}, operator("GreaterOrEqual").to(left, right));
  }

  @Test
  void largeIntegersAreComparedExactly() {
    long odd = (1L << 53) + 1;
    assertTensor(
        "bool[3]",
        new long[] {0, 1, 0},
        operator("Equal").to(longs(odd, odd, odd), longs(odd - 1, odd, odd + 1)));
    assertTensor(
        "bool[3]",
        new long[] {0, 0, 1},
        operator("Less").to(longs(odd, odd, Long.MIN_VALUE), longs(odd - 1, odd, Long.MAX_VALUE)));
  }

  @Test
  void smallestAndLargestPassNanOn() {
    Tensor a = vector(DType.F32, NAN, 1, 3);
    Tensor b = vector(DType.F32, 0, NAN, 2);
    assertTensor("f32[3]", new double[] {NAN, NAN, 3}, operator("Max").to(a, b));
    assertTensor("f32[3]", new double[] {NAN, NAN, 2}, operator("Min").to(a, b));
    assertTensor("f32[3]", new double[] {NAN, 1, 3}, operator("Relu").to(a));
  }

  @Test
  void floatsBecomeIntegersByTruncationAndSaturate() {
    Tensor x = vector(DType.F32, 1.9, -1.9, 300, -300, 1e30, -1e30, NAN, INF);
    assertCast(DType.I8, x, 1, -1, 127, -128, 127, -128, 0, 127);
    assertCast(DType.U8, x, 1, 0, 255, 0, 255, 0, 0, 255);
    int most = Integer.MAX_VALUE;
    int least = Integer.MIN_VALUE;
    assertCast(DType.I32, x, 1, -1, 300, -300, most, least, 0, most);
    assertCast(DType.I64, x, 1, -1, 300, -300, Long.MAX_VALUE, Long.MIN_VALUE, 0, Long.MAX_VALUE);
    assertCast(DType.BOOL, vector(DType.F32, 0, -0.0, 0.1, NAN), 0, 0, 1, 1);
  }

  private static void assertCast(DType to, Tensor x, long... expected) {
    int number = OnnxTypes.number(to);
    assertTensor(
        to + x.shape().toString(), expected, operator("Cast", 13, Map.of("to", number)).to(x));
  }

  @Test
  void integersBecomeNarrowerByTheirLowBits() {
    Tensor x = longs(0x1_0000_0001L, -1, 200, Long.MAX_VALUE);
    assertCast(DType.I32, x, 1, -1, 200, -1);
    assertCast(DType.U8, x, 1, 255, 200, 255);
    assertCast(DType.I8, x, 1, -1, -56, -1);
    assertCast(DType.BOOL, longs(0x1_0000_0000L, 0), 1, 0);
  }

  @Test
  void longsBecomeFloatsWithOneRounding() {
    // by way of a double this rounds to 2^60 first and stays there
    long justAboveHalf = (1L << 60) + (1L << 36) + 1;
    Tensor y = operator("Cast", 13, Map.of("to", 1)).to(longs(justAboveHalf));
    assertEquals((float) justAboveHalf, (float) y.getDouble(0));
    assertEquals(Math.nextUp((float) (1L << 60)), (float) y.getDouble(0));
  }

  @Test
  void aCastToAnUnsupportedTypeNamesIt() {
    operator("Cast", 13, Map.of("to", 8))
        .refuses(UnsupportedException.class, "string", vector(DType.F32, 1));
  }

  @Test
  void halfPrecisionIsComputedInDoubleAndRoundedOnce() {
    Tensor a = vector(DType.F16, 2048, 65504, 1e-7);
    Tensor b = vector(DType.F16, 1, 65504, 1e-7);
    // 2049 lies between two halves and goes to the even one
    assertTensor("f16[3]", new double[] {2048, INF, 2 * a.getDouble(2)}, operator("Add").to(a, b));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Add", "Div", "Max", "Pow", "Equal", "Less"})
  void emptyOperandsGiveAnEmptyResult(String type) {
    Tensor empty = tensor(DType.F32, new long[] {2, 0, 3});
    Tensor y = operator(type).to(empty, vector(DType.F32, 1, 2, 3));
    assertEquals(List.of(2L, 0L, 3L), List.of(y.shape().extent(0), y.shape().extent(1), 3L));
    assertEquals(0, y.elements());
  }

  @Test
  void whereChoosesAndBroadcasts() {
    Tensor y =
        operator("Where")
            .to(
                tensor(DType.BOOL, new long[] {2, 1}, 1, 0),
                vector(DType.F32, 1, NAN),
                vector(DType.F32, 3, 4));
    assertTensor("f32[2, 2]", new double[] {1, NAN, 3, 4}, y);
  }

  @Test
  void powersTakeAnExponentOfAnotherType() {
    assertTensor(
        "f32[3]",
        new double[] {8, 0.25, 1},
        operator("Pow").to(vector(DType.F32, 2, 2, NAN), longs(3, -2, 0)));
    assertTensor(
        "i64[2]", new long[] {9, 1}, operator("Pow").to(longs(-3, 7), vector(DType.F32, 2, 0)));
  }

  @Test
  void powersOfOneAreOneWhateverTheExponent() {
    Tensor bases = vector(DType.F32, 1, 1, -1, -1, 2, NAN, NAN);
    Tensor exponents = vector(DType.F32, NAN, INF, INF, -INF, NAN, 0, 1);
    assertTensor(
        "f32[7]", new double[] {1, 1, 1, 1, NAN, 1, NAN}, operator("Pow").to(bases, exponents));
  }

  @Test
  void inverseHyperbolicFunctionsHoldAtTheirEnds() {
    Tensor x = vector(DType.F64, -1e300, 0.5, 1, 1 + 1e-12, 1e300);
    assertTensor(
        "f64[5]",
        new double[] {NAN, NAN, 0, 1.4142764814e-6, 691.4686750787736},
        operator("Acosh").to(x));
    Tensor small = vector(DType.F64, 1e-12, -1e-12, -1e300);
    assertTensor(
        "f64[3]", new double[] {1e-12, -1e-12, -691.4686750787736}, operator("Asinh").to(small));
  }

  @Test
  void theLeastCodeStandsForNan() {
    Tensor x = vector(DType.F32, NAN, INF, -INF, 1);
    Tensor scale = tensor(DType.F32, new long[0], 0.5);
    for (DType codes : List.of(DType.U8, DType.I8, DType.U16, DType.I16)) {
      Tensor zero = tensor(codes, new long[0], 7);
      assertTensor(
          zero.dtype().name().toLowerCase(Locale.ROOT) + "[4]",
          new long[] {codes.least(), codes.greatest(), codes.least(), 9},
          operator("QuantizeLinear").to(x, scale, zero));
    }
  }

  @Test
  void clipLimitsToBoundsOfEitherForm() {
    Tensor x = vector(DType.F32, -5, 0, 5, NAN);
    Tensor low = Tensor.of(new float[] {-1});
    Tensor high = Tensor.of(new float[] {2});
    double[] both = {-1, 0, 2, NAN};
    assertTensor("f32[4]", both, operator("Clip").to(x, low, high));
    assertTensor("f32[4]", both, operator("Clip", 7, Map.of("min", -1f, "max", 2f)).to(x));
    assertTensor("f32[4]", new double[] {-5, 0, 2, NAN}, operator("Clip").to(x, null, high));
    assertTensor(
        "f32[4]", new double[] {-1, 0, 5, NAN}, operator("Clip", 10, Map.of("min", -1f)).to(x));
    assertTensor(
        "i64[2]",
        new long[] {3, 4},
        operator("Clip")
            .to(longs(1, 9), longs(3).reshape(Shape.SCALAR), longs(4).reshape(Shape.SCALAR)));
    operator("Clip").refuses(GraphException.class, "scalars", x, vector(DType.F32, 1, 2));
    operator("Clip").refuses(GraphException.class, "scalars", x, longs(1));
  }

  @Test
  void erfMatchesTablesOfTheFunction() {
    // Abramowitz and Stegun, table 7.1
    assertTensor(
        "f32[6]",
        new double[] {0, 0.5204998778, 0.8427007929, 0.9953222650, -0.8427007929, 1},
        operator("Erf").to(vector(DType.F32, 0, 0.5, 1, 2, -1, 7)));
  }
}
