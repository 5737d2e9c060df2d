package dev.filigree.compress.search;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chain of four layers, the first of which matter most. */
class RecipeSearchTest {
  private static final int WIDTH = 48;
  private static final int LAYERS = 4;
  private static final List<Recipe> OPTIONS =
      List.of(Recipe.named("int8"), Recipe.named("2:4"), Recipe.named("codebook-4bit"));

  @TempDir private Path folder;
  private Model model;
  private float[] expected;

  @BeforeEach
  void open() {
    Samples samples = new Samples(3);
    OnnxModel onnx = new OnnxModel(13).input("x", DType.F32, "tokens", Integer.toString(WIDTH));
    String value = "x";
    for (int layer = 0; layer < LAYERS; layer++) {
      String name = "layer" + layer;
      onnx.initializer(name + ".weight", Tensor.of(samples.normal(WIDTH * WIDTH), WIDTH, WIDTH))
          .node("MatMul", name, value, name + ".weight")
          .node("Relu", name + "r", name);
      value = name + "r";
    }
    model =
        Model.open(
            onnx.output(value, DType.F32, "tokens", Integer.toString(WIDTH))
                .write(folder.resolve("chain.onnx")));
    expected = run(model);
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static float[] run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      return session
          .run(Map.of("x", Tensor.of(new Samples(9).normal(30 * WIDTH), 30, WIDTH)))
          .values()
          .iterator()
          .next()
          .toFloats();
    }
  }

  private double cosine(Model candidate) {
    float[] found = run(candidate);
    double product = 0;
    double a = 0;
    double b = 0;
    for (int i = 0; i < found.length; i++) {
      product += (double) found[i] * expected[i];
      a += (double) found[i] * found[i];
      b += (double) expected[i] * expected[i];
    }
    return product / Math.sqrt(a * b);
  }

  private Sensitivity scan(Sensitivity.Clock clock) {
    return Sensitivity.scan(model, OPTIONS, null, this::cosine, clock, 1, Progress.NONE);
  }

  private RecipeSearch.Found search(Sensitivity scan, String budget, int evaluations) {
    return RecipeSearch.search(
        scan, Budget.parse(budget), this::cosine, evaluations, Progress.NONE);
  }

  /** The best cosine of all choices within a number of bytes. */
  private double best(Sensitivity scan, double bytes) {
    double best = 0;
    int options = scan.options().size();
    for (int code = 0; code < Math.pow(options, LAYERS); code++) {
      int[] choice = new int[LAYERS];
      double cost = 0;
      for (int layer = 0, rest = code; layer < LAYERS; layer++, rest /= options) {
        choice[layer] = rest % options;
        cost += scan.cells()[layer][choice[layer]].bytes();
      }
      if (cost <= bytes) {
        try (Model mixed = scan.mixed(choice).toModel()) {
          best = Math.max(best, cosine(mixed));
        }
      }
    }
    return best;
  }

  @Test
  void aScanTellsWhatEachLayerLosesAlone() {
    Sensitivity scan = scan(null);
    assertEquals(LAYERS, scan.layers());
    assertEquals(4, scan.options().size());
    for (Sensitivity.Cell[] layer : scan.cells()) {
      assertEquals(0, layer[0].loss());
      assertTrue(layer[1].loss() < layer[3].loss() && layer[3].loss() < layer[2].loss());
      assertTrue(layer[1].bytes() < layer[0].bytes());
      assertTrue(layer[2].error() > layer[3].error());
    }
  }

  @Test
  void aBudgetOfBytesIsKeptAndUsedNearlyAsWellAsByTryingAll() {
    Sensitivity scan = scan(null);
    long dense = Arrays.stream(scan.cells()).mapToLong(layer -> layer[0].bytes()).sum();
    for (double share : new double[] {0.35, 0.5, 0.8}) {
      RecipeSearch.Found found = search(scan, "bytes=" + (long) (share * dense), 200);
      assertTrue(found.cost() <= share * dense);
      assertTrue(found.cosine() >= found.startCosine());
      double best = best(scan, share * dense);
      assertTrue(found.cosine() > best - 0.002, found.cosine() + " of " + best);
    }
  }

  @Test
  void aFidelityIsReachedWithFewBytes() {
    Sensitivity scan = scan(null);
    RecipeSearch.Found loose = search(scan, "fidelity=0.9", 100);
    RecipeSearch.Found strict = search(scan, "fidelity=0.9999999", 100);
    assertTrue(loose.cosine() >= 0.9, loose.toString());
    assertTrue(strict.cosine() >= 0.9999999, strict.toString());
    assertTrue(loose.cost() < strict.cost());
  }

  @Test
  void aBudgetOfTimeTakesTheLayersThatAreFast() {
    // 2:4 is said to take half of the time, and to be the only one that takes less
    Sensitivity scan =
        scan(
            candidate -> {
              Map<String, Double> micros = new HashMap<>();
              candidate
                  .matrices()
                  .forEach(m -> micros.put(m.name(), m.weights().density() < 1 ? 50.0 : 100.0));
              return micros;
            });
    RecipeSearch.Found found = search(scan, "latency=0.76", 100);
    assertEquals(2, Arrays.stream(found.choice()).filter(option -> option == 2).count());
    assertEquals(0.75, found.cost(), 1e-9);
  }

  @Test
  void theRecipeThatIsWrittenOutMakesTheModelThatWasFound() {
    Sensitivity scan = scan(null);
    RecipeSearch.Found found = search(scan, "bytes=16000", 50);
    Recipe recipe = RecipeJson.parse("found", RecipeJson.write(scan.recipe(found.choice(), "x")));
    Compression again = Compressor.compress(model, recipe, 1, Progress.NONE);
    try (Model mixed = scan.mixed(found.choice()).toModel();
        Model compressed = again.toModel()) {
      Floats.assertSameBits(run(mixed), run(compressed));
      assertEquals(found.cosine(), cosine(compressed));
    }
    assertEquals(found.cost(), again.bytesAfter());
    assertArrayEquals(found.choice(), search(scan, "bytes=16000", 50).choice());
  }

  @Test
  void aBudgetThatNothingKeepsToSaysWhatWouldBeTheLeast() {
    Sensitivity scan = scan(null);
    InputException refusal =
        assertThrows(InputException.class, () -> search(scan, "bytes=100", 10));
    assertTrue(refusal.problem().contains("the least is "), refusal.problem());
    long least =
        Arrays.stream(scan.cells())
            .mapToLong(c -> Arrays.stream(c).mapToLong(Sensitivity.Cell::bytes).min().orElseThrow())
            .sum();
    Budget.parse("bytes=" + least).check(model, OPTIONS);
    // known before anything is scanned
    InputException early =
        assertThrows(
            InputException.class, () -> Budget.parse("bytes=" + least / 2).check(model, OPTIONS));
    assertTrue(early.problem().contains("the least is about " + least), early.problem());
    assertThrows(
        InputException.class,
        () ->
            Sensitivity.scan(
                model, List.of(Recipe.named("dense")), null, this::cosine, null, 1, Progress.NONE));
    for (String name : List.of("2:4-permuted", "2:4-distilled")) {
      List<Recipe> options = List.of(Recipe.named(name));
      InputException whole =
          assertThrows(
              InputException.class,
              () -> Sensitivity.scan(model, options, null, this::cosine, null, 1, Progress.NONE));
      String does = name.equals("2:4-permuted") ? " reorders " : " distils";
      assertTrue(whole.problem().contains(does), whole.problem());
    }
  }
}
