package dev.filigree.compress.train;

import dev.filigree.kernel.fused.Attention;
import dev.filigree.plan.WorkerPool;

/**
 * Scaled dot-product attention over the tokens of each text, without a mask: a batch holds texts of
 * one length.
 *
 * @param scale factor of the scores
 */
record AttentionOperation(int heads, float scale, WorkerPool pool) implements Operation {
  /** Whether attention has keys and values of its own for each head. */
  static boolean knows(Attention.Form form) {
    return form.keyHeads() == form.heads();
  }

  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal q = inputs[0];
    Signal k = inputs[1];
    Signal v = inputs[2];
    int tokens = q.inner()[0];
    int width = q.features() / heads;
    float[] y = new float[q.data().length];
    float[][] kept = new float[q.samples() * heads][];
    pool.forEach(
        kept.length,
        (item, worker) -> {
          Head head = new Head(q, item / heads, item % heads * width, width, tokens);
          float[] shares = head.shares(q.data(), k.data(), scale);
          head.mix(shares, v.data(), y);
          kept[item] = needsGradient ? shares : null;
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
          pool.forEach(
              kept.length,
              (item, worker) -> {
                Head head = new Head(q, item / heads, item % heads * width, width, tokens);
                float[] ofScores = head.backward(kept[item], v.data(), dy, dv);
                head.toInputs(ofScores, q.data(), k.data(), scale, dq, dk);
              });
          return new float[][] {dq, dk, dv};
        });
  }

  /**
   * One head of one text. Its shares are {@code [key][query]}, so that inner loops run over
   * consecutive queries.
   */
  private record Head(int positions, int at, int first, int width, int tokens) {
    Head(Signal q, int sample, int first, int width, int tokens) {
      this(q.positions(), sample * tokens, first, width, tokens);
    }

    private int row(int d) {
      return (first + d) * positions + at;
    }

    float[] shares(float[] q, float[] k, float scale) {
      float[] s = new float[tokens * tokens];
      for (int d = 0; d < width; d++) {
        int row = row(d);
        for (int j = 0; j < tokens; j++) {
          float key = k[row + j] * scale;
          int to = j * tokens;
          for (int i = 0; i < tokens; i++) {
            s[to + i] += key * q[row + i];
          }
        }
      }
      for (int i = 0; i < tokens; i++) {
        float max = Float.NEGATIVE_INFINITY;
        for (int j = 0; j < tokens; j++) {
          max = Math.max(max, s[j * tokens + i]);
        }
        float sum = 0;
        for (int j = 0; j < tokens; j++) {
          float e = Curve.exp(s[j * tokens + i] - max);
          s[j * tokens + i] = e;
          sum += e;
        }
        for (int j = 0; j < tokens; j++) {
          s[j * tokens + i] /= sum;
        }
      }
      return s;
    }

    void mix(float[] shares, float[] v, float[] y) {
      for (int d = 0; d < width; d++) {
        int row = row(d);
        for (int j = 0; j < tokens; j++) {
          float value = v[row + j];
          int from = j * tokens;
          for (int i = 0; i < tokens; i++) {
            y[row + i] += value * shares[from + i];
          }
        }
      }
    }

    /** Writes the gradient of v; that of the scores, {@code [key][query]}. */
    float[] backward(float[] shares, float[] v, float[] dy, float[] dv) {
      float[] ds = new float[shares.length];
      for (int d = 0; d < width; d++) {
        int row = row(d);
        for (int j = 0; j < tokens; j++) {
          float value = v[row + j];
          float sum = 0;
          int to = j * tokens;
          for (int i = 0; i < tokens; i++) {
            ds[to + i] += value * dy[row + i];
            sum += shares[to + i] * dy[row + i];
          }
          dv[row + j] = sum;
        }
      }
      for (int i = 0; i < tokens; i++) {
        float along = 0;
        for (int j = 0; j < tokens; j++) {
          along += ds[j * tokens + i] * shares[j * tokens + i];
        }
        for (int j = 0; j < tokens; j++) {
          ds[j * tokens + i] = shares[j * tokens + i] * (ds[j * tokens + i] - along);
        }
      }
      return ds;
    }

    void toInputs(float[] ds, float[] q, float[] k, float scale, float[] dq, float[] dk) {
      for (int d = 0; d < width; d++) {
        int row = row(d);
        for (int j = 0; j < tokens; j++) {
          float key = k[row + j] * scale;
          float sum = 0;
          int from = j * tokens;
          for (int i = 0; i < tokens; i++) {
            dq[row + i] += key * ds[from + i];
            sum += q[row + i] * ds[from + i];
          }
          dk[row + j] = sum * scale;
        }
      }
    }
  }
}
