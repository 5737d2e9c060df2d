package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.HeadPacking.address;
import static dev.filigree.kernels.vector.HeadPacking.padded;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Attention of one head of one sequence, up to 64 queries at a time, all in cache. Keys and values
 * of the head are laid out as the weights of two dense products, scores and context are panels with
 * vectors along queries:
 *
 * <pre>
 *   heap     keys    [keys / 4][width][4]      scores^T [keys, queries]  = keys * queries^T
 *            values  [width / 4][keys][4]      context^T [width, queries] = values^T * softmax(scores)^T
 *            mask    [keys]
 *   scratch  queries [width][64] | scores [keys][64] | rows of the softmax | context [width][64]
 * </pre>
 */
final class AttentionKernel {
  private static final int TILE = DenseTiles.OUTPUTS;

  private AttentionKernel() {}

  /** Floats of heap scratch. */
  static int floats(AttentionCall call) {
    return padded(call.keys()) * call.width() + (padded(call.width()) + 1) * call.keys();
  }

  /** Bytes of scratch off the heap. */
  static long bytes(AttentionCall call) {
    long rows = 2L * padded(call.width()) + padded(call.keys()) + ScoreSoftmax.SCRATCH;
    return rows * Panels.FULL * Float.BYTES;
  }

  static void attend(AttentionCall call, int batch, int head, float[] heap, long scratch) {
    int values = padded(call.keys()) * call.width();
    HeadPacking.keys(call, batch, call.form().keyHead(head), heap);
    HeadPacking.values(call, batch, call.form().keyHead(head), heap, values);
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
    long rest = scores + padded(keys) * row;
    int query = call.firstQuery(batch) + first;
    Panels panels = call.queryPanels();
    int panel = panels.of(query);
    // a block that is a whole panel is read and written where it lies
    boolean isPanel =
        features % TILE == 0
            && count == width
            && panels.start(panel) == query
            && panels.width(panel) == width;
    int feature = head * features;
    long queries = scratch;
    long context = rest + ScoreSoftmax.SCRATCH * row;
    if (isPanel) {
      queries = address(call, panels, call.features(), call.q(), panel, query, feature);
      context = address(call, panels, call.features(), call.y(), panel, query, feature);
    } else {
      clear(scratch, scratch + features * row);
      moveQueries(call, head, query, count, scratch, row);
    }
    clear(scores, rest);
    clear(context, context + padded(features) * row);
    for (int j = 0; j < keys; j += TILE) {
      DenseTiles.tileInOrder(
          queries, row, width, heap, j * features, features, scores + j * row, row);
    }
    int added = values + padded(features) * keys;
    scaleAndMask(call, batch, head, first, row, heap, added, scores);
    ScoreSoftmax.softmax(scores, row, keys, rest, call.form().guarded());
    for (int d = 0; d < features; d += TILE) {
      DenseTiles.tileInOrder(
          scores, row, width, heap, values + d * keys, keys, context + d * row, row);
    }
    if (!isPanel) {
      moveContext(call, head, query, count, context, row);
    }
  }

  private static void clear(long from, long to) {
    FloatVector zero = FloatVector.zero(F);
    for (long at = from; at < to; at += BYTES) {
      zero.intoMemorySegment(ALL, at, ORDER);
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
      AttentionCall call,
      int batch,
      int head,
      int first,
      long row,
      float[] heap,
      int added,
      long scores) {
    boolean sameForAll = call.mask() < 0 || call.maskSteps()[2] == 0;
    int keys = call.keys();
    for (int j = 0; j < keys; j++) {
      boolean isMasked = sameForAll && call.mask() >= 0;
      heap[added + j] = isMasked ? call.maskAt(batch, head, first, j) : 0;
    }
    float divisor = call.form().divisor();
    if (divisor == 1) {
      ScoreSoftmax.multiply(scores, row, keys, call.form().scale(), heap, added);
    } else {
      ScoreSoftmax.scale(scores, row, keys, call.form().scale(), divisor, heap, added);
    }
    if (!sameForAll) {
      long mask = call.memory().address() + call.maskOffset(batch, head, first, 0);
      ScoreSoftmax.add(scores, row, keys, mask, call.maskSteps()[3] * Float.BYTES);
    }
  }
}
