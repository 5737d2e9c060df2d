package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.DType;
import dev.filigree.kernel.scalar.ScalarKernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ByteRowsTest {
  private static final List<Integer> COLUMNS = List.of(1, 15, 16, 63, 64, 65, 130, 384, 1100, 4100);
  private static final List<Integer> ROWS = List.of(1, 3, 4, 63, 64, 65, 130);

  private final TokenCalls calls = new TokenCalls(Natives.library());

  @BeforeEach
  void onlyWhereTheProcessorHasThem() {
    assumeTrue(calls.hasBytes());
  }

  private static Quantized weights(
      Samples samples, int rows, int columns, DType dtype, int scales, boolean shifted) {
    MemorySegment codes = Arena.ofAuto().allocate((long) rows * columns);
    for (long i = 0; i < codes.byteSize(); i++) {
      codes.set(DType.BYTE, i, (byte) samples.between(-128, 127));
    }
    byte[] zeros = new byte[shifted ? scales : 0];
    for (int i = 0; i < zeros.length; i++) {
      zeros[i] = (byte) samples.between(-3, 3);
    }
    return new Quantized(
        rows,
        columns,
        new IntegerValues(
            dtype,
            codes,
            MemorySegment.ofArray(samples.normal(scales)),
            MemorySegment.ofArray(zeros)));
  }

  private LinearKernel pack(Quantized weights) {
    return TokenOption.of(calls, new ScalarKernels(), weights).pack();
  }

  @Seeded(30)
  void oneTokenIsTheProductWithWhatTheCodesStandFor(Samples samples) {
    int rows = samples.oneOf(ROWS);
    int columns = samples.oneOf(COLUMNS);
    Quantized weights =
        weights(
            samples,
            rows,
            columns,
            samples.oneOf(List.of(DType.I8, DType.U8)),
            samples.chance(0.5) ? rows : 1,
            samples.chance(0.5));
    float[] x = samples.normal(columns);
    OneToken.assertIsProduct(weights, x, OneToken.run(pack(weights), 1, x, 0.5f));
  }

  @Seeded(6)
  void moreTokensAreThoseOfTheOtherKernel(Samples samples) {
    Quantized weights = weights(samples, 70, 96, DType.I8, 70, true);
    int tokens = samples.between(2, 20);
    float[] x = samples.normal((int) (Panels.of(tokens, 8).bytes(96) / Float.BYTES));
    LinearKernel other = new ScalarKernels().linear(weights).getFirst().pack();
    assertArrayEquals(OneToken.run(other, tokens, x, 0), OneToken.run(pack(weights), tokens, x, 0));
  }

  @Test
  void isOfferedForRowsThatLieWhereAFileHasThem() {
    Samples samples = new Samples(5);
    NativeKernels kernels =
        new NativeKernels(
            new ScalarKernels(), Instructions.integers(Natives.library()), null, calls);
    Quantized weights = weights(samples, 4, 8, DType.I8, 1, false);
    assertEquals(TokenOption.class, kernels.linear(weights).getFirst().getClass());
    Quantized turned = new Quantized(4, 8, 1, 4, weights.values());
    assertFalse(kernels.linear(turned).getFirst() instanceof TokenOption);
    IntegerValues values = weights.values();
    MemorySegment heap = MemorySegment.ofArray(values.codes().toArray(DType.BYTE));
    IntegerValues onHeap =
        new IntegerValues(values.dtype(), heap, values.scales(), values.zeroPoints());
    assertFalse(kernels.linear(new Quantized(4, 8, onHeap)).getFirst() instanceof TokenOption);
  }
}
