package dev.filigree.compress.train;

import java.util.Arrays;

/** Losses and their gradients, means over the batch. */
final class Loss {
  private Loss() {}

  /**
   * A loss.
   *
   * @param value mean over the batch
   * @param gradient by the output
   */
  record Result(double value, float[] gradient) {}

  /**
   * Cross entropy of the softmax of outputs.
   *
   * @param logits {@code [classes, samples]}
   * @param labels one class for each sample
   */
  static Result crossEntropy(Signal logits, int[] labels) {
    int samples = logits.positions();
    int classes = logits.features();
    float[] gradient = new float[logits.data().length];
    double loss = 0;
    for (int n = 0; n < samples; n++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int c = 0; c < classes; c++) {
        max = Math.max(max, logits.data()[c * samples + n]);
      }
      double sum = 0;
      for (int c = 0; c < classes; c++) {
        sum += Math.exp(logits.data()[c * samples + n] - max);
      }
      for (int c = 0; c < classes; c++) {
        double share = Math.exp(logits.data()[c * samples + n] - max) / sum;
        gradient[c * samples + n] = (float) ((share - (c == labels[n] ? 1 : 0)) / samples);
      }
      loss += max + Math.log(sum) - logits.data()[labels[n] * samples + n];
    }
    return new Result(loss / samples, gradient);
  }

  /**
   * Mean square of the difference over a variance.
   *
   * @param weight factor of the loss
   */
  static Result meanSquare(Signal output, Signal target, double variance, double weight) {
    float[] y = output.data();
    float[] t = target.data();
    float[] gradient = new float[y.length];
    double factor = weight / (variance * y.length);
    double sum = 0;
    for (int i = 0; i < y.length; i++) {
      float difference = y[i] - t[i];
      sum += difference * difference;
      gradient[i] = (float) (2 * factor * difference);
    }
    return new Result(sum * factor, gradient);
  }

  /**
   * One minus the cosine between the means over each sample's positions.
   *
   * @param output {@code [features, samples, tokens]}
   */
  static Result pooledCosine(Signal output, Signal target) {
    int features = output.features();
    int inner = output.perSample();
    int samples = output.samples();
    float[] gradient = new float[output.data().length];
    double loss = 0;
    double[] a = new double[features];
    double[] b = new double[features];
    for (int n = 0; n < samples; n++) {
      double aa = 0;
      double bb = 0;
      double ab = 0;
      for (int f = 0; f < features; f++) {
        a[f] = mean(output, f, n, inner);
        b[f] = mean(target, f, n, inner);
        aa += a[f] * a[f];
        bb += b[f] * b[f];
        ab += a[f] * b[f];
      }
      double norms = Math.sqrt(aa * bb);
      if (norms == 0) {
        continue;
      }
      double cosine = ab / norms;
      loss += 1 - cosine;
      for (int f = 0; f < features; f++) {
        float g = (float) ((cosine * a[f] / aa - b[f] / norms) / ((double) samples * inner));
        int at = (f * samples + n) * inner;
        Arrays.fill(gradient, at, at + inner, g);
      }
    }
    return new Result(loss / samples, gradient);
  }

  private static double mean(Signal signal, int feature, int sample, int inner) {
    int at = (feature * signal.samples() + sample) * inner;
    double sum = 0;
    for (int i = at; i < at + inner; i++) {
      sum += signal.data()[i];
    }
    return sum / inner;
  }
}
