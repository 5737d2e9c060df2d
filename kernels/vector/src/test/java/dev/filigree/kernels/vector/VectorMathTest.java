package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.DoubleUnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

/** Holds the functions to the errors they state, over all of the float range. */
final class VectorMathTest {
  /** Floats of a batch. */
  private static final int BATCH = 4096;

  /** Bit patterns from one tested float to the next: every float in turn would take minutes. */
  private static final int STEP = Legs.few() ? 10_007 : 211;

  private final Kernels vector = Legs.vector();

  /** The greatest error a function may have at x, where its exact value is y. */
  @FunctionalInterface
  private interface Bound {
    double at(double x, double y);
  }

  /** Fills memory with the results for the first values of an array. */
  @FunctionalInterface
  private interface Function {
    void apply(float[] x, int count, MemorySegment memory);
  }

  private Function activation(Activation activation) {
    return (x, count, memory) -> {
      MemorySegment.copy(x, 0, memory, DType.FLOAT, 0, count);
      vector.activate(activation, memory, 0, count);
    };
  }

  private static void exp(float[] x, int count, MemorySegment memory) {
    for (int i = 0; i < count; i += Lanes.COUNT) {
      VectorMath.exp(FloatVector.fromArray(Lanes.F, x, i))
          .intoMemorySegment(memory, (long) i * Float.BYTES, Lanes.ORDER);
    }
  }

  private static void erf(float[] x, int count, MemorySegment memory) {
    for (int i = 0; i < count; i += Lanes.COUNT) {
      VectorMath.erf(FloatVector.fromArray(Lanes.F, x, i))
          .intoMemorySegment(memory, (long) i * Float.BYTES, Lanes.ORDER);
    }
  }

  private static void gate(float[] x, int count, MemorySegment memory) {
    for (int i = 0; i < count; i += Lanes.COUNT) {
      VectorMath.gate(FloatVector.fromArray(Lanes.F, x, i), VectorMath.GATE_MOST)
          .intoMemorySegment(memory, (long) i * Float.BYTES, Lanes.ORDER);
    }
  }

  private static void state(float[] x, int count, MemorySegment memory) {
    for (int i = 0; i < count; i += Lanes.COUNT) {
      VectorMath.state(FloatVector.fromArray(Lanes.F, x, i), VectorMath.STATE_MOST)
          .intoMemorySegment(memory, (long) i * Float.BYTES, Lanes.ORDER);
    }
  }

