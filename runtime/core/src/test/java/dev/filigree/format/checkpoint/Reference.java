package dev.filigree.format.checkpoint;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * Networks computed in double, one token and one weight at a time, from tensors by name: what the
 * graphs made from a config are compared with. Matrices are {@code [tokens][features]}.
 */
final class Reference {
  private final Map<String, float[]> tensors = new LinkedHashMap<>();

  /** Adds a tensor. */
  void put(String name, float[] values) {
    tensors.put(name, values);
  }

  Map<String, float[]> tensors() {
    return tensors;
  }

  float[] get(String name) {
    return tensors.get(name);
  }

  double[][] linear(double[][] x, String module, int out) {
    float[] weights = get(module + ".weight");
    float[] bias = get(module + ".bias");
    int in = weights.length / out;
    double[][] y = new double[x.length][out];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < out; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < in; i++) {
          sum += x[t][i] * weights[o * in + i];
        }
        y[t][o] = sum;
      }
    }
    return y;
  }

  double[][] layerNormalization(double[][] x, String module, double epsilon) {
    float[] scale = get(module + ".weight");
    float[] bias = get(module + ".bias");
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      for (double value : x[t]) {
        mean += value / x[t].length;
      }
      double variance = 0;
      for (double value : x[t]) {
        variance += (value - mean) * (value - mean) / x[t].length;
      }
      y[t] = new double[x[t].length];
      for (int i = 0; i < y[t].length; i++) {
        y[t][i] = (x[t][i] - mean) / Math.sqrt(variance + epsilon) * scale[i] + bias[i];
      }
    }
    return y;
  }

  double[][] rootMeanSquare(double[][] x, String module, double epsilon) {
    float[] scale = get(module + ".weight");
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double square = 0;
      for (double value : x[t]) {
        square += value * value / x[t].length;
      }
      y[t] = new double[x[t].length];
      for (int i = 0; i < y[t].length; i++) {
        y[t][i] = x[t][i] / Math.sqrt(square + epsilon) * scale[i];
      }
    }
    return y;
  }

  static double[][] map(double[][] x, DoubleUnaryOperator function) {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = java.util.Arrays.stream(x[t]).map(function).toArray();
    }
    return y;
  }

  static double[][] add(double[][] a, double[][] b) {
    double[][] y = new double[a.length][a[0].length];
    for (int t = 0; t < a.length; t++) {
      for (int i = 0; i < y[t].length; i++) {
        y[t][i] = a[t][i] + b[t][i];
      }
    }
    return y;
  }

  /** What is added to the score of a query for a key; negative infinity hides it. */
  @FunctionalInterface
  interface Bias {
    double of(int head, int query, int key);
  }

  /** Attention whose keys and values may have fewer heads than its queries. */
  static double[][] attention(
      double[][] q, double[][] k, double[][] v, int heads, int keyHeads, Bias bias) {
    int width = q[0].length / heads;
    double[][] y = new double[q.length][q[0].length];
    for (int head = 0; head < heads; head++) {
      int keyHead = head / (heads / keyHeads);
      for (int query = 0; query < q.length; query++) {
        double[] shares = new double[k.length];
        double largest = Double.NEGATIVE_INFINITY;
        for (int key = 0; key < k.length; key++) {
          double score = 0;
          for (int i = 0; i < width; i++) {
            score += q[query][head * width + i] * k[key][keyHead * width + i];
          }
          shares[key] = score / Math.sqrt(width) + bias.of(head, query, key);
          largest = Math.max(largest, shares[key]);
        }
        double sum = 0;
        for (int key = 0; key < k.length; key++) {
          shares[key] = Math.exp(shares[key] - largest);
          sum += shares[key];
        }
        for (int key = 0; key < k.length; key++) {
          for (int i = 0; i < width; i++) {
            y[query][head * width + i] += shares[key] / sum * v[key][keyHead * width + i];
          }
        }
      }
    }
    return y;
  }

  /** Rows of a table. */
  double[][] rows(String module, int features, long... indices) {
    float[] table = get(module + ".weight");
    double[][] y = new double[indices.length][features];
    for (int t = 0; t < y.length; t++) {
      for (int i = 0; i < features; i++) {
        y[t][i] = table[(int) indices[t] * features + i];
      }
    }
    return y;
  }
}
