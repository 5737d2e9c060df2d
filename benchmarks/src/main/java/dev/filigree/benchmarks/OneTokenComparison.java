package dev.filigree.benchmarks;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Compares linear layers of a single token, as a decoder has them, on one thread: each form of the
 * weights with dense f32, with what memory gives, and with ONNX Runtime's f32 and 4-bit products;
 * and the native products where there are such.
 *
 * <pre>
 *   OneTokenComparison                 4096 x 4096 and 4096 x 11008
 *   OneTokenComparison 768x3072 ...    outputs x inputs
 * </pre>
 */
public final class OneTokenComparison {
  private static final String NATIVE = "native";
  private static final int ROUNDS = 21;
  private static final long WARM_NANOS = 700_000_000;
  private static final long SLICE_NANOS = 20_000_000;

  /** Floats that no cache holds. */
  private static final int MEMORY = 64 << 20;

  /** Weights that share a scale in ONNX Runtime's 4-bit product. */
  private static final int GROUP = 32;

  private static final List<LinearLayer.Form> FORMS =
      List.of(
          LinearLayer.Form.DENSE,
          LinearLayer.Form.INT8,
          LinearLayer.Form.CODEBOOK,
          LinearLayer.Form.SPARSE_24,
          LinearLayer.Form.INT8_24,
          LinearLayer.Form.CODEBOOK_24);

  /** Of which there are native kernels. */
  private static final List<LinearLayer.Form> NATIVE_FORMS =
      List.of(LinearLayer.Form.INT8, LinearLayer.Form.CODEBOOK, LinearLayer.Form.CODEBOOK_24);

  /** Keeps the compiler from leaving the reading of memory out. */
  private static volatile float sink;

  private OneTokenComparison() {}

  /** See the class. */
  public static void main(String[] arguments) throws IOException, OrtException {
    String[] shapes = arguments.length == 0 ? new String[] {"4096x4096", "4096x11008"} : arguments;
    System.out.printf(
        "%-14s %-16s %10s %8s %10s %9s %12s %12s%n",
        "out x in", "", "MB", "GB/s", "of memory", "x dense", "x ORT f32", "x ORT 4-bit");
    for (String shape : shapes) {
      int[] extents = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
      compare(shape, extents[0], extents[1]);
    }
  }

  private static void compare(String shape, int rows, int columns)
      throws IOException, OrtException {
    float[] memory = new float[MEMORY];
    Path folder = Files.createTempDirectory("one-token");
    try (Peer floats = new Peer(floats(folder.resolve("f32.onnx"), rows, columns), columns);
        Peer nibbles = new Peer(nibbles(folder.resolve("4bit.onnx"), rows, columns), columns)) {
      List<LinearLayer> natives = natives(rows, columns);
      Turns.Work[] works = new Turns.Work[FORMS.size() + 3 + natives.size()];
      LinearLayer[] layers = new LinearLayer[FORMS.size()];
      for (int i = 0; i < layers.length; i++) {
        layers[i] = new LinearLayer(FORMS.get(i), rows, columns, 1);
        works[i] = layers[i]::run;
      }
      works[layers.length] = () -> sink = Peak.sum(memory);
      works[layers.length + 1] = floats::run;
      works[layers.length + 2] = nibbles::run;
      for (int i = 0; i < natives.size(); i++) {
        works[layers.length + 3 + i] = natives.get(i)::run;
      }
      double[][] times = Turns.nanos(ROUNDS, WARM_NANOS, SLICE_NANOS, works);
      double[] reading = times[layers.length];
      print(shape, "memory", 4L * MEMORY, times, reading, reading);
      for (int i = 0; i < layers.length; i++) {
        print(shape, FORMS.get(i).name(), layers[i].bytes(), times, times[i], reading);
      }
      for (int i = 0; i < natives.size(); i++) {
        String name = NATIVE_FORMS.get(i).name() + ", C";
        print(shape, name, natives.get(i).bytes(), times, times[layers.length + 3 + i], reading);
      }
    } finally {
      for (String file : List.of("f32.onnx", "4bit.onnx")) {
        Files.deleteIfExists(folder.resolve(file));
      }
      Files.deleteIfExists(folder);
    }
  }

  /** None where the native kernels are not installed or cannot run. */
  private static List<LinearLayer> natives(int rows, int columns) {
    boolean ready =
        KernelSets.installed().stream()
            .anyMatch(
                set ->
                    set.name().equals(NATIVE) && set.probe() instanceof KernelProvider.Probe.Ready);
    return ready
        ? NATIVE_FORMS.stream()
            .map(form -> new LinearLayer(form, rows, columns, 1, KernelSets.open(NATIVE)))
            .toList()
        : List.of();
  }

  private static void print(
      String shape, String name, long bytes, double[][] times, double[] own, double[] reading) {
    double ofMemory = Turns.ratio(reading, own) * bytes / (4.0 * MEMORY);
    System.out.printf(
        Locale.ROOT,
        "%-14s %-16s %10.1f %8.1f %9.0f%% %9.2f %12.2f %12.2f%n",
        shape,
        name,
        bytes / 1e6,
        bytes / Percentiles.median(own),
        100 * ofMemory,
        Turns.ratio(times[0], own),
        Turns.ratio(times[FORMS.size() + 1], own),
        Turns.ratio(times[FORMS.size() + 2], own));
  }

  private static Path floats(Path file, int rows, int columns) {
    float[] weights = new float[rows * columns];
    SplittableRandom random = new SplittableRandom(24);
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextDouble(-1, 1);
    }
    return new OnnxModel(18)
        .input("x", DType.F32, "1", Integer.toString(columns))
        .initializer("w", Tensor.of(weights, columns, rows))
        .node("MatMul", "y", "x", "w")
        .output("y", DType.F32, "1", Integer.toString(rows))
        .write(file);
  }

  /** Four bits with a scale for each group, multiplied with inputs of 8 bits. */
  private static Path nibbles(Path file, int rows, int columns) {
    byte[] codes = new byte[rows * columns / 2];
    new SplittableRandom(24).nextBytes(codes);
    float[] scales = new float[rows * columns / GROUP];
    Arrays.fill(scales, 0.01f);
    Map<String, long[]> attributes =
        Map.of(
            "K", new long[] {columns},
            "N", new long[] {rows},
            "bits", new long[] {4},
            "block_size", new long[] {GROUP},
            "accuracy_level", new long[] {4});
    return new OnnxModel(18)
        .input("x", DType.F32, "1", Integer.toString(columns))
        .initializer(
            "w",
            Tensor.of(
                DType.U8, Shape.of(rows, columns / GROUP, GROUP / 2), MemorySegment.ofArray(codes)))
        .initializer("s", Tensor.of(scales, scales.length))
        .node("com.microsoft.MatMulNBits", attributes, "y", "x", "w", "s")
        .output("y", DType.F32, "1", Integer.toString(rows))
        .write(file);
  }

  /** A model of one product in ONNX Runtime, on one thread. */
  private static final class Peer implements AutoCloseable {
    private final OrtSession session;
    private final OnnxTensor input;

    Peer(Path file, int columns) throws OrtException {
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        options.setIntraOpNumThreads(1);
        session = environment.createSession(file.toString(), options);
      }
      float[] values = new float[columns];
      Arrays.fill(values, 0.5f);
      input =
          OnnxTensor.createTensor(environment, FloatBuffer.wrap(values), new long[] {1, columns});
    }

    void run() throws OrtException {
      session.run(Map.of("x", input)).close();
    }

    @Override
    public void close() throws OrtException {
      input.close();
      session.close();
    }
  }
}
