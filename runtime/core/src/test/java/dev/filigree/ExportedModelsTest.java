package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.format.onnx.OnnxFiles;
import dev.filigree.plan.LayerPlan;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small models in the forms that exporters, optimisers and quantisers write, each with inputs and
 * what ONNX Runtime 1.30 made of them. {@code make-cases.py} beside them writes them.
 */
final class ExportedModelsTest {
  /** Kinds of differences there are between two runtimes that sum in different orders. */
  private static final double TOLERANCE = 1e-4;

  /** ONNX Runtime rounds the state of this layer to a byte at each step. */
  private static final Map<String, Double> ROUNDED_STATE = Map.of("dynamicquantizelstm", 5e-3);

  /** Where ONNX Runtime rounds on its way, so that a code may be the next one. */
  private static final Set<String> ROUNDED_ON_THE_WAY =
      Set.of("qlinearaveragepool", "qlinearaveragepool-last", "qlinearsoftmax");

  static List<Path> cases() throws IOException, URISyntaxException {
    Path folder = Path.of(ExportedModelsTest.class.getResource("exported").toURI());
    try (Stream<Path> cases = Files.list(folder)) {
      return cases.filter(Files::isDirectory).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aModelGivesWhatOnnxRuntimeGives(Path folder) {
    try (Arena arena = Arena.ofConfined();
        Model model = Model.open(folder.resolve("model.onnx"));
        Session session = model.session(SessionOptions.defaults())) {
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      for (int i = 0; i < model.inputs().size(); i++) {
        Path file = folder.resolve("input_" + i + ".pb");
        inputs.put(model.inputs().get(i).name(), OnnxFiles.tensor(file, arena));
      }
      Map<String, Tensor> outputs = session.run(inputs);
      for (int i = 0; i < model.outputs().size(); i++) {
        Tensor expected = OnnxFiles.tensor(folder.resolve("output_" + i + ".pb"), arena);
        Tensor actual = outputs.get(model.outputs().get(i).name());
        assertEquals(expected.toString(), actual.toString());
        assertNear(folder.getFileName().toString(), expected, actual);
      }
    }
  }

  /** PyTorch's tracer tests shapes for -1, which an extent that is not known yet never is. */
  @Test
  void aMatrixBehindASpreadTokenBecomesALayer() throws URISyntaxException {
    Path folder = Path.of(ExportedModelsTest.class.getResource("exported/expand-where").toURI());
    try (Model model = Model.open(folder.resolve("model.onnx"))) {
      assertEquals(1, model.matrices().size());
    }
  }

  /** What is computed node by node takes a hundred times as long. */
  @ParameterizedTest
  @ValueSource(strings = {"pad-computed", "range-computed", "if-computed"})
  void shapesAreFollowedThroughOperatorsOfEveryKind(String name) throws URISyntaxException {
    Path folder = Path.of(ExportedModelsTest.class.getResource("exported/" + name).toURI());
    Map<String, Shape> shapes;
    try (Arena arena = Arena.ofConfined();
        Model model = Model.open(folder.resolve("model.onnx"))) {
      Shape shape = OnnxFiles.tensor(folder.resolve("input_0.pb"), arena).shape();
      shapes = Map.of(model.inputs().getFirst().name(), shape);
    }
    assertTrue(
        layers(name, shapes).stream().noneMatch(layer -> layer.reason().contains("node by node")));
  }

  /** PyTorch's exporter keeps equal biases once, and layers are called after theirs. */
  @Test
  void aLayerCalledAfterTheBiasOfAnotherIsNotStoredOverIt() throws URISyntaxException {
    Path folder = Path.of(ExportedModelsTest.class.getResource("exported/shared-bias").toURI());
    try (Model model = Model.open(folder.resolve("model.onnx"))) {
      assertEquals(List.of("patch_2"), model.matrices().stream().map(WeightMatrix::name).toList());
    }
  }

  /** Only what lies between is computed node by node. */
  @Test
  void whatComesBeforeShapesThatDataTellsIsPlanned() throws URISyntaxException {
    List<LayerPlan> layers = layers("nms-head", Map.of("i", Shape.of(2, 3, 9, 9)));
    assertTrue(
        layers.stream()
            .anyMatch(layer -> layer.name().equals("w") && !layer.kernel().equals("reference")),
        layers::toString);
    assertTrue(
        layers.stream()
            .anyMatch(layer -> layer.name().equals("wo") && layer.reason().contains("in each run")),
        layers::toString);
  }

  @Test
  void theNetworkOfTheBranchThatIsTakenIsPlanned() throws URISyntaxException {
    Map<String, Shape> shapes =
        Map.of("x", Shape.of(2, 5, 16), "past", Shape.of(2, 3, 8), "cached", Shape.of(1));
    List<LayerPlan> layers = layers("if-networks-true", shapes);
    assertTrue(layers.getFirst().reason().contains("branch"), layers::toString);
  }

  private static List<LayerPlan> layers(String name, Map<String, Shape> shapes)
      throws URISyntaxException {
    Path folder = Path.of(ExportedModelsTest.class.getResource("exported/" + name).toURI());
    try (Model model = Model.open(folder.resolve("model.onnx"));
        Session session = model.session(SessionOptions.defaults())) {
      return session.plan(shapes);
    }
  }

  private static void assertNear(String name, Tensor expected, Tensor actual) {
    double largest = 0;
    double difference = 0;
    for (long i = 0; i < expected.elements(); i++) {
      largest = Math.max(largest, Math.abs(expected.getDouble(i)));
      difference = Math.max(difference, Math.abs(expected.getDouble(i) - actual.getDouble(i)));
    }
    double tolerance = ROUNDED_STATE.getOrDefault(name, TOLERANCE);
    double allowed = expected.dtype().isFloating() ? tolerance * largest : 0;
    assertTrue(
        difference <= (ROUNDED_ON_THE_WAY.contains(name) ? 1 : allowed),
        name + " differs by " + difference + " where values go up to " + largest);
    assertTrue(largest > 0, name + " expects something");
  }
}
