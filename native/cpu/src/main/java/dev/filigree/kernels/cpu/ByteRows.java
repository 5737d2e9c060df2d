package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Integers of 8 bits for one token; {@code bytes_avx512.c} says how. */
final class ByteRows {
  private ByteRows() {}

  /** Whether weights are such integers, row by row and where a file has them. */
  static boolean fits(Weights weights) {
    return weights instanceof Quantized quantized
        && quantized.columnStride() == 1
        && quantized.values().codes().isNative();
  }

  /**
   * Lays weights out that {@linkplain #fits fit}.
   *
   * @param several what multiplies more than one token, of the same weights
   */
  static TokenRows pack(TokenCalls calls, LinearKernel several, Quantized weights) {
    IntegerValues values = weights.values();
    MemorySegment scales = offHeap(values.scales());
    MemorySegment zeros = offHeap(values.zeroPoints());
    MemorySegment descriptor =
        Arena.ofAuto()
            .allocateFrom(
                JAVA_LONG,
                values.codes().address(),
                scales.address(),
                zeros.byteSize() == 0 ? 0 : zeros.address(),
                weights.columns(),
                scales.byteSize() == Float.BYTES ? 1 : 0,
                values.dtype() == DType.I8 ? 1 : 0);
    long own = copied(values.scales()) + copied(values.zeroPoints());
    return new TokenRows(calls.bytes(), several, descriptor, own, values.codes(), scales, zeros);
  }

  private static long copied(MemorySegment values) {
    return values.isNative() ? 0 : values.byteSize();
  }

  /** Values themselves where a file has them, or a copy. */
  private static MemorySegment offHeap(MemorySegment values) {
    return values.isNative() ? values : Arena.ofAuto().allocate(values.byteSize()).copyFrom(values);
  }
}
