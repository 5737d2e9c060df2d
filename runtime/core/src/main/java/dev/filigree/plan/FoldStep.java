package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Sums f32 elements, or their squares, along neighbouring axes of a row-major value. Each sum is in
 * double and in the order of the elements, as the reference has it, so that it is the same whatever
 * the threads; several are made at a time, or each addition would wait for the one before.
 *
 * @param x {@code [outer, count, inner]}
 * @param y {@code [outer, inner]}
 * @param squares whether squares are summed
 * @param end what becomes of a sum
 */
record FoldStep(Slot x, Slot y, long outer, long count, long inner, boolean squares, End end)
    implements Step {
  /** What becomes of a sum. */
  enum End {
    SUM,
    MEAN,
    ROOT
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
            eight(memory, from + i * lane, lane, step, to + i * Float.BYTES);
          }
          for (; i < sums; i++) {
            one(memory, from + i * lane, step, to + i * Float.BYTES);
          }
        };
    int items = Math.toIntExact((rows ? 1 : outer) * parts);
    return PlaneSteps.over(items, x.shape().elements(), body);
  }

  private void one(MemorySegment memory, long from, long step, long to) {
    double sum = 0;
    for (long i = 0; i < count; i++, from += step) {
      double v = memory.get(DType.FLOAT, from);
      sum += squares ? v * v : v;
    }
    store(memory, to, sum);
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
    boolean square = squares;
    for (long i = 0; i < count; i++, from += step) {
      a += term(memory.get(DType.FLOAT, from), square);
      b += term(memory.get(DType.FLOAT, from + lane), square);
      c += term(memory.get(DType.FLOAT, from + 2 * lane), square);
      d += term(memory.get(DType.FLOAT, from + 3 * lane), square);
      e += term(memory.get(DType.FLOAT, from + 4 * lane), square);
      f += term(memory.get(DType.FLOAT, from + 5 * lane), square);
      g += term(memory.get(DType.FLOAT, from + 6 * lane), square);
      h += term(memory.get(DType.FLOAT, from + 7 * lane), square);
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

  private static double term(double v, boolean square) {
    return square ? v * v : v;
  }

  private void store(MemorySegment memory, long to, double sum) {
    double result =
        switch (end) {
          case SUM -> sum;
          case MEAN -> sum / count;
          case ROOT -> Math.sqrt(sum);
        };
    memory.set(DType.FLOAT, to, (float) result);
  }
}
