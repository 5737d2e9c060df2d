package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.MiniLm;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The whole of all-MiniLM-L6-v2 on the simulated device, against the CPU on the same weights, by
 * every kind of kernel: embeddings are the mean of the tokens, of length 1, and are compared
 * feature by feature; hidden states are what the model itself gives, of values up to 6.
 */
@SimulatedGpu
class MiniLmTest {
  private static final int FEATURES = 384;
  private static final int SEQUENCE = 9;

  /** Absolute, of any feature of an embedding. */
  private static final double EMBEDDING = 2e-3;

  /**
   * Absolute, of any hidden state, and as a root mean square. Activations are rounded to f16 before
   * each layer, by up to 2e-3 where they are largest, but never what one layer adds to the next.
   * Tensor cores cut their sums off where the simulated ones round them: 2.2e-3 on H200.
   */
  private static final double WORST_STATE = SimulatedDevice.isOff() ? 3e-3 : 2e-3;

  private static final double MEAN_STATE = 5e-4;

  /** "A man is eating food." and a shorter sentence, padded. */
  private static final long[] IDS = {
    101, 1037, 2158, 2003, 5983, 2833, 1012, 102, 0,
    101, 7592, 2088, 102, 0, 0, 0, 0, 0
  };

  private static final int[] LENGTHS = {8, 4};

  private static Map<String, Tensor> inputs() {
    int batch = LENGTHS.length;
    long[] mask = new long[IDS.length];
    for (int b = 0; b < batch; b++) {
      for (int t = 0; t < LENGTHS[b]; t++) {
        mask[b * SEQUENCE + t] = 1;
      }
    }
    return Map.of(
        "input_ids", Tensor.of(IDS, batch, SEQUENCE),
        "attention_mask", Tensor.of(mask, batch, SEQUENCE),
        "token_type_ids", Tensor.of(new long[IDS.length], batch, SEQUENCE));
  }

  /** Each format by the kernel that reads it as it is, and by NVIDIA's libraries. */
  @ParameterizedTest
  @CsvSource({
    "dense, linear_dense_f16",
    "2:4-fp16, linear_sparse24_f16",
    "int8, linear_dense_i8_f16",
    "int4, linear_dense_i4_f16",
    "2:4-int8, linear_sparse24_i8_f16",
    "codebook-4bit, linear_dense_codebook16_f16",
    "2:4-codebook-4bit, linear_sparse24_codebook16_f16",
    "unstructured-80, linear_csr_f16",
    "dense, cublas",
    "unstructured-80, cusparse"
  })
  void matchesTheCpuWithTheKernelThatIsAskedFor(String recipe, String kernel) {
    try (Model dense = Model.open(MiniLm.dense());
        Model model = compressed(dense, recipe)) {
      List<LayerPlan> linear = compare(model, kernel);
      assertEquals(36, linear.size());
      assertTrue(
          linear.stream().allMatch(layer -> layer.kernel().startsWith(kernel)),
          () -> linear.getFirst().toString());
    }
  }

  @ParameterizedTest
  @CsvSource({"dense, linear_dense.*", "unstructured-80, linear_csr_f16.*|cusparse"})
  void matchesTheCpuWithTheKernelsOfTheDispatch(String recipe, String kernel) {
    try (Model dense = Model.open(MiniLm.dense());
        Model model = compressed(dense, recipe)) {
      List<LayerPlan> linear = compare(model, "");
      assertTrue(
          linear.stream()
              .allMatch(
                  layer ->
                      layer.candidates().stream()
                          .anyMatch(candidate -> candidate.kernel().matches(kernel))),
          () -> linear.getFirst().toString());
      assertTrue(
          linear.stream()
              .allMatch(
                  layer ->
                      layer.candidates().stream()
                          .anyMatch(
                              candidate ->
                                  candidate.kernel().startsWith("linear_dense")
                                      || candidate.kernel().equals("cublas"))),
          "a dense kernel is always a candidate");
    }
  }

  /** Runs a model on both; what the device does with its linear layers. */
  private static List<LayerPlan> compare(Model model, String kernels) {
    try (Session cpu =
            model.session(SessionOptions.defaults().withDevice(Device.cpu()).withThreads(2));
        Session device =
            model.session(
                SessionOptions.defaults().withDevice(TestGpu.device()).withKernels(kernels))) {
      Map<String, Tensor> inputs = inputs();
      float[] expected = cpu.run(inputs).get("last_hidden_state").toFloats();
      float[] actual = device.run(inputs).get("last_hidden_state").toFloats();
      assertHiddenStates(expected, actual);
      assertEmbeddings(expected, actual);
      Shape shape = Shape.of(LENGTHS.length, SEQUENCE);
      List<LayerPlan> layers =
          device.plan(Map.of("input_ids", shape, "attention_mask", shape, "token_type_ids", shape));
      assertEquals(0, layers.stream().filter(layer -> layer.kernel().startsWith("cpu")).count());
      return layers.stream().filter(layer -> layer.operator().equals("Linear")).toList();
    }
  }

  private static Model compressed(Model dense, String recipe) {
    Compression compression =
        Compressor.compress(dense, Recipe.named(recipe), 2, (what, done, total) -> {});
    return compression.toModel();
  }

  private static void assertHiddenStates(float[] expected, float[] actual) {
    double squares = 0;
    int count = 0;
    for (int b = 0; b < LENGTHS.length; b++) {
      for (int i = 0; i < LENGTHS[b] * FEATURES; i++) {
        int at = b * SEQUENCE * FEATURES + i;
        double difference = expected[at] - actual[at];
        assertEquals(0, difference, WORST_STATE, "sequence " + b + ", element " + i);
        squares += difference * difference;
        count++;
      }
    }
    assertEquals(0, Math.sqrt(squares / count), MEAN_STATE);
  }

  private static void assertEmbeddings(float[] expected, float[] actual) {
    for (int b = 0; b < LENGTHS.length; b++) {
      double[] left = embedding(expected, b);
      double[] right = embedding(actual, b);
      for (int f = 0; f < FEATURES; f++) {
        assertEquals(left[f], right[f], EMBEDDING, "feature " + f + " of sequence " + b);
      }
    }
  }

  /** Mean of the tokens, of length 1. */
  private static double[] embedding(float[] hidden, int sequence) {
    double[] mean = new double[FEATURES];
    double squares = 0;
    for (int f = 0; f < FEATURES; f++) {
      for (int t = 0; t < LENGTHS[sequence]; t++) {
        mean[f] += hidden[(sequence * SEQUENCE + t) * FEATURES + f];
      }
      squares += mean[f] * mean[f];
    }
    for (int f = 0; f < FEATURES; f++) {
      mean[f] /= Math.sqrt(squares);
    }
    return mean;
  }
}
