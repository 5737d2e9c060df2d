package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DTypeTest {
  /** Codes of a 16-bit type. */
  private static final int CODES = 1 << 16;

  private final MemorySegment cell = MemorySegment.ofArray(new byte[8]);

  /**
   * A 16-bit floating-point format as IEEE 754 defines it, written from the definition.
   *
   * @param exponentBits width of the exponent
   * @param fractionBits width of the stored fraction
   */
  private record Definition(int exponentBits, int fractionBits) {
    static Definition of(DType dtype) {
      return dtype == DType.F16 ? new Definition(5, 10) : new Definition(8, 7);
    }

    double value(int code) {
      int exponent = code >> fractionBits & (1 << exponentBits) - 1;
      int fraction = code & (1 << fractionBits) - 1;
      int bias = (1 << exponentBits - 1) - 1;
      double magnitude;
      if (exponent == (1 << exponentBits) - 1) {
        magnitude = fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
      } else if (exponent == 0) {
        magnitude = Math.scalb((double) fraction, 1 - bias - fractionBits);
      } else {
        magnitude =
            Math.scalb((double) (fraction | 1 << fractionBits), exponent - bias - fractionBits);
      }
      return code >> 15 != 0 ? -magnitude : magnitude;
    }

    /** Code of positive infinity; the codes below are the finite values in ascending order. */
    int infinity() {
      return (1 << exponentBits) - 1 << fractionBits;
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void everyCodeReadsAsItsDefinitionSaysAndIsWrittenBack(DType dtype) {
    Definition definition = Definition.of(dtype);
    for (int code = 0; code < CODES; code++) {
      cell.set(DType.SHORT, 0, (short) code);
      double expected = definition.value(code);
      double read = dtype.readDouble(cell, 0);
      assertEquals(
          Double.doubleToLongBits(expected), Double.doubleToLongBits(read), "code " + code);
      if (dtype == DType.F16) {
        assertEquals(Float.float16ToFloat((short) code), (float) read, "code " + code);
      }
      dtype.writeDouble(cell, 0, read);
      int written = cell.get(DType.SHORT, 0) & 0xffff;
      if (Double.isNaN(expected)) {
        assertTrue(Double.isNaN(definition.value(written)), "code " + code);
        assertEquals(code & 0x8000, written & 0x8000, "sign of code " + code);
      } else {
        assertEquals(code, written);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void valuesBetweenTwoCodesGoToTheNearerOneAndTiesToTheEvenOne(DType dtype) {
    Definition definition = Definition.of(dtype);
    for (int code = 0; code < definition.infinity(); code++) {
      double below = definition.value(code);
      // beyond the largest finite value the next step decides what is infinite
      double above =
          code + 1 == definition.infinity()
              ? below + (below - definition.value(code - 1))
              : definition.value(code + 1);
      double middle = below + (above - below) / 2;
      int even = code % 2 == 0 ? code : code + 1;
      writes(dtype, middle, even);
      writes(dtype, Math.nextDown(middle), code);
      writes(dtype, Math.nextUp(middle), code + 1);
      writes(dtype, -middle, even | 0x8000);
      if ((float) middle == middle) {
        writes(dtype, Math.nextDown((float) middle), code);
        writes(dtype, Math.nextUp((float) middle), code + 1);
      }
    }
  }

  private void writes(DType dtype, double value, int code) {
    dtype.writeDouble(cell, 0, value);
    int written = cell.get(DType.SHORT, 0) & 0xffff;
    if (written != code) {
      // a message for each of a million values would take longer than the test
      assertEquals(
          code, written, "code of " + dtype + " for " + new BigDecimal(value) + " = " + value);
    }
  }

  @Seeded(200)
  void floatsRoundToBfloat16AsDoublesDo(Samples samples) {
    for (float value : samples.anyFloats(100)) {
      short direct = DType.toBfloat16(value);
      DType.BF16.writeDouble(cell, 0, value);
      assertEquals(cell.get(DType.SHORT, 0), direct);
      assertEquals(Float.isNaN(value), Float.isNaN(Float.intBitsToFloat(direct << 16)));
    }
  }

  @Test
  void aNanOfBfloat16KeepsThePayloadThatFits() {
    assertEquals((short) 0x7fe3, DType.toBfloat16(Float.intBitsToFloat(0x7fe3_0000)));
    // a signalling one whose payload lies in the lower half becomes quiet, not infinite
    assertEquals((short) 0xffc0, DType.toBfloat16(Float.intBitsToFloat(0xff80_0001)));
  }

  @ParameterizedTest
  @CsvSource({
    "I8, -1.9, -1",
    "I8, 127, 127",
    "U8, 255.5, 255",
    "I32, 2.9, 2",
    "I32, -2.9, -2",
    "I32, 1e10, 2147483647",
    "I32, -1e10, -2147483648",
    "I64, 1e30, 9223372036854775807",
    "I64, -1e30, -9223372036854775808",
    "I32, NaN, 0",
    "I64, NaN, 0",
    "BOOL, 0.5, 1",
    "BOOL, -0.0, 0",
    "BOOL, NaN, 1",
    "BOOL, 256, 1"
  })
  void integersTakeADoubleAsACastDoesAndABoolWhetherItIsZero(
      DType dtype, double value, long stored) {
    dtype.writeDouble(cell, 0, value);
    assertEquals(stored, dtype.readLong(cell, 0));
    assertEquals((double) stored, dtype.readDouble(cell, 0));
  }

  @ParameterizedTest
  @CsvSource({
    "I8, 300, 44", "I8, 128, -128", "U8, -1, 255", "U8, 256, 0", "I32, 4294967297, 1",
    "I64, -5, -5", "BOOL, 256, 1", "BOOL, 0, 0", "F32, 16777217, 16777216", "F16, -3, -3",
    "BF16, 257, 256"
  })
  void aLongWrapsInAnIntegerAndRoundsInAFloat(DType dtype, long value, long stored) {
    dtype.writeLong(cell, 0, value);
    assertEquals(stored, dtype.readLong(cell, 0));
  }

  @ParameterizedTest
  @EnumSource
  void valuesLieLittleEndianAtAnyAddress(DType dtype) {
    MemorySegment memory = MemorySegment.ofArray(new byte[16]);
    dtype.writeLong(memory, 3, 1);
    assertEquals(1, dtype.readLong(memory, 3));
    long bits = 0;
    for (int i = 0; i < dtype.bytes(); i++) {
      bits |= (memory.get(DType.BYTE, 3 + i) & 0xffL) << 8 * i;
    }
    long one =
        switch (dtype) {
          case F64 -> Double.doubleToLongBits(1);
          case F32 -> Float.floatToIntBits(1);
          case F16 -> 0x3c00;
          case BF16 -> 0x3f80;
          default -> 1;
        };
    assertEquals(one, bits);
    assertEquals(0, memory.get(DType.BYTE, 2));
    assertEquals(0, memory.get(DType.BYTE, 3 + dtype.bytes()));
  }

  @Test
  void typesAreFloatingIntegerOrNeither() {
    for (DType dtype : DType.values()) {
      boolean floating = dtype.name().contains("F");
      assertEquals(floating, dtype.isFloating(), dtype.name());
      assertEquals(!floating && dtype != DType.BOOL, dtype.isInteger(), dtype.name());
    }
    assertEquals("bf16", DType.BF16.toString());
  }
}
