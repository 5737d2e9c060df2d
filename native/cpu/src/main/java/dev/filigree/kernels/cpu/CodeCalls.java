package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** The native product of one token with weights of 4-bit codes. Thread-safe. */
final class CodeCalls {
  /** Lanes of vectors of which sixteen centroids fill two. */
  private static final int TWO_TABLES = 8;

  private final NativeLibrary library;
  private final boolean isWide;

  /** Null until a model has such weights: a handle takes ten milliseconds. */
  private volatile MethodHandle token;

  /** The best kernel that the processor can run. */
  CodeCalls(NativeLibrary library) {
    this(library, Instructions.AVX512_VNNI.isPermitted(library.processor()));
  }

  /**
   * A kernel.
   *
   * @param isWide whether with vectors of 512 bits, or else of 256
   */
  CodeCalls(NativeLibrary library, boolean isWide) {
    this.library = library;
    this.isWide = isWide;
  }

  /** Weights a nanosecond that one token streams through, as measured. */
  double perNano() {
    return isWide ? 48 : 12;
  }

  /**
   * Whether it is faster than kernels with vectors of so many lanes, which look a code up in one
   * step if all centroids fit a vector.
   */
  boolean isFasterThan(int lanes) {
    return isWide || lanes <= TWO_TABLES;
  }

  /** {@code (descriptor, x, y, from, to)}: addresses, and the rows. */
  MethodHandle token() {
    MethodHandle made = token;
    if (made == null) {
      // twice at worst, and the same
      made =
          library.handle(
              isWide ? "fg_codes_token_avx512" : "fg_codes_token_avx2",
              FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
      token = made;
    }
    return made;
  }
}
