package dev.filigree.kernels.vector;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vectors of this machine and the memory they read. Kernels address memory by number through
 * one segment that spans all of it: its bounds are constants to the compiler, and the offsets were
 * checked when the operands were laid out.
 *
 * <p>One rule keeps the kernels free of objects: what a loop accumulates is an argument and never a
 * receiver, {@code a = x.add(a)} and not {@code a = a.add(x)}. All that C2 knows of a value carried
 * around a loop is the abstract type. As a receiver it makes a call that only a profile of the
 * Vector API's own methods can resolve, and on a busy machine a kernel may be compiled before there
 * is one; then every vector is an object for the life of the process. {@code x} was just loaded and
 * has an exact type, so that everything is inlined without a profile, and with it the accumulator's
 * type becomes exact too. After the loop the same holds: {@code one.fma(a, b)} adds two sums.
 */
final class Lanes {
  static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
  static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
  static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** f32 lanes. */
  static final int COUNT = F.length();

  /** Bytes of a vector. */
  static final int BYTES = COUNT * Float.BYTES;

  /** Whether there are 32 vector registers, enough for a tile of 16 accumulators. */
  static final boolean MANY_REGISTERS = COUNT == 16;

  /** All memory. */
  @SuppressWarnings("restricted")
  static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  /**
   * All bits an address may have. An address that was masked with it cannot be negative or too
   * large, which the compiler can tell, so that the bounds check of every load from {@link #ALL}
   * costs one operation for a row instead of a comparison for a vector: a quarter of the time of a
   * dense tile.
   */
  static final long ADDRESS = (1L << 56) - 1;

  private Lanes() {}

  /** Bits of a vector. */
  static int bits() {
    return F.vectorBitSize();
  }
}
