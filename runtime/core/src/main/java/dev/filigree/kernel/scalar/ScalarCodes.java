package dev.filigree.kernel.scalar;

import static dev.filigree.kernel.scalar.ScalarKernels.get;
import static dev.filigree.kernel.scalar.ScalarKernels.set;

import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.OneCode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Scalar kernels on codes of 8 bits. */
final class ScalarCodes {
  private ScalarCodes() {}

  static void decode(
      MemorySegment memory,
      long x,
      long y,
      long count,
      boolean signed,
      int zeroPoint,
      float scale) {
    for (long i = 0; i < count; i++) {
      byte code = memory.get(ValueLayout.JAVA_BYTE, x + i);
      set(memory, y + i * Float.BYTES, OneCode.decoded(code, signed, zeroPoint, scale));
    }
  }

  static void encode(
      MemorySegment memory,
      long x,
      long y,
      long count,
      boolean signed,
      int zeroPoint,
      float scale) {
    for (long i = 0; i < count; i++) {
      byte code = OneCode.encoded(get(memory, x + i * Float.BYTES), signed, zeroPoint, scale);
      memory.set(ValueLayout.JAVA_BYTE, y + i, code);
    }
  }

  static void requantize(
      MemorySegment memory, long x, long y, long count, float factor, float low, float high) {
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      set(memory, y + i, OneCode.requantized(get(memory, x + i), factor, low, high));
    }
  }

  static void addCodes(MemorySegment memory, long a, long b, long y, long count, CodeSum sum) {
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      set(memory, y + i, sum.of(get(memory, a + i), get(memory, b + i)));
    }
  }

  static void multiplyCodes(
      MemorySegment memory,
      long a,
      long b,
      boolean single,
      long y,
      long count,
      CodeProduct product) {
    for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
      set(memory, y + i, product.of(get(memory, a + i), get(memory, single ? b : b + i)));
    }
  }
}
