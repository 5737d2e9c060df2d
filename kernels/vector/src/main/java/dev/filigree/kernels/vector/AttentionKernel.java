package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of one head of one sequence, up to 64 queries at a time, all in cache. Keys and values
 * of the head are laid out as the weights of two dense products, scores and context are panels with
 * vectors along queries:
 *
 * <pre>
 *   heap     keys    [keys / 4][width][4]      scores^T [keys, queries]  = keys * queries^T
 *            values  [width / 4][keys][4]      context^T [width, queries] = values^T * softmax(scores)^T
 *   scratch  queries [width][64] | scores [keys][64] | context [width][64] | sums [16][64]
 * </pre>
 */
final class AttentionKernel {
  private static final int TILE = DenseTiles.OUTPUTS;

  /**
   * Sums a softmax adds up before it joins them, of every sixteenth key each or every eighth: as
   * many as the vectors of ONNX Runtime's softmax have lanes, which run along the keys. With the
   * same order the result has the same bits, and a model that rounds it to integers gets the same
   * ones.
   */
  private static final int SUMS = Lanes.COUNT >= 16 ? 16 : 8;

  private AttentionKernel() {}

  /** Rows rounded up to whole tiles. */
  private static int padded(int rows) {
    return (rows + TILE - 1) / TILE * TILE;
  }

  /** Floats of heap scratch. */
  static int floats(AttentionCall call) {
    return padded(call.keys()) * call.width() + padded(call.width()) * call.keys();
  }

  /** Bytes of scratch off the heap. */
  static long bytes(AttentionCall call) {
    long rows = 2L * padded(call.width()) + padded(call.keys()) + SUMS;
    return rows * Panels.FULL * Float.BYTES;
  }

