package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.spi.Arithmetic;
import jdk.incubator.vector.FloatVector;

/**
 * Arithmetic on two operands of consecutive values, of which one may be a single number. Each
 * operation and form has a loop of its own: an operation that is chosen in the loop would be a
 * call.
 */
final class Combination {
  private Combination() {}

  static void run(Arithmetic operation, long a, int stepA, long b, int stepB, long y, long count) {
    long whole = stepA == 0 && stepB == 0 ? 0 : count / Lanes.COUNT * BYTES;
    // a number becomes a vector only where a loop reads it: of few values it would stay an object
    if (whole > 0) {
      vectors(operation, a, stepA, b, stepB, y, whole);
    }
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      float result = operation.apply(get(a + i * stepA), get(b + i * stepB));
      ALL.set(DType.FLOAT, y + i, result);
    }
  }

  private static void vectors(
      Arithmetic operation, long a, int stepA, long b, int stepB, long y, long bytes) {
    if (stepA == 1 && stepB == 1) {
      both(operation, a, b, y, bytes);
    } else if (stepA == 1) {
      right(operation, a, get(b), y, bytes);
    } else {
      left(operation, get(a), b, y, bytes);
    }
  }

  private static float get(long x) {
    return ALL.get(DType.FLOAT, x);
  }

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  private static void both(Arithmetic operation, long a, long b, long y, long bytes) {
    switch (operation) {
      case ADD -> addBoth(a, b, y, bytes);
      case SUBTRACT -> subBoth(a, b, y, bytes);
      case MULTIPLY -> mulBoth(a, b, y, bytes);
      case DIVIDE -> divBoth(a, b, y, bytes);
    }
  }

  private static void addBoth(long a, long b, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).add(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void subBoth(long a, long b, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).sub(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void mulBoth(long a, long b, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).mul(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void divBoth(long a, long b, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).div(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void right(Arithmetic operation, long a, float number, long y, long bytes) {
    switch (operation) {
      case ADD -> addRight(a, number, y, bytes);
      case SUBTRACT -> subRight(a, number, y, bytes);
      case MULTIPLY -> mulRight(a, number, y, bytes);
      case DIVIDE -> divRight(a, number, y, bytes);
    }
  }

  private static void addRight(long a, float number, long y, long bytes) {
    FloatVector b = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).add(b).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void subRight(long a, float number, long y, long bytes) {
    FloatVector b = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).sub(b).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void mulRight(long a, float number, long y, long bytes) {
    FloatVector b = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).mul(b).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void divRight(long a, float number, long y, long bytes) {
    FloatVector b = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      load(a + i).div(b).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void left(Arithmetic operation, float number, long b, long y, long bytes) {
    switch (operation) {
      case ADD -> addLeft(number, b, y, bytes);
      case SUBTRACT -> subLeft(number, b, y, bytes);
      case MULTIPLY -> mulLeft(number, b, y, bytes);
      case DIVIDE -> divLeft(number, b, y, bytes);
    }
  }

  private static void addLeft(float number, long b, long y, long bytes) {
    FloatVector a = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      a.add(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void subLeft(float number, long b, long y, long bytes) {
    FloatVector a = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      a.sub(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void mulLeft(float number, long b, long y, long bytes) {
    FloatVector a = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      a.mul(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  private static void divLeft(float number, long b, long y, long bytes) {
    FloatVector a = FloatVector.broadcast(F, number);
    for (long i = 0; i < bytes; i += BYTES) {
      a.div(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }
}
