package dev.filigree.compress.train;

import dev.filigree.plan.WorkerPool;

/**
 * Layer normalisation of every position over its features.
 *
 * @param scale {@code [features, 1]}
 * @param bias {@code [features, 1]}, or null
 */
record NormalizationOperation(Parameter scale, Parameter bias, float epsilon, WorkerPool pool)
    implements Operation {
  /** Positions a thread takes at once. */
  private static final int STRIP = 64;

  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    int features = x.features();
    int positions = x.positions();
    float[] normal = new float[x.data().length];
    float[] inverse = new float[positions];
    float[] y = new float[normal.length];
    strips(
        positions,
        (from, to) -> normalize(x.data(), features, positions, from, to, normal, inverse));
    pool.forEach(
        features,
        (f, worker) -> {
          float factor = scale.values()[f];
          float shift = bias == null ? 0 : bias.values()[f];
          for (int i = f * positions; i < (f + 1) * positions; i++) {
            y[i] = normal[i] * factor + shift;
          }
        });
    return new Step(
        x.with(y), (dy, wanted) -> new float[][] {backward(dy, normal, inverse, features)});
  }

  @FunctionalInterface
  private interface Strip {
    void run(int from, int to);
  }

  private void strips(int positions, Strip strip) {
    pool.forEach(
        Math.ceilDiv(positions, STRIP),
        (i, worker) -> strip.run(i * STRIP, Math.min(positions, (i + 1) * STRIP)));
  }

  private void normalize(
      float[] x, int features, int positions, int from, int to, float[] normal, float[] inverse) {
    int count = to - from;
    float[] mean = new float[count];
    float[] square = new float[count];
    for (int f = 0; f < features; f++) {
      int at = f * positions + from;
      for (int t = 0; t < count; t++) {
        mean[t] += x[at + t];
      }
    }
    for (int t = 0; t < count; t++) {
      mean[t] /= features;
    }
    for (int f = 0; f < features; f++) {
      int at = f * positions + from;
      for (int t = 0; t < count; t++) {
        float d = x[at + t] - mean[t];
        normal[at + t] = d;
        square[t] += d * d;
      }
    }
    for (int t = 0; t < count; t++) {
      inverse[from + t] = (float) (1 / Math.sqrt(square[t] / features + epsilon));
    }
    for (int f = 0; f < features; f++) {
      int at = f * positions + from;
      for (int t = 0; t < count; t++) {
        normal[at + t] *= inverse[from + t];
      }
    }
  }

  /**
   * {@code dx = (g - mean(g) - n mean(g n)) / deviation} with g = dy scale, n the normal values.
   */
  private float[] backward(float[] dy, float[] normal, float[] inverse, int features) {
    int positions = inverse.length;
    float[] dx = new float[dy.length];
    pool.forEach(
        features,
        (f, worker) -> {
          double ofScale = 0;
          double ofBias = 0;
          float factor = scale.values()[f];
          for (int i = f * positions; i < (f + 1) * positions; i++) {
            ofScale += dy[i] * normal[i];
            ofBias += dy[i];
            dx[i] = dy[i] * factor;
          }
          scale.gradient()[f] += (float) ofScale;
          if (bias != null) {
            bias.gradient()[f] += (float) ofBias;
          }
        });
    strips(
        positions,
        (from, to) -> {
          int count = to - from;
          float[] mean = new float[count];
          float[] along = new float[count];
          for (int f = 0; f < features; f++) {
            int at = f * positions + from;
            for (int t = 0; t < count; t++) {
              mean[t] += dx[at + t];
              along[t] += dx[at + t] * normal[at + t];
            }
          }
          for (int t = 0; t < count; t++) {
            mean[t] /= features;
            along[t] /= features;
          }
          for (int f = 0; f < features; f++) {
            int at = f * positions + from;
            for (int t = 0; t < count; t++) {
              dx[at + t] = (dx[at + t] - mean[t] - normal[at + t] * along[t]) * inverse[from + t];
            }
          }
        });
    return dx;
  }
}
