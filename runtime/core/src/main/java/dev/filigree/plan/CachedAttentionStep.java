package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Attention over a cache, in two rounds: each head of keys puts the piece's tokens into the cache,
 * then each token and head of queries goes through the pages.
 *
 * @param cache whose pages sequences have
 * @param form how it attends
 * @param q in panels {@code [tokens, heads * width]}
 * @param k in panels {@code [tokens, keyHeads * width]}
 * @param v in panels {@code [tokens, keyHeads * width]}
 * @param y in panels, of q's shape
 * @param queryNorm scales of a normalisation of each query {@code [width]}, or null
 * @param keyNorm scales of a normalisation of each key, or null
 * @param sinks what the sink of each head scores, or null
 * @param longest tokens of a sequence at most
 */
record CachedAttentionStep(
    Kernels kernels,
    KvCache cache,
    CachedAttention.Form form,
    Slot q,
    Slot k,
    Slot v,
    Slot y,
    float[] queryNorm,
    float[] keyNorm,
    float[] sinks,
    int longest)
    implements Step {
  /** Scores of all pages, and a head of a token. */
  @Override
  public int scratchFloats() {
    return padded(longest) + cache.width() + cache.padded();
  }

  @Override
  public long scratchBytes() {
    return (padded(longest) + 1L) * Float.BYTES;
  }

  private static int padded(int tokens) {
    return Math.ceilDiv(tokens, KvCache.PAGE) * KvCache.PAGE;
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final DecoderState state;
    private final int width = cache.width();
    private final int scores;
    private final int layer = form.layer();
    private final int heads = form.heads();
    private final int keyHeads = form.keyHeads();
    private final int window = form.window();
    private final WorkerPool.Body remember = this::remember;
    private final WorkerPool.Body attend = this::attend;

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
      this.state = workspace.decoder();
      this.scores = padded(longest);
    }

    @Override
    public void run(WorkerPool pool) {
      pool.forEach(keyHeads, remember);
      pool.forEach(state.count() * heads, attend);
    }

    /** Reads one head of one token from panels. */
    private void read(Slot slot, int token, int head, float[] into, int at) {
      int panel = slot.panels().of(token);
      int lanes = slot.panels().width(panel);
      long from =
          slot.offset()
              + slot.panels().offset(panel, slot.features())
              + ((long) head * width * lanes + token - slot.panels().start(panel)) * Float.BYTES;
      for (int d = 0; d < width; d++) {
        into[at + d] = memory.get(DType.FLOAT, from + (long) d * lanes * Float.BYTES);
      }
    }

    private void normalize(float[] head, int at, float[] norm) {
      if (norm == null) {
        return;
      }
      double square = 0;
      for (int d = 0; d < width; d++) {
        square += (double) head[at + d] * head[at + d];
      }
      double root = Math.sqrt(square / width + form.epsilon());
      for (int d = 0; d < width; d++) {
        head[at + d] = (float) (head[at + d] / root) * norm[d];
      }
    }

    /** Turns pairs of features by their angles: one half with the other, or neighbours. */
    private void rotate(float[] head, int at, int position) {
      if (form.rotation() < 0) {
        return;
      }
      DecoderState.Turns turns = state.turns(form.rotation());
      int half = turns.turned() / 2;
      int turn = position * turns.turned();
      int step = form.neighbours() ? 2 : 1;
      int apart = form.neighbours() ? 1 : half;
      for (int d = 0; d < half; d++) {
        int one = at + d * step;
        float first = head[one];
        float second = head[one + apart];
        float cos = turns.table()[turn + d];
        float sin = turns.table()[turn + half + d];
        head[one] = first * cos - second * sin;
        head[one + apart] = second * cos + first * sin;
      }
    }

    /** Normalises and turns a head, in the order of the form. */
    private void prepare(float[] head, int at, float[] norm, int position) {
      if (form.turnedFirst()) {
        rotate(head, at, position);
        normalize(head, at, norm);
      } else {
        normalize(head, at, norm);
        rotate(head, at, position);
      }
    }

    private void grow(float[] query, int position) {
      if (form.growth().rate() == 0) {
        return;
      }
      float factor = form.growth().at(position);
      for (int d = scores; d < scores + width; d++) {
        query[d] *= factor;
      }
    }

    private void remember(int head, int worker) {
      float[] scratch = workspace.floats(worker);
      KvCache.Sequence sequence = state.sequence();
      for (int t = 0; t < state.count(); t++) {
        int position = sequence.length() + t;
        MemorySegment page = sequence.page(position / KvCache.PAGE);
        int inPage = position % KvCache.PAGE;
        read(k, t, head, scratch, 0);
        prepare(scratch, 0, keyNorm, position);
        long keys = cache.keys(layer, head) + (long) inPage * Float.BYTES;
        for (int d = 0; d < width; d++) {
          page.set(DType.FLOAT, keys + (long) d * KvCache.PAGE * Float.BYTES, scratch[d]);
        }
        read(v, t, head, scratch, 0);
        long values = cache.values(layer, head) + (long) inPage * cache.padded() * Float.BYTES;
        MemorySegment.copy(scratch, 0, page, DType.FLOAT, values, width);
      }
    }

    private void attend(int item, int worker) {
      int token = item / heads;
      int head = item % heads;
      int keyHead = head / (heads / keyHeads);
      float[] scratch = workspace.floats(worker);
      KvCache.Sequence sequence = state.sequence();
      int seen = sequence.length() + token + 1;
      int pages = Math.ceilDiv(seen, KvCache.PAGE);
      int first = window == 0 ? 0 : Math.max(0, seen - window);
      int firstPage = first / KvCache.PAGE;
      read(q, token, head, scratch, scores);
      prepare(scratch, scores, queryNorm, seen - 1);
      grow(scratch, seen - 1);
      long own = cache.scratch(worker);
      for (int p = firstPage; p < pages; p++) {
        MemorySegment page = sequence.page(p);
        kernels.weightedSum(
            page, cache.keys(layer, keyHead), width, KvCache.PAGE, scratch, scores, 0, own);
        MemorySegment.copy(page, DType.FLOAT, own, scratch, p * KvCache.PAGE, KvCache.PAGE);
      }
      softmax(scratch, head, first, seen, workspace.scratch(worker));
      // what the window's first page holds in front of the window is seen no more
      Arrays.fill(scratch, firstPage * KvCache.PAGE, first, 0);
      int sum = scores + width;
      Arrays.fill(scratch, sum, sum + width, 0);
      for (int p = firstPage; p < pages; p++) {
        MemorySegment page = sequence.page(p);
        int used = Math.min(KvCache.PAGE, seen - p * KvCache.PAGE);
        long part = own + (long) KvCache.PAGE * Float.BYTES;
        kernels.weightedSum(
            page,
            cache.values(layer, keyHead),
            used,
            cache.padded(),
            scratch,
            p * KvCache.PAGE,
            0,
            part);
        for (int d = 0; d < width; d++) {
          scratch[sum + d] += page.get(DType.FLOAT, part + (long) d * Float.BYTES);
        }
      }
      write(token, head, scratch, sum);
    }

    private void softmax(float[] scratch, int head, int first, int seen, long at) {
      for (int i = first; i < seen; i++) {
        scratch[i] = capped(scratch[i] * form.scale());
      }
      addBias(scratch, head, first, seen);
      int count = seen - first;
      MemorySegment.copy(scratch, first, memory, DType.FLOAT, at, count);
      if (sinks != null) {
        memory.set(DType.FLOAT, at + (long) count * Float.BYTES, sinks[head]);
        count++;
      }
      kernels.softmax(memory, at, at, count);
      MemorySegment.copy(memory, DType.FLOAT, at, scratch, first, seen - first);
    }

    /** Less what the last place has: what all scores have in common would cost them digits. */
    private void addBias(float[] scratch, int head, int first, int seen) {
      if (!form.bias().isPresent()) {
        return;
      }
      for (int i = first; i < seen; i++) {
        scratch[i] += form.bias().below(head, i, seen - 1);
      }
    }

    private float capped(float score) {
      float cap = form.cap();
      return cap == 0 ? score : cap * (float) Math.tanh(score / cap);
    }

    private void write(int token, int head, float[] scratch, int at) {
      int panel = y.panels().of(token);
      int lanes = y.panels().width(panel);
      long to =
          y.offset()
              + y.panels().offset(panel, y.features())
              + ((long) head * width * lanes + token - y.panels().start(panel)) * Float.BYTES;
      for (int d = 0; d < width; d++) {
        memory.set(DType.FLOAT, to + (long) d * lanes * Float.BYTES, scratch[at + d]);
      }
    }
  }
}
