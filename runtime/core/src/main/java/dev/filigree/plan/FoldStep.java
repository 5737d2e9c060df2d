package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Folds f32 elements along neighbouring axes of a row-major value. Each sum is in double and in the
 * order of the elements, as the reference has it, so that it is the same whatever the threads;
 * several are made at a time, or each addition would wait for the one before.
 *
 * @param x {@code [outer, count, inner]}
 * @param y {@code [outer, inner]}
 * @param fold what is made of them
 */
record FoldStep(Slot x, Slot y, long outer, long count, long inner, Fold fold) implements Step {
  /** What is made of elements. */
  enum Fold {
    SUM,
    MEAN,
    /** The sum of magnitudes. */
    MAGNITUDE,
    /** The sum of squares. */
    SQUARES,
    /** The root of that. */
    ROOT,
    LARGEST,
    SMALLEST;

    private boolean squares() {
      return this == SQUARES || this == ROOT;
    }
  }

  /** Sums made at a time: enough to hide that an addition takes some cycles. */
  private static final int LANES = 8;

  /** Elements that a thread takes at a time, about. */
  private static final long SHARE = 1 << 14;

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    long each = Math.ceilDiv(Math.max(1, SHARE / count), (long) LANES) * LANES;
    // rows lie one after the other, columns side by side
    boolean rows = inner == 1;
    long line = rows ? outer : inner;
    long step = (rows ? 1 : inner) * Float.BYTES;
    long lane = (rows ? count : 1) * Float.BYTES;
    long parts = Math.ceilDiv(line, each);
    WorkerPool.Body body =
        (item, worker) -> {
          long first = item % parts * each;
          long start = rows ? 0 : item / parts * count * inner * Float.BYTES;
          long from = x.offset() + start + first * lane;
          long to = y.offset() + (item / parts * line + first) * Float.BYTES;
          long sums = Math.min(each, line - first);
          long i = 0;
          for (; i + LANES <= sums; i += LANES) {
            if (fold == Fold.LARGEST || fold == Fold.SMALLEST) {
              eightExtremes(memory, from + i * lane, lane, step, to + i * Float.BYTES);
            } else {
              eight(memory, from + i * lane, lane, step, to + i * Float.BYTES);
            }
          }
          for (; i < sums; i++) {
            one(memory, from + i * lane, step, to + i * Float.BYTES);
          }
        };
    int items = Math.toIntExact((rows ? 1 : outer) * parts);
    return PlaneSteps.over(items, x.shape().elements(), body);
  }

  private void one(MemorySegment memory, long from, long step, long to) {
    double folded =
        switch (fold) {
          case LARGEST -> Double.NEGATIVE_INFINITY;
          case SMALLEST -> Double.POSITIVE_INFINITY;
          default -> 0;
        };
    for (long i = 0; i < count; i++, from += step) {
      double v = memory.get(DType.FLOAT, from);
      folded =
          switch (fold) {
            case SUM, MEAN -> folded + v;
            case MAGNITUDE -> folded + Math.abs(v);
            case SQUARES, ROOT -> folded + v * v;
            case LARGEST -> Math.max(folded, v);
            case SMALLEST -> Math.min(folded, v);
          };
    }
    store(memory, to, folded);
  }

  private void eight(MemorySegment memory, long from, long lane, long step, long to) {
    double a = 0;
    double b = 0;
    double c = 0;
    double d = 0;
    double e = 0;
    double f = 0;
    double g = 0;
    double h = 0;
    boolean square = fold.squares();
    boolean magnitude = fold == Fold.MAGNITUDE;
    for (long i = 0; i < count; i++, from += step) {
      a += term(memory.get(DType.FLOAT, from), square, magnitude);
      b += term(memory.get(DType.FLOAT, from + lane), square, magnitude);
      c += term(memory.get(DType.FLOAT, from + 2 * lane), square, magnitude);
      d += term(memory.get(DType.FLOAT, from + 3 * lane), square, magnitude);
      e += term(memory.get(DType.FLOAT, from + 4 * lane), square, magnitude);
      f += term(memory.get(DType.FLOAT, from + 5 * lane), square, magnitude);
      g += term(memory.get(DType.FLOAT, from + 6 * lane), square, magnitude);
      h += term(memory.get(DType.FLOAT, from + 7 * lane), square, magnitude);
    }
    store(memory, to, a);
    store(memory, to + Float.BYTES, b);
    store(memory, to + 2 * Float.BYTES, c);
    store(memory, to + 3 * Float.BYTES, d);
    store(memory, to + 4 * Float.BYTES, e);
    store(memory, to + 5 * Float.BYTES, f);
    store(memory, to + 6 * Float.BYTES, g);
    store(memory, to + 7 * Float.BYTES, h);
  }

  private static double term(double v, boolean square, boolean magnitude) {
    return square ? v * v : magnitude ? Math.abs(v) : v;
  }

  private void eightExtremes(MemorySegment memory, long from, long lane, long step, long to) {
    // the largest is minus the smallest of what is turned round, NaN included
    float sign = fold == Fold.LARGEST ? 1 : -1;
    float a = Float.NEGATIVE_INFINITY;
    float b = a;
    float c = a;
    float d = a;
    float e = a;
    float f = a;
    float g = a;
    float h = a;
    for (long i = 0; i < count; i++, from += step) {
      a = Math.max(a, sign * memory.get(DType.FLOAT, from));
      b = Math.max(b, sign * memory.get(DType.FLOAT, from + lane));
      c = Math.max(c, sign * memory.get(DType.FLOAT, from + 2 * lane));
      d = Math.max(d, sign * memory.get(DType.FLOAT, from + 3 * lane));
      e = Math.max(e, sign * memory.get(DType.FLOAT, from + 4 * lane));
      f = Math.max(f, sign * memory.get(DType.FLOAT, from + 5 * lane));
      g = Math.max(g, sign * memory.get(DType.FLOAT, from + 6 * lane));
      h = Math.max(h, sign * memory.get(DType.FLOAT, from + 7 * lane));
    }
    store(memory, to, sign * a);
    store(memory, to + Float.BYTES, sign * b);
    store(memory, to + 2 * Float.BYTES, sign * c);
    store(memory, to + 3 * Float.BYTES, sign * d);
    store(memory, to + 4 * Float.BYTES, sign * e);
    store(memory, to + 5 * Float.BYTES, sign * f);
    store(memory, to + 6 * Float.BYTES, sign * g);
    store(memory, to + 7 * Float.BYTES, sign * h);
  }

  private void store(MemorySegment memory, long to, double folded) {
    double result =
        switch (fold) {
          case MEAN -> folded / count;
          case ROOT -> Math.sqrt(folded);
          default -> folded;
        };
    memory.set(DType.FLOAT, to, (float) result);
  }
}
