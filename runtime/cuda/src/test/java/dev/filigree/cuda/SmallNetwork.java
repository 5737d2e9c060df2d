package dev.filigree.cuda;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.Map;

/**
 * A network of convolutions, large enough for every kind of them and small enough to simulate
 * often.
 */
final class SmallNetwork {
  private static final int CHANNELS = 8;
  private static final int OUTPUTS = 12;
  private static final int EDGE = 5;

  private SmallNetwork() {}

  /**
   * Windows with a bias and an activation on tensor cores, windows of a channel each off them,
   * windows of one pixel as a linear layer, and a pool.
   */
  static Model open(Path folder) {
    long[] pads = {1, 1, 1, 1};
    Map<String, long[]> same = Map.of("pads", pads);
    Map<String, long[]> alone = Map.of("pads", pads, "group", new long[] {OUTPUTS});
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "" + CHANNELS, "" + EDGE, "" + EDGE)
            .initializer("w", weights(1, OUTPUTS, CHANNELS, 3, 3))
            .initializer("b", weights(2, OUTPUTS))
            .initializer("d", weights(3, OUTPUTS, 1, 3, 3))
            .initializer("p", weights(4, CHANNELS, OUTPUTS, 1, 1))
            .node("Conv", same, "windows", "x", "w", "b")
            .node("Relu", "positive", "windows")
            .node("Conv", alone, "each", "positive", "d")
            .node("Conv", "pixels", "each", "p")
            .node("GlobalAveragePool", "y", "pixels")
            .output("y", DType.F32, "batch", "" + CHANNELS, "1", "1")
            .write(folder.resolve("network.onnx"));
    return Model.open(file);
  }

  private static Tensor weights(int seed, long... extents) {
    int count = 1;
    for (long extent : extents) {
      count *= (int) extent;
    }
    return Tensor.of(new Samples(seed).normal(count), extents);
  }

  static Map<String, Tensor> inputs(long seed) {
    return Map.of(
        "x", Tensor.of(new Samples(seed).normal(CHANNELS * EDGE * EDGE), 1, CHANNELS, EDGE, EDGE));
  }
}
