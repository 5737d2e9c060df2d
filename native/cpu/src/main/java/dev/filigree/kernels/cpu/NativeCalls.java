package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/**
 * The native functions of one kind, called with addresses. The caller keeps the memory they point
 * to alive. A call takes microseconds, so that handles need be no constants of the compiler.
 * Thread-safe.
 */
final class NativeCalls {
  private final NativeLibrary library;
  private final Instructions instructions;

  /** Null until the first call: a handle takes ten milliseconds, and many models need none. */
  private volatile Handles handles;

  NativeCalls(NativeLibrary library, Instructions instructions) {
    this.library = library;
    this.instructions = instructions;
  }

  /** The functions; the last two only of kinds that multiply integers. */
  private record Handles(
      MethodHandle linear, MethodHandle encode, MethodHandle codes, MethodHandle range) {
    static Handles of(NativeLibrary library, Instructions instructions) {
      return new Handles(
          library.handle(
              instructions.linear(),
              FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG)),
          library.handle(
              instructions.encode(),
              FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG)),
          instructions.isInteger()
              ? library.handle(
                  instructions.codes(),
                  FunctionDescriptor.ofVoid(
                      JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_FLOAT, JAVA_INT))
              : null,
          instructions.isInteger()
              ? library.handle(
                  instructions.range(), FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG))
              : null);
    }
  }

  private Handles handles() {
    Handles made = handles;
    if (made == null) {
      made = Handles.of(library, instructions); // twice at worst, and the same
      handles = made;
    }
    return made;
  }

  Instructions instructions() {
    return instructions;
  }

  /**
   * Computes outputs of a panel.
   *
   * @param descriptor address of a {@link LinearDescriptor}
   * @param start first token of the panel
   * @param width tokens of the panel
   * @param from first output
   * @param to output after the last
   */
  void linear(long descriptor, long start, long width, long from, long to) {
    try {
      handles().linear.invokeExact(descriptor, start, width, from, to);
    } catch (Throwable thrown) {
      throw NativeLibrary.failed(thrown);
    }
  }

  /** Encodes a panel, by addresses. */
  void encode(long x, long width, long features, long to) {
    try {
      handles().encode.invokeExact(x, width, features, to);
    } catch (Throwable thrown) {
      throw NativeLibrary.failed(thrown);
    }
  }

  /** Encodes a panel with a given scale and zero point, by addresses. */
  void encode(long x, long width, long features, long to, float scale, int zeroPoint) {
    try {
      handles().codes.invokeExact(x, width, features, to, scale, zeroPoint);
    } catch (Throwable thrown) {
      throw NativeLibrary.failed(thrown);
    }
  }

  /** Finds the range of values, by addresses. */
  void range(long x, long count, long to) {
    try {
      handles().range.invokeExact(x, count, to);
    } catch (Throwable thrown) {
      throw NativeLibrary.failed(thrown);
    }
  }
}
