package dev.filigree.benchmarks;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.plan.LayerPlan;
import dev.filigree.testing.MiniLm;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * A whole model on the GPU of this machine: MiniLM in every form, from tensors in the process to
 * tensors in the process.
 */
final class GpuModels {
  private static final List<String> RECIPES =
      List.of("dense", "2:4-fp16", "2:4-int8", "int8", "codebook-4bit", "2:4-codebook-4bit");

  /** Texts and the tokens of each. */
  private static final int[][] SHAPES = {{1, 16}, {1, 128}, {32, 128}};

  private static final int ROUNDS = 200;

  /** Identifiers of ordinary words in its vocabulary. */
  private static final int FIRST_WORD = 1996;

  private static final int WORDS = 8000;

  private GpuModels() {}

  /**
   * How long a run takes.
   *
   * @param recipe that compressed the model
   * @param batch texts
   * @param length tokens of each
   * @param micros median
   * @param percentile99Micros of a hundred runs one takes longer
   * @param deviceBytes of the weights on the device
   * @param kernels of its linear layers
   */
  record Timing(
      String recipe,
      int batch,
      int length,
      double micros,
      double percentile99Micros,
      long deviceBytes,
      List<String> kernels) {}

  /** Measures all of them, each after a warm-up that chooses its kernels by measurement. */
  static List<Timing> measure(Device device) {
    List<Timing> timings = new ArrayList<>();
    try (Model dense = Model.open(MiniLm.dense())) {
      for (String recipe : RECIPES) {
        try (Model model = compressed(dense, recipe);
            Session session = model.session(SessionOptions.defaults().withDevice(device))) {
          for (int[] shape : SHAPES) {
            timings.add(time(recipe, session, shape[0], shape[1]));
          }
        }
      }
    }
    return timings;
  }

  private static Model compressed(Model dense, String recipe) {
    return Compressor.compress(dense, Recipe.named(recipe), 2, (what, done, total) -> {}).toModel();
  }

  private static Timing time(String recipe, Session session, int batch, int length) {
    Shape shape = Shape.of(batch, length);
    Map<String, Shape> shapes =
        Map.of("input_ids", shape, "attention_mask", shape, "token_type_ids", shape);
    Map<String, Tensor> inputs = inputs(batch, length);
    session.warmUp(inputs, Progress.NONE);
    session.run(inputs);
    double[] micros = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      long start = System.nanoTime();
      session.run(inputs);
      micros[round] = (System.nanoTime() - start) / 1e3;
    }
    TreeSet<String> kernels = new TreeSet<>();
    for (LayerPlan layer : session.plan(shapes)) {
      if (layer.operator().equals("Linear")) {
        kernels.add(layer.kernel());
      }
    }
    return new Timing(
        recipe,
        batch,
        length,
        Percentiles.median(micros),
        Percentiles.percentile(micros, 99),
        session.packedBytes(),
        List.copyOf(kernels));
  }

  private static Map<String, Tensor> inputs(int batch, int length) {
    long[] ids = new long[batch * length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = FIRST_WORD + i * 31L % WORDS;
    }
    long[] mask = new long[ids.length];
    Arrays.fill(mask, 1);
    return Map.of(
        "input_ids", Tensor.of(ids, batch, length),
        "attention_mask", Tensor.of(mask, batch, length),
        "token_type_ids", Tensor.of(new long[ids.length], batch, length));
  }
}
