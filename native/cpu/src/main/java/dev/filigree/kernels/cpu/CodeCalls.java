package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** The native product of one token with weights of 4-bit codes. Thread-safe. */
final class CodeCalls {
  private static final String TOKEN = "fg_codes_token_avx2";

  private final NativeLibrary library;

  /** Null until a model has such weights: a handle takes ten milliseconds. */
  private volatile MethodHandle token;

  CodeCalls(NativeLibrary library) {
    this.library = library;
  }

  /** {@code (descriptor, x, y, from, to)}: addresses, and the rows. */
  MethodHandle token() {
    MethodHandle made = token;
    if (made == null) {
      // twice at worst, and the same
      made =
          library.handle(
              TOKEN,
              FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
      token = made;
    }
    return made;
  }
}
