package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class ElementwiseTest {
  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  private static final float[] SPECIAL = {
    0,
    -0f,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.NaN
  };

  /** Values of ordinary size with every special one among them. */
  private static float[] mixed(SplittableRandom random, int count) {
    float[] values = Legs.normal(random, count);
    for (int i = 0; i < count; i += 5) {
      values[i] = SPECIAL[random.nextInt(SPECIAL.length)];
    }
    return values;
  }

  @Test
  void activationsWriteEachValueAndNoOther() {
    SplittableRandom random = Legs.random("activations");
    for (Activation activation : Activation.values()) {
      for (int count : Legs.counts()) {
        for (int shift = 0; shift < 3; shift++) {
          Operands operands = new Operands();
          float[] values = mixed(random, count);
          long x = operands.place(values, shift);
          Operands.Action action =
              (kernels, memory) -> kernels.activate(activation, memory, x, count);
          double[] errors = new double[count];
          for (int i = 0; i < count; i++) {
            errors[i] = 4e-7 * Math.max(1, Math.abs(values[i]));
          }
          Operands.assertClose(
              activation + " of " + count,
              operands.run(scalar, x, action),
              operands.run(vector, x, action),
              errors);
        }
      }
    }
  }

  @Test
  void sumsAreExact() {
    SplittableRandom random = Legs.random("sums");
    for (int count : Legs.counts()) {
      for (int shift = 0; shift < 3; shift++) {
        Operands operands = new Operands();
        long a = operands.place(mixed(random, count), shift);
        long b = operands.place(mixed(random, count), 1);
        long y = operands.place(new float[count], 2);
        compareExactly(operands, y, (kernels, memory) -> kernels.add(memory, a, b, y, count));
        compareExactly(operands, a, (kernels, memory) -> kernels.add(memory, a, b, a, count));
        compareExactly(operands, b, (kernels, memory) -> kernels.add(memory, a, b, b, count));
        compareExactly(operands, a, (kernels, memory) -> kernels.add(memory, a, a, a, count));
      }
    }
  }

  @Test
  void arithmeticIsExactOnValuesThatRunAlongOrStay() {
    SplittableRandom random = Legs.random("arithmetic");
    for (int count : Legs.counts()) {
      Operands operands = new Operands();
      long a = operands.place(mixed(random, count), 1);
      long b = operands.place(mixed(random, count), 2);
      long y = operands.place(new float[count], 3);
      for (Arithmetic operation : Arithmetic.values()) {
        for (int form = 0; form < 4; form++) {
          int stepA = form & 1;
          int stepB = form >>> 1;
          compareExactly(
              operands,
              y,
              (kernels, memory) ->
                  kernels.combine(operation, memory, a, stepA, b, stepB, y, count));
        }
        compareExactly(
            operands,
            a,
            (kernels, memory) -> kernels.combine(operation, memory, a, 1, b, 1, a, count));
      }
    }
  }

  @Test
  void clampedMultiplesAreExact() {
    SplittableRandom random = Legs.random("clamped");
    for (int count : Legs.counts()) {
      for (int shift = 0; shift < 3; shift++) {
        Operands operands = new Operands();
        long a = operands.place(mixed(random, count), shift);
        long y = operands.place(new float[count], 2);
        compareExactly(
            operands,
            y,
            (kernels, memory) -> kernels.clamp(memory, a, y, count, 1 / 6f, 0.5f, 0, 1));
        float none = Float.NEGATIVE_INFINITY;
        compareExactly(
            operands,
            a,
            (kernels, memory) -> kernels.clamp(memory, a, a, count, 1, -0f, none, 0.25f));
      }
    }
  }

  private void compareExactly(Operands operands, long output, Operands.Action action) {
    Operands.assertSame(
        "output at " + output,
        operands.run(scalar, output, action),
        operands.run(vector, output, action));
  }

  @Test
  void rangesAreExactAndGrowWhatStandsThere() {
    SplittableRandom random = Legs.random("ranges");
    for (int count : Legs.counts()) {
      for (float[] start : new float[][] {{0, 0}, {-0.5f, 0.5f}, {-100, 100}}) {
        float[] plain = Legs.normal(random, count);
        float[] infinite = plain.clone();
        float[] undefined = plain.clone();
        if (count > 0) {
          infinite[count - 1] = Float.NEGATIVE_INFINITY;
          undefined[count / 2] = Float.NaN;
        }
        for (float[] values : new float[][] {plain, infinite, undefined}) {
          Operands operands = new Operands();
          long x = operands.place(values, 1);
          float[] expected = start.clone();
          float[] actual = start.clone();
          operands.run(scalar, x, (kernels, memory) -> kernels.range(memory, x, count, expected));
          operands.run(vector, x, (kernels, memory) -> kernels.range(memory, x, count, actual));
          assertArrayEquals(expected, actual);
        }
      }
    }
  }

  @Test
  void quantisationIsExact() {
    SplittableRandom random = Legs.random("levels");
    for (int count : Legs.counts()) {
      for (int zeroPoint : new int[] {0, 1, 127, 128, 255}) {
        for (float scale : new float[] {0.0117f, 0.5f, 1e-6f, 3f, 1e30f}) {
          float[] values = mixed(random, count);
          for (int i = 1; i < count; i += 3) {
            // ties, and codes beyond both ends
            values[i] = (random.nextInt(600) - 300 + 0.5f) * scale;
          }
          Operands operands = new Operands();
          long x = operands.place(values, 1);
          long y = operands.place(new float[count], 2);
          compareExactly(
              operands,
              y,
              (kernels, memory) -> kernels.quantize(memory, x, y, count, scale, zeroPoint));
          compareExactly(
              operands,
              x,
              (kernels, memory) -> kernels.quantize(memory, x, x, count, scale, zeroPoint));
        }
      }
    }
  }

  @Test
  void endsOfIntegerProductsAreExact() {
    SplittableRandom random = Legs.random("ends");
    for (int width : new int[] {1, vector.lanes(), 2 * vector.lanes(), Panels.FULL}) {
      for (int rows : new int[] {1, 3, 8}) {
        float[] scales = Legs.floats(rows, i -> random.nextGaussian() * 1e-2);
        float[] bias = mixed(random, rows);
        for (int optional = 0; optional < 4; optional++) {
          Operands operands = new Operands();
          // whole numbers, as an integer product leaves them
          long y =
              operands.place(Legs.floats(width * rows, i -> random.nextInt(1 << 25) - (1 << 24)));
          long residual = operands.place(mixed(random, width * rows));
          float[] added = optional % 2 == 0 ? null : bias;
          long second = optional < 2 ? -1 : residual;
          int from = random.nextInt(rows);
          compareExactly(
              operands,
              y,
              (kernels, memory) ->
                  kernels.dequantize(memory, y, width, from, rows, 0.0371f, scales, added, second));
        }
      }
    }
  }
}
