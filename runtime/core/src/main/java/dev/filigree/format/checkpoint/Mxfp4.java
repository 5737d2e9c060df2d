package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Floats of four bits in blocks of 32 along the inputs that share a power of two (Open Compute
 * Project, Microscaling Formats, MXFP4), as gpt-oss is published:
 *
 * <pre>
 *   blocks U8 [out, in / 32, 16]    byte: v1 v0, each sign | exponent (2 bits) | mantissa (1 bit)
 *   scales U8 [out, in / 32]        the exponent, 127 more than it is; 255 is no number
 * </pre>
 *
 * <p>Twice a value is a whole number to 12, so that integers of 8 bits hold all of them without
 * loss, scaled by half the power of two in bf16.
 */
final class Mxfp4 {
  /** Values of a block. */
  private static final int BLOCK = 32;

  /** Twice the values that the three bits without the sign stand for. */
  private static final int[] DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12};

  private static final int SIGN = 8;

  /**
   * What stands for zero: close to the codes, as kernels take its share from sums of products, and
   * more would cost them digits.
   */
  private static final int ZERO = 12;

  private static final int NO_NUMBER = 255;

  private Mxfp4() {}

  /** The weights of a layer. */
  static Weights read(LayerParts parts) {
    SafetensorsFile.Entry blocks = parts.require("blocks");
    parts.requireType(blocks, SafetensorsType.U8);
    if (blocks.shape().rank() != 3 || blocks.shape().elements() == 0) {
      throw parts.wrong("its blocks have the shape " + blocks.shape());
    }
    long groups = blocks.shape().extent(1);
    int rows = Math.toIntExact(blocks.shape().extent(0));
    int columns = Math.toIntExact(groups * BLOCK);
    parts.requireShape(blocks, rows, groups, BLOCK / 2);
    MemorySegment exponents = parts.data("scales", SafetensorsType.U8, rows, groups);
    return new Packed(
        rows,
        columns,
        new PackedIntegers(
            Byte.SIZE,
            columns,
            BLOCK,
            integers(parts, blocks.data()),
            DType.BF16,
            scales(parts, exponents),
            parts.arena().allocate(exponents.byteSize(), 64).fill((byte) ZERO),
            PackedIntegers.NONE));
  }

  private static MemorySegment integers(LayerParts parts, MemorySegment codes) {
    byte[] pairs = new byte[2 << Byte.SIZE];
    for (int pair = 0; pair < 1 << Byte.SIZE; pair++) {
      pairs[2 * pair] = integer(pair & 0xf);
      pairs[2 * pair + 1] = integer(pair >> 4);
    }
    MemorySegment integers = parts.arena().allocate(2 * codes.byteSize(), 64);
    for (long i = 0; i < codes.byteSize(); i++) {
      int pair = 2 * (codes.get(DType.BYTE, i) & 0xff);
      integers.set(DType.BYTE, 2 * i, pairs[pair]);
      integers.set(DType.BYTE, 2 * i + 1, pairs[pair + 1]);
    }
    return integers;
  }

  private static byte integer(int code) {
    int twice = DOUBLED[code & SIGN - 1];
    return (byte) (ZERO + ((code & SIGN) == 0 ? twice : -twice));
  }

  /** Half the powers of two as bf16. */
  private static MemorySegment scales(LayerParts parts, MemorySegment exponents) {
    MemorySegment scales = parts.arena().allocate(2 * exponents.byteSize(), 64);
    for (long i = 0; i < exponents.byteSize(); i++) {
      int exponent = exponents.get(DType.BYTE, i) & 0xff;
      if (exponent == NO_NUMBER) {
        throw parts.wrong("its scales hold NaN");
      }
      DType.BF16.writeDouble(scales, 2 * i, Math.scalb(1.0, exponent - 128));
    }
    return scales;
  }
}