  static void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    int values = padded(call.keys()) * call.width();
    packKeys(call, batch, call.form().keyHead(head), heap);
    packValues(call, batch, call.form().keyHead(head), heap, values);
    for (int first = 0; first < call.queries(); first += Panels.FULL) {
      int count = Math.min(Panels.FULL, call.queries() - first);
      int width = (count + Lanes.COUNT - 1) / Lanes.COUNT * Lanes.COUNT;
      block(call, batch, head, first, count, width, heap, values, scratch);
    }
  }

  /** Attention of some queries, in scratch panels of {@code width} tokens. */
  private static void block(
      AttentionCall call,
      int batch,
      int head,
      int first,
      int count,
      int width,
      float[] heap,
      int values,
      long scratch) {
    int features = call.width();
    int keys = call.keys();
    long row = (long) width * Float.BYTES;
    long scores = scratch + padded(features) * row;
    long context = scores + padded(keys) * row;
    int query = batch * call.queries() + first;
    clear(scratch, scratch + features * row);
    moveQueries(call, head, query, count, scratch, row);
    clear(scores, context + padded(features) * row);
    for (int j = 0; j < keys; j += TILE) {
      DenseTiles.tileInOrder(
          scratch, row, width, heap, j * features, features, scores + j * row, row);
    }
    scaleAndMask(call, batch, head, first, width, scores);
    softmax(scores, row, keys, context + padded(features) * row, call.form().guarded());
    for (int d = 0; d < features; d += TILE) {
      DenseTiles.tileInOrder(
          scores, row, width, heap, values + d * keys, keys, context + d * row, row);
    }
    moveContext(call, head, query, count, context, row);
  }

  private static void clear(long from, long to) {
    FloatVector zero = FloatVector.zero(F);
    for (long at = from; at < to; at += BYTES) {
      zero.intoMemorySegment(ALL, at, ORDER);
    }
  }

  /** Address of a token's feature in a matrix of panels. */
  private static long address(
      AttentionCall call,
      Panels panels,
      int features,
      long matrix,
      int panel,
      int token,
      int feature) {
    return call.memory().address()
        + matrix
        + panels.offset(panel, features)
        + ((long) feature * panels.width(panel) + token - panels.start(panel)) * Float.BYTES;
  }

  private static void packKeys(AttentionCall call, int batch, int keyHead, float[] heap) {
    int width = call.width();
    int firstKey = batch * call.keys();
    for (int j = 0; j < padded(call.keys()); j++) {
      int at = j / TILE * TILE * width + j % TILE;
      if (j >= call.keys()) {
        for (int d = 0; d < width; d++) {
          heap[at + d * TILE] = 0;
        }
        continue;
      }
      int token = firstKey + j;
      Panels panels = call.keyPanels();
      int panel = panels.of(token);
      long from =
          address(call, panels, call.keyFeatures(), call.k(), panel, token, keyHead * width);
      long step = (long) panels.width(panel) * Float.BYTES;
      for (int d = 0; d < width; d++, from += step) {
        heap[at + d * TILE] = ALL.get(DType.FLOAT, from);
      }
    }
  }

  private static void packValues(
      AttentionCall call, int batch, int keyHead, float[] heap, int start) {
    int keys = call.keys();
    int width = call.width();
    Panels panels = call.keyPanels();
    int firstKey = batch * keys;
    for (int token = firstKey; token < firstKey + keys; ) {
      int panel = panels.of(token);
      int end = Math.min(firstKey + keys, panels.start(panel) + panels.width(panel));
      for (int d = 0; d < padded(width); d++) {
        int at = start + d / TILE * TILE * keys + d % TILE + (token - firstKey) * TILE;
        long from =
            address(call, panels, call.keyFeatures(), call.v(), panel, token, keyHead * width + d);
        for (int i = token; i < end; i++, at += TILE, from += Float.BYTES) {
          heap[at] = d < width ? ALL.get(DType.FLOAT, from) : 0;
        }
      }
      token = end;
    }
  }

  private static void moveQueries(
      AttentionCall call, int head, int query, int count, long to, long row) {
    Panels panels = call.queryPanels();
    for (int token = query; token < query + count; ) {
      int panel = panels.of(token);
      int end = Math.min(query + count, panels.start(panel) + panels.width(panel));
      long bytes = (long) (end - token) * Float.BYTES;
      for (int d = 0; d < call.width(); d++) {
        MemorySegment.copy(
            ALL,
            address(call, panels, call.features(), call.q(), panel, token, head * call.width() + d),
            ALL,
            to + d * row + (long) (token - query) * Float.BYTES,
            bytes);
      }
      token = end;
    }
  }

  private static void moveContext(
      AttentionCall call, int head, int query, int count, long from, long row) {
    Panels panels = call.queryPanels();
    for (int token = query; token < query + count; ) {
      int panel = panels.of(token);
      int end = Math.min(query + count, panels.start(panel) + panels.width(panel));
      long bytes = (long) (end - token) * Float.BYTES;
      for (int d = 0; d < call.width(); d++) {
        MemorySegment.copy(
            ALL,
            from + d * row + (long) (token - query) * Float.BYTES,
            ALL,
            address(call, panels, call.features(), call.y(), panel, token, head * call.width() + d),
            bytes);
      }
      token = end;
    }
  }

  private static void scaleAndMask(
      AttentionCall call, int batch, int head, int first, int width, long scores) {
    long row = (long) width * Float.BYTES;
    boolean sameForAll = call.mask() < 0 || call.maskSteps()[2] == 0;
    for (int j = 0; j < call.keys(); j++, scores += row) {
      float added = call.mask() >= 0 && sameForAll ? call.maskAt(batch, head, first, j) : 0;
      scaleRow(scores, row, call.form().scale(), call.form().divisor(), added);
      if (!sameForAll) {
        addRow(scores, row, call.memory().address() + call.maskOffset(batch, head, first, j));
      }
    }
  }

  private static void addRow(long x, long row, long added) {
    for (long t = 0; t < row; t += BYTES) {
      FloatVector.fromMemorySegment(F, ALL, x + t, ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, added + t, ORDER))
          .intoMemorySegment(ALL, x + t, ORDER);
    }
  }

  private static void scaleRow(long x, long row, float scale, float divisor, float added) {
    FloatVector factor = FloatVector.broadcast(F, scale);
    FloatVector quotient = FloatVector.broadcast(F, divisor);
    FloatVector shift = FloatVector.broadcast(F, added);
    for (long t = 0; t < row; t += BYTES) {
      // each step is rounded, as written: a mask of the size of the largest float must not absorb
      // the product
      FloatVector.fromMemorySegment(F, ALL, x + t, ORDER)
          .mul(factor)
          .div(quotient)
          .add(shift)
          .intoMemorySegment(ALL, x + t, ORDER);
    }
  }

  /**
   * Softmax over the rows of a panel, each lane a query.
   *
   * @param sums scratch of {@link #SUMS} rows
   * @param guarded whether weights of 0 take the place of NaN
   */
  private static void softmax(long x, long row, int keys, long sums, boolean guarded) {
    clear(sums, sums + SUMS * row);
    for (long t = 0; t < row; t += BYTES) {
      FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
      long at = x + t;
      for (int j = 0; j < keys; j++, at += row) {
        most = FloatVector.fromMemorySegment(F, ALL, at, ORDER).max(most);
      }
      at = x + t;
      for (int j = 0; j < keys; j++, at += row) {
        FloatVector e = VectorMath.exp(FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(most));
        e.intoMemorySegment(ALL, at, ORDER);
        long sum = sums + t + j % SUMS * row;
        FloatVector.fromMemorySegment(F, ALL, sum, ORDER).add(e).intoMemorySegment(ALL, sum, ORDER);
      }
      for (int half = SUMS / 2, i = 0; SUMS == 16 && i < half; i++) {
        long sum = sums + t + i * row;
        FloatVector.fromMemorySegment(F, ALL, sum, ORDER)
            .add(FloatVector.fromMemorySegment(F, ALL, sum + half * row, ORDER))
            .intoMemorySegment(ALL, sum, ORDER);
      }
      // neighbours, then neighbours of those
      for (int step = 1; step < 8; step *= 2) {
        for (int i = 0; i < 8; i += 2 * step) {
          long sum = sums + t + i * row;
          FloatVector.fromMemorySegment(F, ALL, sum, ORDER)
              .add(FloatVector.fromMemorySegment(F, ALL, sum + step * row, ORDER))
              .intoMemorySegment(ALL, sum, ORDER);
        }
      }
      FloatVector sum = FloatVector.fromMemorySegment(F, ALL, sums + t, ORDER);
      FloatVector inverse = FloatVector.broadcast(F, 1f).div(sum);
      at = x + t;
      for (int j = 0; j < keys; j++, at += row) {
        FloatVector.fromMemorySegment(F, ALL, at, ORDER)
            .mul(inverse)
            .intoMemorySegment(ALL, at, ORDER);
      }
      VectorMask<Float> none = sum.test(VectorOperators.IS_NAN);
      at = x + t;
      for (int j = 0; guarded && j < keys && none.anyTrue(); j++, at += row) {
        FloatVector.fromMemorySegment(F, ALL, at, ORDER)
            .blend(0, none)
            .intoMemorySegment(ALL, at, ORDER);
      }
    }
  }
}
