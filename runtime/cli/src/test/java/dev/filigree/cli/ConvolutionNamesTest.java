package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Every command calls a convolution by one name, whatever its exporter called its weights. */
class ConvolutionNamesTest {
  private static final int CHANNELS = 8;

  @TempDir private Path folder;
  private Path model;

  /** One convolution whose weights the exporter numbered, and one with a name of its own. */
  @BeforeEach
  void write() {
    Samples random = new Samples(1);
    Tensor first = Tensor.of(random.normal(CHANNELS * CHANNELS), CHANNELS, CHANNELS, 1, 1);
    Tensor second = Tensor.of(random.normal(CHANNELS * CHANNELS), CHANNELS, CHANNELS, 1, 1);
    model =
        new OnnxModel(13)
            .input("x", DType.F32, "n", Integer.toString(CHANNELS), "5", "5")
            .initializer("onnx::Conv_441", first)
            .initializer("onnx::Conv_442", Tensor.of(random.normal(CHANNELS), CHANNELS))
            .node("Conv", "a", "x", "onnx::Conv_441", "onnx::Conv_442")
            .node("Relu", "b", "a")
            .initializer("head.weight", second)
            .node("Conv", "y", "b", "head.weight")
            .output("y", DType.F32, "n", Integer.toString(CHANNELS), "5", "5")
            .write(folder.resolve("net.onnx"));
  }

  private static List<String> names(String field, Object... arguments) {
    List<String> names = new ArrayList<>();
    for (JsonNode entry : Cli.run(arguments).json().get(field)) {
      names.add(entry.get("name").asString());
    }
    return names;
  }

  @Test
  void itIsThatOfTheNodeWhereTheWeightsAreNumbered() {
    List<String> expected = List.of("Conv_0", "head");
    Path sparse = folder.resolve("sparse.filigree");
    Path x = folder.resolve("x.npy");
    Npy.write(x, Tensor.of(new Samples(2).normal(12 * CHANNELS * 25), 12, CHANNELS, 5, 5));
    List<String> inspected = names("tensors", "inspect", model, "--json");
    assertTrue(inspected.containsAll(expected), inspected.toString());
    assertEquals(
        expected, names("layers", "compress", model, "--recipe", "2:4", "-o", sparse, "--json"));
    assertEquals(
        expected, names("layers", "compare", model, sparse, "--input", "x=" + x, "--json"));
    List<String> explained = names("layers", "explain", model, "--no-measure", "--json");
    assertTrue(explained.containsAll(expected), explained.toString());
  }

  @Test
  void aRecipeMayStillCallItByItsWeights() throws IOException {
    Path recipe =
        Files.writeString(
            folder.resolve("one.json"),
            """
            {"version": 1, "name": "one", "stages": [
              {"quantize": {"bits": 8, "targets": ["onnx::Conv_441"]}}]}
            """);
    Path out = folder.resolve("one.filigree");
    JsonNode layers =
        Cli.run("compress", model, "--recipe", recipe, "-o", out, "--json").json().get("layers");
    assertEquals("Conv_0", layers.get(0).get("name").asString());
    assertTrue(layers.get(0).get("format").asString().startsWith("int8"), layers.toString());
    assertEquals("head", layers.get(1).get("name").asString());
    assertEquals(0, layers.get(1).get("weightError").asDouble());
  }
}
