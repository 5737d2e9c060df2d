package dev.filigree.cli;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;

/**
 * An ONNX file of one linear layer, {@code y[batch, 4] = x[batch, 8] * w + b}. Weight {@code w[k,
 * n]} is {@code k + 10 n + 1}, bias {@code b[n]} is {@code n}.
 */
final class TinyOnnx {
  static final int IN = 8;
  static final int OUT = 4;

  private TinyOnnx() {}

  static Path write(Path file) {
    float[] weights = new float[IN * OUT];
    float[] bias = new float[OUT];
    for (int n = 0; n < OUT; n++) {
      bias[n] = n;
      for (int k = 0; k < IN; k++) {
        weights[k * OUT + n] = weight(k, n);
      }
    }
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", Integer.toString(IN))
        .initializer("w", Tensor.of(weights, IN, OUT))
        .initializer("b", Tensor.of(bias, OUT))
        .node("MatMul", "product", "x", "w")
        .node("Add", "y", "product", "b")
        .output("y", DType.F32, "batch", Integer.toString(OUT))
        .write(file);
  }

  static float weight(int k, int n) {
    return k + 10 * n + 1;
  }
}