  /** Compares with double precision at floats of all magnitudes and both signs. */
  private static void compare(Function function, DoubleUnaryOperator exact, Bound bound) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(BATCH * Float.BYTES, 64);
      float[] x = new float[BATCH];
      int count = 0;
      for (long bits = 0; bits < 1L << 32; bits += STEP) {
        float value = Float.intBitsToFloat((int) bits);
        if (Float.isFinite(value)) {
          x[count++] = value;
        }
        if (count == BATCH || bits + STEP >= 1L << 32) {
          function.apply(x, count, memory);
          check(x, count, memory, exact, bound);
          count = 0;
        }
      }
    }
  }

  private static void check(
      float[] x, int count, MemorySegment memory, DoubleUnaryOperator exact, Bound bound) {
    for (int i = 0; i < count; i++) {
      double y = exact.applyAsDouble(x[i]);
      float actual = memory.getAtIndex(DType.FLOAT, i);
      double most = bound.at(x[i], y);
      boolean close = Double.isFinite(most) ? Math.abs(actual - y) <= most : actual == (float) most;
      if (!close) {
        fail("f(" + x[i] + ") is " + actual + ", not " + y + " within " + most);
      }
    }
  }

  private static Bound absolute(double error) {
    return (x, y) -> error;
  }

  private static Bound scaled(double error) {
    return (x, y) -> error * Math.max(1, Math.abs(x));
  }

  @Test
  void expStaysWithinItsRelativeError() {
    compare(
        VectorMathTest::exp,
        Math::exp,
        (x, y) -> {
          if (y > Float.MAX_VALUE) {
            return Double.POSITIVE_INFINITY;
          }
          return y < Float.MIN_NORMAL ? Float.MIN_NORMAL : 2e-7 * y;
        });
  }

  /** In double precision, from {@code gelu(x) = x / 2 * (1 + erf(x / sqrt 2))}. */
  private static double exactErf(double x) {
    double scaled = x * Math.sqrt(2);
    return x == 0 ? 0 : 2 * Activation.GELU.apply(scaled) / scaled - 1;
  }

  @Test
  void erfStaysWithinItsError() {
    compare(VectorMathTest::erf, VectorMathTest::exactErf, absolute(1.2e-7));
  }

  @Test
  void geluStaysWithinItsError() {
    compare(activation(Activation.GELU), Activation.GELU::apply, scaled(4e-7));
  }

  @Test
  void geluByTanhStaysWithinItsError() {
    compare(activation(Activation.GELU_TANH), Activation.GELU_TANH::apply, scaled(4e-7));
  }

  @Test
  void tanhStaysWithinItsError() {
    compare(
        activation(Activation.TANH),
        Math::tanh,
        (x, y) -> Math.max(Float.MIN_VALUE, 4e-7 * Math.abs(y)));
  }

  @Test
  void sigmoidStaysWithinItsError() {
    compare(activation(Activation.SIGMOID), Activation.SIGMOID::apply, absolute(3e-7));
  }

  @Test
  void gatesStayWithinTheirError() {
    compare(VectorMathTest::gate, Activation.SIGMOID::apply, absolute(2e-7));
    FloatVector far = FloatVector.broadcast(Lanes.F, 1e30f);
    assertEquals(1, VectorMath.gate(far, VectorMath.GATE_MOST).lane(0));
    assertEquals(0, VectorMath.gate(far.neg(), VectorMath.GATE_MOST).lane(0));
    FloatVector nan = FloatVector.broadcast(Lanes.F, Float.NaN);
    assertEquals(Float.NaN, VectorMath.gate(nan, VectorMath.GATE_MOST).lane(0));
    assertEquals(Float.NaN, VectorMath.state(nan, VectorMath.STATE_MOST).lane(0));
  }

  @Test
  void statesStayWithinTheirError() {
    compare(
        VectorMathTest::state,
        Math::tanh,
        (x, y) -> Math.max(Float.MIN_NORMAL, 4e-7 * Math.abs(y)));
  }

  @Test
  void reluIsExact() {
    compare(activation(Activation.RELU), x -> Math.max(x, 0), absolute(0));
  }

  @Test
  void specialValuesGiveTheLimits() {
    float inf = Float.POSITIVE_INFINITY;
    float nan = Float.NaN;
    assertLimits(Activation.RELU, 0, inf, nan, 0);
    assertLimits(Activation.GELU, 0, inf, nan, -0f);
    assertLimits(Activation.GELU_TANH, 0, inf, nan, -0f);
    assertLimits(Activation.TANH, -1, 1, nan, 0);
    assertLimits(Activation.SIGMOID, 0, 1, nan, 0.5f);
  }

  /** Results at minus infinity, infinity, NaN and negative zero. */
  private void assertLimits(Activation activation, float... expected) {
    float[] x = {Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NaN, -0f};
    MemorySegment memory = Arena.ofAuto().allocate(64 * Float.BYTES, 64);
    for (int lane = 0; lane < 21; lane++) {
      for (int i = 0; i < x.length; i++) {
        memory.setAtIndex(DType.FLOAT, lane, x[i]);
        vector.activate(activation, memory, 0, 21);
        float actual = memory.getAtIndex(DType.FLOAT, lane);
        assertEquals(expected[i] + 0f, actual + 0f, activation + " of " + x[i]);
      }
    }
  }
}
