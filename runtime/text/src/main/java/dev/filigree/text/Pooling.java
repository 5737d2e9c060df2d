package dev.filigree.text;

import dev.filigree.Model;
import dev.filigree.UnsupportedException;
import dev.filigree.format.checkpoint.SentenceModules;
import java.util.Arrays;

/**
 * How the vectors of a text's tokens become one, with the names of sentence-transformers. Their
 * mean divided by the square root of their number is only longer than their mean, and vectors are
 * scaled to length 1 afterwards.
 */
enum Pooling {
  MEAN {
    @Override
    void pool(float[] values, int from, int count, float[] vector) {
      for (int t = 0; t < count; t++) {
        for (int f = 0; f < vector.length; f++) {
          vector[f] += values[from + t * vector.length + f];
        }
      }
      for (int f = 0; f < vector.length; f++) {
        vector[f] /= count;
      }
    }
  },

  FIRST {
    @Override
    void pool(float[] values, int from, int count, float[] vector) {
      System.arraycopy(values, from, vector, 0, vector.length);
    }
  },

  LAST {
    @Override
    void pool(float[] values, int from, int count, float[] vector) {
      int last = from + (count - 1) * vector.length;
      System.arraycopy(values, last, vector, 0, vector.length);
    }
  },

  MAX {
    @Override
    void pool(float[] values, int from, int count, float[] vector) {
      Arrays.fill(vector, Float.NEGATIVE_INFINITY);
      for (int t = 0; t < count; t++) {
        for (int f = 0; f < vector.length; f++) {
          vector[f] = Math.max(vector[f], values[from + t * vector.length + f]);
        }
      }
    }
  };

  /**
   * Makes one vector.
   *
   * @param values of the tokens, one vector after the other
   * @param from where the first begins
   * @param count of tokens
   * @param vector of zeros to fill
   */
  abstract void pool(float[] values, int from, int count, float[] vector);

  /**
   * The way a model's folder names, or the mean.
   *
   * @throws UnsupportedException if it is another one
   */
  static Pooling of(Model model) {
    String mode = model.metadata().getOrDefault(SentenceModules.POOLING, "mean");
    return switch (mode) {
      case "mean", "mean_sqrt_len_tokens" -> MEAN;
      case "cls" -> FIRST;
      case "lasttoken" -> LAST;
      case "max" -> MAX;
      default ->
          throw new UnsupportedException(
              model.path() + " makes vectors of texts by '" + mode + "'",
              "the nearest supported are mean, cls, max and lasttoken without a layer behind"
                  + " them; export the whole model as ONNX, with one vector a text as its output");
    };
  }
}
