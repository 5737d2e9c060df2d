package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The inputs that `bench` and `explain` make up. */
class SampleInputsTest {
  private static final int WORDS = 5;

  @TempDir private Path folder;

  @Test
  void idsAreRowsOfTheModelsOwnTable() {
    Path file =
        new OnnxModel(13)
            .input("input_ids", DType.I64, "batch", "length")
            .initializer("table", Tensor.of(new Samples(1).normal(WORDS * 8), WORDS, 8))
            .node("Gather", "y", "table", "input_ids")
            .output("y", DType.F32, "batch", "length", "8")
            .write(folder.resolve("words.onnx"));
    try (Model model = Model.open(file)) {
      Tensor ids = SampleInputs.of(model, 2, 40, Map.of()).get("input_ids");
      assertEquals(80, ids.elements());
      boolean[] met = new boolean[WORDS];
      for (long i = 0; i < ids.elements(); i++) {
        met[(int) ids.getLong(i)] = true;
      }
      for (boolean each : met) {
        assertTrue(each, "every row is looked up");
      }
    }
    Cli.Result bench = Cli.run("bench", file.toString(), "--runs", "3");
    assertEquals(0, bench.code(), bench.err());
  }

  @Test
  void theBatchThatIsReportedIsTheOneThatRuns() {
    Path open = TinyOnnx.write(folder.resolve("tiny.onnx"));
    assertSize(1, open);
    assertSize(3, open, "--batch", "3");
    assertSize(4, open, "--shape", "x=4x8");
    Path fixed =
        new OnnxModel(13)
            .input("x", DType.F32, "2", "8")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "2", "8")
            .write(folder.resolve("fixed.onnx"));
    assertSize(2, fixed);
    assertSize(2, fixed, "--batch", "2");
    Cli.Result refused = Cli.run("bench", fixed, "--batch", "8").failsWith(2);
    assertTrue(refused.err().contains("--batch is 8, but"), refused.err());
    assertTrue(refused.err().contains("fixes it at 2"), refused.err());
    assertTrue(refused.err().contains("[x: f32[2, 8]]"), refused.err());
  }

  @Test
  void aLengthThatTheModelFixesMayBeAskedForAndNoOther() {
    Path fixed =
        new OnnxModel(13)
            .input("input_ids", DType.I64, "1", "128")
            .initializer("table", Tensor.of(new Samples(1).normal(WORDS * 8), WORDS, 8))
            .node("Gather", "y", "table", "input_ids")
            .output("y", DType.F32, "1", "128", "8")
            .write(folder.resolve("fixed.onnx"));
    JsonNode bench =
        Cli.run("bench", fixed, "--runs", "3", "--batch", "1", "--length", "128", "--json").json();
    assertEquals(128, bench.get("results").get(0).get("length").asInt());
    Cli.Result explained = Cli.run("explain", fixed, "--batch", "1", "--length", "128");
    assertEquals(0, explained.code(), explained.err());
    Cli.Result refused = Cli.run("explain", fixed, "--length", "64").failsWith(2);
    assertTrue(refused.err().contains("--length is 64, but"), refused.err());
    assertTrue(refused.err().contains("fixes it at 128"), refused.err());
  }

  @Test
  void imagesHaveNoLengthToAskFor() {
    Path images =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "3", "8", "8")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "batch", "3", "8", "8")
            .write(folder.resolve("images.onnx"));
    Cli.Result refused = Cli.run("explain", images, "--length", "8").failsWith(2);
    assertTrue(refused.err().contains("no input of the model has a length"), refused.err());
  }

  @Test
  void aModelWithoutInputsRunsOneRow() {
    Path file =
        new OnnxModel(13)
            .initializer("w", Tensor.of(new float[] {1, -2}, 2))
            .node("Neg", "y", "w")
            .output("y", DType.F32, "2")
            .write(folder.resolve("source.onnx"));
    assertSize(1, file);
    Cli.Result explained = Cli.run("explain", file.toString());
    assertEquals(0, explained.code(), explained.err());
  }

  private static void assertSize(int rows, Path model, String... options) {
    Object[] arguments = new Object[options.length + 5];
    System.arraycopy(new Object[] {"bench", model, "--runs", "3", "--json"}, 0, arguments, 0, 5);
    System.arraycopy(options, 0, arguments, 5, options.length);
    JsonNode result = Cli.run(arguments).json().get("results").get(0);
    assertEquals(rows, result.get("batch").asInt());
    assertTrue(result.get("length").isNull(), "no axis is left open for a length");
    double runsPerSecond = 1e3 / result.get("p50Millis").asDouble();
    assertEquals(rows, result.get("throughputPerSecond").asDouble() / runsPerSecond, 1e-6);
  }
}
