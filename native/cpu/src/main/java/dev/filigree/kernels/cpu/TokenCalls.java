package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** The native products of one token with weights as a file has them. Thread-safe. */
final class TokenCalls {
  /** Lanes of vectors of which sixteen centroids fill two. */
  private static final int TWO_TABLES = 8;

  private final NativeLibrary library;
  private final boolean isWide;

  /** Null until a model has such weights: a handle takes ten milliseconds. */
  private volatile MethodHandle codes;

  private volatile MethodHandle codes24;

  private volatile MethodHandle bytes;

  /** The best kernels that the processor can run. */
  TokenCalls(NativeLibrary library) {
    this(library, Instructions.AVX512_VNNI.isPermitted(library.processor()));
  }

  /**
   * Kernels.
   *
   * @param isWide whether with vectors of 512 bits, or else of 256
   */
  TokenCalls(NativeLibrary library, boolean isWide) {
    this.library = library;
    this.isWide = isWide;
  }

  /** Codes of 4 bits that one token streams through in a nanosecond, as measured. */
  double codesPerNano() {
    return isWide ? 48 : 12;
  }

  /** Kept weights of 2:4 ones that are codes of 4 bits, likewise. */
  static double keptCodesPerNano() {
    return 36;
  }

  /** Integers of 8 bits that one token streams through in a nanosecond, as measured. */
  static double bytesPerNano() {
    return 28;
  }

  /** Whether there are kernels of integers: with narrower vectors the Vector API's are as fast. */
  boolean hasBytes() {
    return isWide;
  }

  /** Whether there are kernels of 2:4 codes: a codebook must fit a vector. */
  boolean hasCodes24() {
    return isWide;
  }

  /**
   * Whether those of codes are faster than kernels with vectors of so many lanes, which look a code
   * up in one step if all centroids fit a vector.
   */
  boolean isFasterThan(int lanes) {
    return isWide || lanes <= TWO_TABLES;
  }

  /** Of 4-bit codes, {@code (descriptor, x, y, from, to)}: addresses, and the rows. */
  MethodHandle codes() {
    MethodHandle made = codes;
    if (made == null) {
      made = handle(isWide ? "fg_codes_token_avx512" : "fg_codes_token_avx2");
      codes = made;
    }
    return made;
  }

  /** Of 2:4 weights that are codes of 4 bits, likewise. */
  MethodHandle codes24() {
    MethodHandle made = codes24;
    if (made == null) {
      made = handle("fg_codes24_token_avx512");
      codes24 = made;
    }
    return made;
  }

  /** Of integers of 8 bits, likewise. */
  MethodHandle bytes() {
    MethodHandle made = bytes;
    if (made == null) {
      made = handle("fg_bytes_token_avx512");
      bytes = made;
    }
    return made;
  }

  /** Made twice at worst, and the same. */
  private MethodHandle handle(String function) {
    return library.handle(
        function, FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
  }
}
