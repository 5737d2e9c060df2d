package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.spi.RoundedKernel;
import dev.filigree.weights.Dense;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every native kernel that the processor permits against scalar loops. */
class NativeLinearTest {
  private static final int[] TOKENS = {1, 2, 15, 16, 17, 33, 64, 65, 100, 130};
  private static final int[] ROWS = {1, 3, 6, 63, 64, 65, 129};
  private static final int[] COLUMNS = {1, 3, 4, 5, 63, 64, 65, 130, 384};

  @BeforeAll
  static void requireLibrary() {
    Natives.library();
  }

  static Stream<Instructions> integers() {
    return Instructions.permitted(Natives.library().processor()).stream()
        .filter(Instructions::isInteger);
  }

  static Stream<Instructions> halves() {
    return Instructions.permitted(Natives.library().processor()).stream()
        .filter(each -> !each.isInteger());
  }

  private static NativeCalls calls(Instructions instructions) {
    return new NativeCalls(Natives.library(), instructions);
  }

  private static float[] values(SplittableRandom random, int count, double size) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(-size, size);
    }
    return values;
  }

  private static Quantized weights(SplittableRandom random, int rows, int columns) {
    byte[] codes = new byte[rows * columns];
    random.nextBytes(codes);
    float[] scales = new float[rows];
    for (int o = 0; o < rows; o++) {
      scales[o] = (float) random.nextDouble(0.001, 0.02);
    }
    return new Quantized(
        rows,
        columns,
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(codes),
            MemorySegment.ofArray(scales),
            IntegerValues.SYMMETRIC));
  }

  /** Runs a body for every size once, with and without bias, residual and activation. */
  private interface Sizes {
    void at(SplittableRandom random, int tokens, int rows, int columns, boolean more);
  }

  private static void forAllSizes(Sizes body) {
    int turn = 0;
    for (int rows : ROWS) {
      for (int columns : COLUMNS) {
        for (int i = 0; i < TOKENS.length; i += rows == 65 || columns == 65 ? 1 : 3) {
          int tokens = TOKENS[(i + turn) % TOKENS.length];
          body.at(new SplittableRandom(31L * turn + i), tokens, rows, columns, (turn + i) % 2 == 0);
        }
        turn++;
      }
    }
  }

  private static Layer layer(
      SplittableRandom random, int tokens, int rows, int columns, boolean more) {
    return new Layer(
        tokens,
        values(random, tokens * columns, 3),
        more ? values(random, rows, 1) : null,
        more ? values(random, tokens * rows, 1) : null,
        more ? Activation.RELU : Activation.NONE);
  }

  /** {@code (sum * (scale * scale) + bias + residual)}, each operation rounded, and RELU. */
  private static float end(
      Layer layer, long sum, float scale, float weightScale, int rows, int t, int o) {
    float value = (float) sum * (scale * weightScale);
    value += layer.bias() == null ? 0 : layer.bias()[o];
    if (layer.residual() != null) {
      value += layer.residual()[t * rows + o];
    }
    return layer.activation() == Activation.RELU ? Math.max(value, 0) : value;
  }

  @ParameterizedTest(allowZeroInvocations = true) // as on a processor that has none of them
  @MethodSource("integers")
  void integersQuantisedAsAWholeGiveTheBitsOfTheGraph(Instructions instructions) {
    forAllSizes(
        (random, tokens, rows, columns, more) -> {
          Layer layer = layer(random, tokens, rows, columns, more);
          Quantized weights = weights(random, rows, columns);
          float scale = DynamicQuantizeLinear.scale(-3, 3);
          int zeroPoint = DynamicQuantizeLinear.zeroPoint(-3, scale);
          RoundedKernel kernel =
              NativeLinear.pack(calls(instructions), IntegerRows.of(weights).orElseThrow());
          float[] y = layer.run(kernel, instructions.lanes(), new Layer.Whole(scale, zeroPoint));
          Quantized whole = weights.integers();
          float[] row = new float[columns];
          for (int o = 0; o < rows; o++) {
            whole.unpackRow(o, row, 0);
            for (int t = 0; t < tokens; t++) {
              long sum = 0;
              for (int k = 0; k < columns; k++) {
                int code = DynamicQuantizeLinear.code(layer.x()[t * columns + k], scale, zeroPoint);
                sum += (code - zeroPoint) * (long) row[k];
              }
              float expected = end(layer, sum, scale, weights.values().scale(o), rows, t, o);
              assertEquals(
                  expected, y[t * rows + o], 0, tokens + " tokens, " + rows + " x " + columns);
            }
          }
        });
  }

  @ParameterizedTest(allowZeroInvocations = true) // as on a processor that has none of them
  @MethodSource("integers")
  void integersQuantisedTokenByTokenGiveTheBitsOfTheirDefinition(Instructions instructions) {
    forAllSizes(
        (random, tokens, rows, columns, more) -> {
          Layer layer = layer(random, tokens, rows, columns, more);
          Quantized weights = weights(random, rows, columns);
          RoundedKernel kernel =
              NativeLinear.pack(calls(instructions), IntegerRows.of(weights).orElseThrow());
          float[] y = layer.run(kernel, instructions.lanes(), null);
          Quantized whole = weights.integers();
          float[] row = new float[columns];
          for (int t = 0; t < tokens; t++) {
            TokenCodes codes = TokenCodes.of(layer.x(), t * columns, columns);
            for (int o = 0; o < rows; o++) {
              whole.unpackRow(o, row, 0);
              long sum = 0;
              for (int k = 0; k < columns; k++) {
                sum += (codes.codes()[k] - codes.zeroPoint()) * (long) row[k];
              }
              float expected =
                  end(layer, sum, codes.scale(), weights.values().scale(o), rows, t, o);
              assertEquals(
                  expected, y[t * rows + o], 0, tokens + " tokens, " + rows + " x " + columns);
            }
          }
        });
  }

  @ParameterizedTest(allowZeroInvocations = true) // as on a processor that has none of them
  @MethodSource("halves")
  void halvesAreRoundedToNearestAndSummedInFloat(Instructions instructions) {
    forAllSizes(
        (random, tokens, rows, columns, more) -> {
          Layer layer = layer(random, tokens, rows, columns, more);
          Weights weights = Dense.of(rows, columns, values(random, rows * columns, 0.5));
          float[] y =
              layer.run(
                  NativeLinear.pack(calls(instructions), weights), instructions.lanes(), null);
          float[] row = new float[columns];
          for (int o = 0; o < rows; o++) {
            weights.unpackRow(o, row, 0);
            for (int t = 0; t < tokens; t++) {
              double sum = 0;
              double size = 0;
              for (int k = 0; k < columns; k++) {
                double product = half(layer.x()[t * columns + k]) * half(row[k]);
                sum += product;
                size += Math.abs(product);
              }
              double expected = sum + (layer.bias() == null ? 0 : layer.bias()[o]);
              expected += layer.residual() == null ? 0 : layer.residual()[t * rows + o];
              expected = layer.activation() == Activation.RELU ? Math.max(expected, 0) : expected;
              assertEquals(
                  expected,
                  y[t * rows + o],
                  1e-6 * size + 1e-6,
                  tokens + " tokens, " + rows + " x " + columns);
            }
          }
        });
  }

  private static double half(float value) {
    return Float.intBitsToFloat(DType.toBfloat16(value) << 16);
  }

  @ParameterizedTest(allowZeroInvocations = true) // as on a processor that has none of them
  @MethodSource("integers")
  void aTokenThatIsNoNumberSpoilsItselfAndNoOther(Instructions instructions) {
    for (float strange : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int tokens : new int[] {1, 40}) {
        SplittableRandom random = new SplittableRandom(5);
        Layer layer = layer(random, tokens, 70, 130, false);
        Quantized weights = weights(random, 70, 130);
        RoundedKernel kernel =
            NativeLinear.pack(calls(instructions), IntegerRows.of(weights).orElseThrow());
        float[] before = layer.run(kernel, instructions.lanes(), null);
        int spoilt = tokens / 2;
        layer.x()[spoilt * 130 + 77] = strange;
        float[] after = layer.run(kernel, instructions.lanes(), null);
        for (int t = 0; t < tokens; t++) {
          for (int o = 0; o < 70; o++) {
            float expected = t == spoilt ? Float.NaN : before[t * 70 + o];
            assertEquals(expected, after[t * 70 + o], 0);
          }
        }
      }
    }
  }

  @ParameterizedTest(allowZeroInvocations = true) // as on a processor that has none of them
  @MethodSource("integers")
  void tokensOfZerosOfSubnormalAndOfTheGreatestNumbersHaveFiniteSums(Instructions instructions) {
    for (float size : new float[] {0, Float.MIN_VALUE, 1e-40f, 3e38f}) {
      for (int tokens : new int[] {1, 20}) {
        SplittableRandom random = new SplittableRandom(6);
        float[] x = new float[tokens * 64];
        for (int i = 0; i < x.length; i++) {
          x[i] = i % 2 == 0 ? size : -size;
        }
        byte[] codes = new byte[8 * 64];
        for (int i = 0; i < codes.length; i++) {
          codes[i] = (byte) (i % 64 == 0 ? 1 : 0);
        }
        Quantized weights =
            new Quantized(
                8,
                64,
                new IntegerValues(
                    DType.I8,
                    MemorySegment.ofArray(codes),
                    MemorySegment.ofArray(new float[] {1}),
                    IntegerValues.SYMMETRIC));
        RoundedKernel kernel =
            NativeLinear.pack(calls(instructions), IntegerRows.of(weights).orElseThrow());
        Layer layer = new Layer(tokens, x, null, null, Activation.NONE);
        for (float y : layer.run(kernel, instructions.lanes(), null)) {
          // the first feature of each token, to a step of its range of twice its size: value and
          // zero point are rounded
          assertEquals(size, y, Math.max(2 * size / 255, Float.MIN_NORMAL));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void activationsGiveTheBitsOfTheVectorKernels(Activation activation) {
    for (Instructions instructions : Instructions.permitted(Natives.library().processor())) {
      ActivationBits.check(calls(instructions), activation);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"I8", "U8"})
  void integersWhoseDistanceToTheZeroPointFitsAreTaken(DType dtype) {
    byte middle = (byte) (dtype == DType.U8 ? 128 : 0);
    assertTrue(IntegerRows.of(withZeroPoint(dtype, middle, (byte) 255)).isPresent());
    assertTrue(IntegerRows.of(withZeroPoint(dtype, middle, (byte) 0)).isPresent());
    // 127 - -128 as i8, 255 - 0 as u8
    byte far = (byte) (dtype == DType.U8 ? 255 : 127);
    byte low = (byte) (dtype == DType.U8 ? 0 : -128);
    assertTrue(IntegerRows.of(withZeroPoint(dtype, low, far)).isEmpty());
  }

  private static Quantized withZeroPoint(DType dtype, byte zeroPoint, byte code) {
    return new Quantized(
        1,
        2,
        new IntegerValues(
            dtype,
            MemorySegment.ofArray(new byte[] {zeroPoint, code}),
            MemorySegment.ofArray(new float[] {0.5f}),
            MemorySegment.ofArray(new byte[] {zeroPoint})));
  }
}
