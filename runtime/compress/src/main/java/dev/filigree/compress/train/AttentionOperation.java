package dev.filigree.compress.train;

import dev.filigree.kernel.fused.Attention;
import dev.filigree.plan.WorkerPool;
import java.util.Arrays;

/**
 * Scaled dot-product attention over the tokens of each text, without a mask: a batch holds texts of
 * one length.
 *
 * @param scale factor of the scores
 */
record AttentionOperation(int heads, float scale, WorkerPool pool) implements Operation {
  /**
   * Heads of texts that are computed side by side: loops over them are long enough for vector
   * instructions, which those over the tokens of a short text are not, and their values stay near.
   */
  private static final int TOGETHER = 128;

  /** Whether attention has keys and values of its own for each head. */
  static boolean knows(Attention.Form form) {
    return form.keyHeads() == form.heads();
  }

  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal q = inputs[0];
    Group[] groups = groups(q);
    float[] y = new float[q.data().length];
    pool.forEach(
        groups.length,
        (g, worker) -> {
          Group group = groups[g];
          group.gather(q.data(), inputs[1].data(), inputs[2].data());
          group.spread(group.mixed(), y);
          if (!needsGradient) {
            groups[g] = null;
          }
        });
    if (!needsGradient) {
      return new Step(q.with(y), null);
    }
    return new Step(
        q.with(y),
        (dy, wanted) -> {
          float[] dq = new float[y.length];
          float[] dk = new float[y.length];
          float[] dv = new float[y.length];
          pool.forEach(groups.length, (g, worker) -> groups[g].backward(dy, dq, dk, dv));
          return new float[][] {dq, dk, dv};
        });
  }

  private Group[] groups(Signal form) {
    int items = heads * form.samples();
    Group[] groups = new Group[Math.ceilDiv(items, TOGETHER)];
    for (int g = 0; g < groups.length; g++) {
      int first = (int) ((long) items * g / groups.length);
      int end = (int) ((long) items * (g + 1) / groups.length);
      groups[g] = new Group(form, first, end - first);
    }
    return groups;
  }

  /**
   * Some items, an item being one head of one text. An array has a value for each item. Arrays of
   * queries, keys and values are {@code [feature of the head * tokens + token]}, those of shares
   * {@code [key * tokens + query]}.
   */
  private final class Group {
    private final Signal form;
    private final int count;
    private final int tokens;
    private final int width;
    private final int[] starts;
    private float[][] q;
    private float[][] k;
    private float[][] v;
    private float[][] shares;

    Group(Signal form, int first, int count) {
      this.form = form;
      this.count = count;
      this.tokens = form.inner()[0];
      this.width = form.features() / heads;
      this.starts = new int[count];
      for (int item = 0; item < count; item++) {
        int head = (first + item) / form.samples();
        int sample = (first + item) % form.samples();
        starts[item] = head * width * form.positions() + sample * tokens;
      }
    }

    /** Takes the values of these items, and computes the shares. */
    void gather(float[] queries, float[] keys, float[] values) {
      q = gathered(queries);
      k = gathered(keys);
      scale(k);
      v = gathered(values);
      shares = pairs(k, q);
      for (int i = 0; i < tokens; i++) {
        softmax(i);
      }
    }

    private void softmax(int query) {
      float[] max = new float[count];
      Arrays.fill(max, Float.NEGATIVE_INFINITY);
      for (int j = 0; j < tokens; j++) {
        float[] s = shares[j * tokens + query];
        for (int item = 0; item < count; item++) {
          max[item] = Math.max(max[item], s[item]);
        }
      }
      float[] sum = new float[count];
      for (int j = 0; j < tokens; j++) {
        float[] s = shares[j * tokens + query];
        for (int item = 0; item < count; item++) {
          float e = Curve.exp(s[item] - max[item]);
          s[item] = e;
          sum[item] += e;
        }
      }
      for (int j = 0; j < tokens; j++) {
        float[] s = shares[j * tokens + query];
        for (int item = 0; item < count; item++) {
          s[item] /= sum[item];
        }
      }
    }

    float[][] mixed() {
      return byQuery(v, shares);
    }

    void backward(float[] dy, float[] dq, float[] dk, float[] dv) {
      float[][] own = gathered(dy);
      spread(byKey(own, shares), dv);
      float[][] ds = pairs(v, own);
      for (int i = 0; i < tokens; i++) {
        float[] along = new float[count];
        for (int j = 0; j < tokens; j++) {
          add(along, ds[j * tokens + i], shares[j * tokens + i]);
        }
        for (int j = 0; j < tokens; j++) {
          float[] d = ds[j * tokens + i];
          float[] s = shares[j * tokens + i];
          for (int item = 0; item < count; item++) {
            d[item] = s[item] * (d[item] - along[item]);
          }
        }
      }
      spread(byQuery(k, ds), dq);
      float[][] ofKeys = byKey(q, ds);
      scale(ofKeys);
      spread(ofKeys, dk);
    }

    private void scale(float[][] values) {
      for (float[] row : values) {
        for (int item = 0; item < count; item++) {
          row[item] *= scale;
        }
      }
    }

    /** For each key and query the product of their features. */
    private float[][] pairs(float[][] ofKeys, float[][] ofQueries) {
      float[][] sums = new float[tokens * tokens][count];
      for (int j = 0; j < tokens; j++) {
        for (int i = 0; i < tokens; i++) {
          add(sums[j * tokens + i], ofKeys, j, tokens, ofQueries, i, tokens, width);
        }
      }
      return sums;
    }

    /** For each feature and query the sum over keys. */
    private float[][] byQuery(float[][] ofKeys, float[][] pairs) {
      float[][] sums = new float[width * tokens][count];
      for (int d = 0; d < width; d++) {
        for (int i = 0; i < tokens; i++) {
          add(sums[d * tokens + i], ofKeys, d * tokens, 1, pairs, i, tokens, tokens);
        }
      }
      return sums;
    }

    /** For each feature and key the sum over queries. */
    private float[][] byKey(float[][] ofQueries, float[][] pairs) {
      float[][] sums = new float[width * tokens][count];
      for (int d = 0; d < width; d++) {
        for (int j = 0; j < tokens; j++) {
          add(sums[d * tokens + j], ofQueries, d * tokens, 1, pairs, j * tokens, 1, tokens);
        }
      }
      return sums;
    }

    /** Adds the products of some rows, each a step further. */
    private static void add(
        float[] sum, float[][] a, int i, int stepA, float[][] b, int j, int stepB, int times) {
      int t = 0;
      for (; t + 4 <= times; t += 4) {
        int u = i + t * stepA;
        int w = j + t * stepB;
        add(sum, a[u], b[w], a[u + stepA], b[w + stepB]);
        u += 2 * stepA;
        w += 2 * stepB;
        add(sum, a[u], b[w], a[u + stepA], b[w + stepB]);
      }
      for (; t < times; t++) {
        add(sum, a[i + t * stepA], b[j + t * stepB]);
      }
    }

    private static void add(float[] sum, float[] a, float[] b) {
      for (int item = 0; item < sum.length; item++) {
        sum[item] += a[item] * b[item];
      }
    }

    private static void add(float[] sum, float[] a, float[] b, float[] c, float[] d) {
      for (int item = 0; item < sum.length; item++) {
        sum[item] = sum[item] + a[item] * b[item] + c[item] * d[item];
      }
    }

    private float[][] gathered(float[] data) {
      float[][] values = new float[width * tokens][count];
      for (int i = 0; i < values.length; i++) {
        float[] row = values[i];
        int shift = shift(i);
        for (int item = 0; item < count; item++) {
          row[item] = data[starts[item] + shift];
        }
      }
      return values;
    }

    /** The way back of {@link #gathered}. */
    void spread(float[][] values, float[] data) {
      for (int i = 0; i < values.length; i++) {
        float[] row = values[i];
        int shift = shift(i);
        for (int item = 0; item < count; item++) {
          data[starts[item] + shift] = row[item];
        }
      }
    }

    /** How far a feature and token lie behind an item's first value. */
    private int shift(int row) {
      return row / tokens * form.positions() + row % tokens;
    }
  }
}
