package dev.filigree.serving;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * A small model with a mask, whose answer can be checked: {@code y[b, s, :] = (x[b, s, :] W) *
 * mask[b, s]}.
 */
final class Served {
  static final int IN = 3;
  static final int OUT = 2;

  private Served() {}

  /** Writes the model; weight {@code [k, o]} is {@code factor * (10 k + o + 1)}. */
  static Path write(Path file, float factor) {
    float[] weights = new float[IN * OUT];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = factor * (10 * (i / OUT) + i % OUT + 1);
    }
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", "sequence", Integer.toString(IN))
        .input("attention_mask", DType.F32, "batch", "sequence", "1")
        .initializer("w", Tensor.of(weights, IN, OUT))
        .node("MatMul", "product", "x", "w")
        .node("Mul", "y", "product", "attention_mask")
        .output("y", DType.F32, "batch", "sequence", Integer.toString(OUT))
        .write(file);
  }

  /** A request of one row whose every input is a number. */
  static Map<String, Tensor> request(int rows, int length, float value) {
    float[] x = new float[rows * length * IN];
    java.util.Arrays.fill(x, value);
    float[] mask = new float[rows * length];
    java.util.Arrays.fill(mask, 1);
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("x", Tensor.of(x, rows, length, IN));
    inputs.put("attention_mask", Tensor.of(mask, rows, length, 1));
    return inputs;
  }

  /** Whether outputs are those of a request, for a model of a factor. */
  static boolean isAnswer(
      Map<String, Tensor> outputs, int rows, int length, float value, float factor) {
    Tensor y = outputs.get("y");
    if (y.shape().extent(0) != rows || y.shape().extent(1) != length) {
      return false;
    }
    float[] found = y.toFloats();
    for (int i = 0; i < found.length; i++) {
      if (found[i] != value * factor * (33 + 3 * (i % OUT))) {
        return false;
      }
    }
    return true;
  }
}
