package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Measuring with several precisions, beside other runtimes, and drawing what was measured. */
class BenchTest {
  @TempDir Path folder;
  private String model;

  @BeforeEach
  void writeModel() throws IOException {
    Path file = folder.resolve("tiny.onnx");
    TinyOnnx.write(file);
    model = file.toString();
  }

  @Test
  void everyPrecisionIsMeasuredBesideTheFirst() {
    JsonNode results =
        Cli.run("bench", model, "--precision", "exact,bf16,int8", "--runs", "5", "--json")
            .json()
            .get("results");
    assertEquals(3, results.size());
    List<String> precisions = List.of("exact", "bf16", "int8");
    for (int i = 0; i < 3; i++) {
      JsonNode result = results.get(i);
      assertEquals(precisions.get(i), result.get("precision").asString());
      double ratio = result.get("ratioToBaseline").asDouble();
      assertTrue(result.get("ratioP10").asDouble() <= ratio, result.toString());
      assertTrue(result.get("ratioP90").asDouble() >= ratio, result.toString());
      assertTrue(result.get("cosineToBaseline").asDouble() > 0.99, result.toString());
    }
    assertEquals(1, results.get(0).get("cosineToBaseline").asDouble());
  }

  @Test
  void aPrecisionThatDoesNotExistIsRefusedWithThoseThatDo() {
    Cli.Result refused = Cli.run("bench", model, "--precision", "fp8");
    assertEquals(2, refused.code());
    assertTrue(refused.err().contains("exact, bf16 or int8"), refused.err());
  }

  @Test
  void aRuntimeThatIsNotOnTheClassPathIsNamedWithTheRemedy() {
    Cli.Result missing = Cli.run("bench", model, "--against", "onnxruntime");
    assertEquals(1, missing.code());
    assertTrue(missing.err().contains("onnxruntime is not on the class path"), missing.err());
    assertTrue(missing.err().contains("launcher"), missing.err());
    Cli.Result unknown = Cli.run("bench", model, "--against", "tensorrt");
    assertEquals(2, unknown.code());
    assertTrue(unknown.err().contains("onnxruntime, djl-pytorch"), unknown.err());
  }

  @Test
  void anEarlierRunIsDrawnAndPrintedWithoutMeasuring() throws IOException {
    Path run = folder.resolve("run.json");
    Cli.Result measured = Cli.run("bench", model, "--recipe", "2:4", "--runs", "3", "--json");
    Files.writeString(run, measured.out());
    Path picture = folder.resolve("picture");
    Cli.Result again =
        Cli.run(
            "bench", model, "--from", run.toString(), "--picture", picture.toString(), "--json");
    assertEquals(measured.json().get("results"), again.json().get("results"));
    String svg = Files.readString(folder.resolve("picture.svg"));
    // the bars of the baseline are grey, those of 2:4 blue
    assertTrue(svg.contains("rgb(176,176,176)"), "no bar of the baseline");
    assertTrue(svg.contains("rgb(0,114,178)"), "no bar of 2:4");
    assertTrue(Files.size(folder.resolve("picture.png")) > 1000);
  }

  @Test
  void aFileThatIsNoEarlierRunIsRefused() {
    Cli.Result refused = Cli.run("bench", model, "--from", model);
    assertEquals(1, refused.code());
    assertTrue(refused.err().contains("bench --json"), refused.err());
  }
}
