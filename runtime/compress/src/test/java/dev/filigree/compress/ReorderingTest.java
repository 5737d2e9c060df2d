package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two feed-forward parts, one behind the other. */
class ReorderingTest {
  private static final int WIDTH = 12;
  private static final int HIDDEN = 40;

  private static final Map<String, long[]> TURNED = Map.of("transB", new long[] {1});

  @TempDir private Path folder;

  /** up, ReLU, down, residual; twice, the second time with matrices stored as Gemm has them. */
  private Model model() {
    Samples samples = new Samples(7);
    float[] up = samples.normal(WIDTH * HIDDEN);
    float[] down = samples.normal(WIDTH * HIDDEN);
    // hidden channels of very different sizes, alike in each group, so that order matters
    for (int i = 0; i < down.length; i++) {
      down[i] *= (float) Math.exp(-(i / WIDTH / 4));
    }
    return Model.open(
        new OnnxModel(13)
            .input("x", DType.F32, "tokens", Integer.toString(WIDTH))
            .initializer("up.weight", Tensor.of(up, WIDTH, HIDDEN))
            .initializer("up.bias", Tensor.of(samples.normal(HIDDEN), HIDDEN))
            .initializer("down.weight", Tensor.of(down, HIDDEN, WIDTH))
            .initializer("wide.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), HIDDEN, WIDTH))
            .initializer("wide.bias", Tensor.of(samples.normal(HIDDEN), HIDDEN))
            .initializer("back.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), WIDTH, HIDDEN))
            .initializer("back.bias", Tensor.of(samples.normal(WIDTH), WIDTH))
            .node("MatMul", "m", "x", "up.weight")
            .node("Add", "a", "m", "up.bias")
            .node("Relu", "h", "a")
            .node("MatMul", "d", "h", "down.weight")
            .node("Add", "r", "d", "x")
            .node("Gemm", TURNED, "w", "r", "wide.weight", "wide.bias")
            .node("Tanh", "t", "w")
            .node("Gemm", TURNED, "b", "t", "back.weight", "back.bias")
            .output("b", DType.F32, "tokens", Integer.toString(WIDTH))
            .write(folder.resolve("chain.onnx")));
  }

  private static float[] run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      return session
          .run(Map.of("x", Tensor.of(new Samples(3).normal(20 * WIDTH), 20, WIDTH)))
          .get("b")
          .toFloats();
    }
  }

  private static Recipe recipe(String structure, String targets) {
    return RecipeJson.parse(
        "test",
        """
        {"version": 1, "name": "permuted", "stages": [
          {"prune": {"mask_structure": "%s", "permute": "swap", "targets": %s}}]}
        """
            .formatted(structure, targets));
  }

  @Test
  void theModelComputesWhatItDid() {
    try (Model model = model()) {
      Reordering reordering =
          Reordering.of(model, Work.of(model, recipe("2:4", "[\"Linear\"]")), 2);
      assertEquals(
          List.of("down", "back"),
          reordering.layers().stream().map(Compression.Permuted::name).toList());
      for (Compression.Permuted layer : reordering.layers()) {
        assertTrue(layer.kept() > layer.keptBefore(), layer.toString());
      }
      try (Model reordered = model.with(reordering.constants(), Map.of())) {
        Floats.assertClose(run(model), run(reordered), HIDDEN);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2:4", "1:4", "2:4 shared by 4", "4:8"})
  void pruningLosesLess(String structure) {
    Recipe permuted = recipe(structure, "[\"down\"]");
    Recipe plain =
        new Recipe(
            "plain",
            List.of(
                new Stage.Prune(
                    Stage.Score.MAGNITUDE,
                    ((Stage.Prune) permuted.stages().getFirst()).structure(),
                    permuted.stages().getFirst().targets())));
    try (Model model = model()) {
      double with = error(Compressor.compress(model, permuted, 2, Progress.NONE));
      double without = error(Compressor.compress(model, plain, 2, Progress.NONE));
      assertTrue(with < 0.9 * without, with + " and " + without);
    }
  }

  private static double error(Compression compression) {
    return compression.layers().stream()
        .filter(Compression.Layer::changed)
        .mapToDouble(Compression.Layer::weightError)
        .max()
        .orElseThrow();
  }

  @Test
  void theFileHoldsTheNewOrderAndIsComparedInTheOldOne() {
    Path file = folder.resolve("out.filigree");
    try (Model model = model()) {
      Compression compression =
          Compressor.compress(model, recipe("2:4", "[\"down\"]"), 2, Progress.NONE);
      compression.write(file);
      Calibration samples =
          new Calibration(
              List.of(Map.of("x", Tensor.of(new Samples(4).normal(200 * WIDTH), 200, WIDTH))));
      try (Model inMemory = compression.toModel();
          Model written = Model.open(file)) {
        Floats.assertSameBits(run(inMemory), run(written));
        for (Model compressed : List.of(inMemory, written)) {
          for (LayerErrors.Layer layer :
              LayerErrors.of(model, compressed, samples, 1, Progress.NONE)) {
            if (layer.name().equals("down")) {
              assertTrue(layer.outputError() > 1e-4 && layer.outputError() < 0.6, layer.toString());
            } else {
              assertEquals(0, layer.outputError(), layer.toString());
            }
          }
        }
      }
    }
  }

  @Test
  void onlyGroupsHaveAnOrder() {
    InputException refusal =
        assertThrows(
            InputException.class,
            () ->
                RecipeJson.parse(
                    "test",
                    """
                    {"version": 1, "name": "x", "stages": [{"prune": {"permute": "swap",
                      "mask_structure": "unstructured", "sparsity": 0.5}}]}
                    """));
    assertTrue(refusal.problem().contains("unstructured"), refusal.problem());
  }
}
