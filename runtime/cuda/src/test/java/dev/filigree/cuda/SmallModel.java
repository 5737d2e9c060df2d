package dev.filigree.cuda;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.Map;

/**
 * A model of two layers, large enough for every kind of step and small enough to simulate often.
 */
final class SmallModel {
  static final int IN = 40;
  static final int OUT = 72;

  private SmallModel() {}

  /**
   * {@code y = relu(x W) + x V} and {@code share = softmax(y)}, and an operator that the device
   * lacks.
   */
  static Model open(Path folder) {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "length", Integer.toString(IN))
            .initializer("w", Tensor.of(new Samples(1).normal(IN * OUT), IN, OUT))
            .initializer("v", Tensor.of(new Samples(2).normal(IN * OUT), IN, OUT))
            .node("MatMul", "xw", "x", "w")
            .node("Relu", "positive", "xw")
            .node("MatMul", "xv", "x", "v")
            .node("Add", "y", "positive", "xv")
            .node("Softmax", "share", "y")
            .node("Mean", "total", "y", "share")
            .output("y", DType.F32, "batch", "length", Integer.toString(OUT))
            .output("share", DType.F32, "batch", "length", Integer.toString(OUT))
            .output("total", DType.F32, "batch", "length", Integer.toString(OUT))
            .write(folder.resolve("small.onnx"));
    return Model.open(file);
  }

  static Map<String, Tensor> inputs(int batch, int length, long seed) {
    return Map.of("x", Tensor.of(new Samples(seed).normal(batch * length * IN), batch, length, IN));
  }
}
