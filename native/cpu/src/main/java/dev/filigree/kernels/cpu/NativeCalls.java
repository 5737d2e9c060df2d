package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/**
 * The native functions of one kind, called with addresses. The caller keeps the memory they point
 * to alive. A call takes microseconds, so that handles need be no constants of the compiler.
 */
final class NativeCalls {
  private final Instructions instructions;
  private final MethodHandle linear;
  private final MethodHandle encode;
  private final MethodHandle codes;
  private final MethodHandle range;

  NativeCalls(NativeLibrary library, Instructions instructions) {
    this.instructions = instructions;
    linear =
        library.handle(
            instructions.linear(),
            FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    encode =
        library.handle(
            instructions.encode(),
            FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    codes =
        instructions.isInteger()
            ? library.handle(
                instructions.codes(),
                FunctionDescriptor.ofVoid(
                    JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_FLOAT, JAVA_INT))
            : null;
    range =
        instructions.isInteger()
            ? library.handle(
                instructions.range(), FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG))
            : null;
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
      linear.invokeExact(descriptor, start, width, from, to);
    } catch (Throwable thrown) {
      throw failed(thrown);
    }
  }

  /** Encodes a panel, by addresses. */
  void encode(long x, long width, long features, long to) {
    try {
      encode.invokeExact(x, width, features, to);
    } catch (Throwable thrown) {
      throw failed(thrown);
    }
  }

  /** Encodes a panel with a given scale and zero point, by addresses. */
  void encode(long x, long width, long features, long to, float scale, int zeroPoint) {
    try {
      codes.invokeExact(x, width, features, to, scale, zeroPoint);
    } catch (Throwable thrown) {
      throw failed(thrown);
    }
  }

  /** Finds the range of values, by addresses. */
  void range(long x, long count, long to) {
    try {
      range.invokeExact(x, count, to);
    } catch (Throwable thrown) {
      throw failed(thrown);
    }
  }

  /** C throws nothing; what is caught here is an error of the virtual machine. */
  private static RuntimeException failed(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    return new IllegalStateException(thrown);
  }
}
