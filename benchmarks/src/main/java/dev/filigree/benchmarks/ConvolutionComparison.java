package dev.filigree.benchmarks;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Compares convolutions, or a whole network of one input, with ONNX Runtime on one thread. Both
 * take turns in slices of some milliseconds of processor time; a ratio is the median of the ratios
 * of each round.
 *
 * <pre>
 *   ConvolutionComparison
 *   ConvolutionComparison MODEL.onnx 1x3x320x320
 * </pre>
 */
public final class ConvolutionComparison {
  private static final int ROUNDS = 21;
  private static final long SLICE_NANOS = 20_000_000;

  /** Channels, outputs, pixels of a side, window. */
  private static final int[][] LAYERS = {
    {16, 16, 32, 3},
    {32, 32, 16, 3},
    {64, 64, 8, 3},
    {64, 64, 56, 3},
    {128, 128, 28, 3},
    {256, 256, 14, 3},
    {64, 256, 56, 1},
    {256, 64, 56, 1},
    {512, 512, 7, 3}
  };

  /** Which of every four input channels are zero. */
  enum Mask {
    NONE(""),
    /** Two, others for each output. */
    OWN(", 2:4"),
    /** Two, the same for every four neighbouring outputs. */
    SHARED(", 2:4 shared by 4");

    private final String name;

    Mask(String name) {
      this.name = name;
    }
  }

  private ConvolutionComparison() {}

  /** See the class. */
  public static void main(String[] arguments) throws IOException, OrtException {
    System.out.printf("%-46s %12s %12s %8s%n", "", "Filigree, ms", "ORT, ms", "ratio");
    if (arguments.length == 2) {
      long[] shape = Arrays.stream(arguments[1].split("x")).mapToLong(Long::parseLong).toArray();
      print(arguments[0], compare(Path.of(arguments[0]), shape, ROUNDS, SLICE_NANOS));
      return;
    }
    Path folder = Files.createTempDirectory("convolutions");
    for (int[] layer : LAYERS) {
      for (Mask mask : Mask.values()) {
        Path file = layer(folder.resolve("layer.onnx"), layer, mask);
        String name =
            "%d -> %d, %d x %d, window %d%s"
                .formatted(layer[0], layer[1], layer[2], layer[2], layer[3], mask.name);
        long[] shape = {1, layer[0], layer[2], layer[2]};
        print(name, compare(file, shape, ROUNDS, SLICE_NANOS));
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  private static void print(String name, Result result) {
    System.out.printf(
        Locale.ROOT,
        "%-46s %12.3f %12.3f %8.2f%n",
        name,
        result.ownMillis,
        result.peerMillis,
        result.ratio);
  }

  /**
   * Writes a convolution with bias and rectifier.
   *
   * @param mask which weights are zero
   */
  static Path layer(Path file, int[] layer, Mask mask) {
    int window = layer[3];
    int taps = window * window;
    float[] weights = new float[layer[1] * layer[0] * taps];
    SplittableRandom random = new SplittableRandom(24);
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextDouble(-0.1, 0.1);
    }
    int row = layer[0] * taps;
    for (int i = 0; mask != Mask.NONE && i < weights.length; i++) {
      // the first of four channels under a tap chooses which two of them this output keeps
      if (i / taps % 4 == 0) {
        int kept = random.nextInt(4);
        int other = (kept + 1 + random.nextInt(3)) % 4;
        boolean follows = mask == Mask.SHARED && i / row % 4 != 0;
        for (int c = 0; c < 4; c++) {
          int at = i + c * taps;
          boolean stays = follows ? weights[at - row] != 0 : c == kept || c == other;
          weights[at] = stays ? weights[at] : 0;
        }
      }
    }
    long pad = window / 2;
    String side = Integer.toString(layer[2]);
    return new OnnxModel(13)
        .input("x", DType.F32, "1", Integer.toString(layer[0]), side, side)
        .initializer("w", Tensor.of(weights, layer[1], layer[0], window, window))
        .initializer("b", Tensor.of(new float[layer[1]], layer[1]))
        .node("Conv", Map.of("pads", new long[] {pad, pad, pad, pad}), "c", "x", "w", "b")
        .node("Relu", "y", "c")
        .output("y", DType.F32, "1", Integer.toString(layer[1]), side, side)
        .write(file);
  }

  /**
   * What came out.
   *
   * @param ownMillis median of a run
   * @param peerMillis median of a run of ONNX Runtime
   * @param ratio own time over the peer's, median of the rounds
   * @param difference greatest difference of the outputs
   */
  record Result(double ownMillis, double peerMillis, double ratio, double difference) {}

  /** Runs both in alternation. */
  static Result compare(Path file, long[] shape, int rounds, long sliceNanos) throws OrtException {
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      try (Model model = Model.open(file);
          Session own = model.session(SessionOptions.defaults().withThreads(1));
          OrtSession peer = environment.createSession(file.toString(), options);
          OnnxTensor given =
              OnnxTensor.createTensor(environment, FloatBuffer.wrap(values), shape)) {
        Map<String, Tensor> inputs =
            Map.of(model.inputs().getFirst().name(), Tensor.of(values, shape));
        Map<String, OnnxTensor> same = Map.of(peer.getInputNames().iterator().next(), given);
        own.warmUp(inputs, Progress.NONE);
        Map<String, Tensor> outputs = new HashMap<>(own.run(inputs));
        double difference = difference(outputs, peer, same);
        double[][] times =
            Turns.nanos(
                rounds,
                10 * sliceNanos,
                sliceNanos,
                () -> own.run(inputs, outputs),
                () -> peer.run(same).close());
        return new Result(
            Percentiles.median(times[0]) / 1e6,
            Percentiles.median(times[1]) / 1e6,
            Turns.ratio(times[0], times[1]),
            difference);
      }
    }
  }

  private static double difference(
      Map<String, Tensor> outputs, OrtSession peer, Map<String, OnnxTensor> inputs)
      throws OrtException {
    double most = 0;
    try (OrtSession.Result result = peer.run(inputs)) {
      for (Map.Entry<String, Tensor> output : outputs.entrySet()) {
        FloatBuffer expected =
            ((OnnxTensor) result.get(output.getKey()).orElseThrow()).getFloatBuffer();
        for (float found : output.getValue().toFloats()) {
          most = Math.max(most, Math.abs(found - expected.get()));
        }
      }
    }
    return most;
  }
}
