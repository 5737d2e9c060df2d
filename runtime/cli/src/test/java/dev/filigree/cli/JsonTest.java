package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.Tensor;
import dev.filigree.simgpu.SimulatedDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The JSON documents hold what the contract promises, with the values it means. */
class JsonTest {
  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void aModel() throws IOException {
    model = TinyOnnx.write(folder.resolve("tiny.onnx"));
  }

  private static void has(JsonNode node, String... fields) {
    for (String field : fields) {
      assertTrue(node.has(field), "no " + field + " in " + node);
    }
  }

  private static long[] longs(JsonNode list) {
    return list.valueStream().mapToLong(JsonNode::asLong).toArray();
  }

  @Test
  void runOfTensorsTellsItsOutputsAndWritesThem() {
    float[] x = new float[16];
    x[0] = 1;
    x[8 + 2] = 2;
    Path input = folder.resolve("x.npy");
    Npy.write(input, Tensor.of(x, 2, 8));
    Path out = folder.resolve("made/for it");
    JsonNode document =
        Cli.run("run", model, "--input", "x=" + input, "--output-dir", out, "--json").json();
    has(document, "elapsedMillis");
    JsonNode output = document.get("outputs").get(0);
    assertEquals(1, document.get("outputs").size());
    assertEquals("y", output.get("name").asString());
    assertEquals("f32", output.get("dtype").asString());
    assertArrayEquals(new long[] {2, 4}, longs(output.get("shape")));
    Path file = Path.of(output.get("file").asString());
    assertEquals(out.resolve("y.npy"), file);
    // rows 0 and 2 of the weights, the second one twice, and the bias
    assertArrayEquals(new float[] {1, 12, 23, 34, 6, 27, 48, 69}, Npy.read(file).toFloats());
  }

  @Test
  void runWithoutAnOutputFolderNamesNoFile() {
    Path input = folder.resolve("x.npy");
    Npy.write(input, Tensor.of(new float[8], 1, 8));
    JsonNode output =
        Cli.run("run", model, "--input", "x=" + input, "--json").json().get("outputs").get(0);
    assertTrue(output.get("file").isNull());
  }

  @Test
  void compressTellsWhatItCostAndSaved() throws IOException {
    Path out = folder.resolve("out.filigree");
    JsonNode document = Cli.run("compress", model, "--recipe", "2:4", "-o", out, "--json").json();
    assertEquals(model.toString(), document.get("input").asString());
    assertEquals(out.toString(), document.get("output").asString());
    assertEquals("2:4", document.get("recipe").asString());
    assertEquals(Files.size(model), document.get("bytesBefore").asLong());
    assertEquals(Files.size(out), document.get("bytesAfter").asLong());
    has(document, "bitsPerWeight", "elapsedMillis");
    assertEquals(1, document.get("layers").size());
    JsonNode layer = document.get("layers").get(0);
    has(layer, "name", "bitsPerWeight", "outputError");
    assertEquals(4, layer.get("rows").asInt());
    assertEquals(8, layer.get("columns").asInt());
    assertEquals("2:4 f32", layer.get("format").asString());
    assertEquals(0.5, layer.get("density").asDouble());
    assertEquals(expectedError(), layer.get("weightError").asDouble(), 1e-6);
  }

  /** Of four neighbours along the reduction axis the two smaller are dropped. */
  private static double expectedError() {
    double dropped = 0;
    double all = 0;
    for (int n = 0; n < TinyOnnx.OUT; n++) {
      for (int k = 0; k < TinyOnnx.IN; k++) {
        double square = Math.pow(TinyOnnx.weight(k, n), 2);
        all += square;
        dropped += k % 4 < 2 ? square : 0;
      }
    }
    return Math.sqrt(dropped / all);
  }

  @Test
  void compressedModelsAreInspectedAndRunAndKnowTheirRecipe() {
    Path out = folder.resolve("out.filigree");
    assertEquals(0, Cli.run("compress", model, "--recipe", "2:4", "-o", out).code());
    JsonNode weights = tensor(Cli.run("inspect", out, "--json").json(), "2:4 f32");
    assertTrue(weights.get("follows24").asBoolean());
    assertEquals("in", weights.get("axis").asString());
    assertEquals(0.5, weights.get("density").asDouble());
    Path input = folder.resolve("x.npy");
    float[] x = new float[8];
    x[0] = 1;
    x[3] = 1;
    Npy.write(input, Tensor.of(x, 1, 8));
    assertEquals(0, Cli.run("run", out, "--input", "x=" + input, "--output-dir", folder).code());
    // row 0 of the weights was pruned, row 3 was kept
    assertArrayEquals(new float[] {4, 15, 26, 37}, Npy.read(folder.resolve("y.npy")).toFloats());
    assertTrue(Cli.run("inspect", out).out().contains("recipe  2:4"));
  }

  private static JsonNode tensor(JsonNode document, String format) {
    return document
        .get("tensors")
        .valueStream()
        .filter(tensor -> tensor.get("format").asString().equals(format))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void inspectListsEveryTensor() {
    JsonNode document = Cli.run("inspect", model, "--json").json();
    JsonNode tensors = document.get("tensors");
    assertEquals(2, tensors.size());
    tensors.forEach(
        tensor -> has(tensor, "name", "shape", "dtype", "format", "bytes", "density", "axis"));
    JsonNode weights = tensor(document, "dense f32");
    assertArrayEquals(new long[] {4, 8}, longs(weights.get("shape")));
    assertEquals(128, weights.get("bytes").asLong());
    assertFalse(weights.get("follows24").asBoolean());
    assertTrue(weights.get("axis").isNull());
    assertEquals(128 + 16, document.get("totalBytes").asLong());
  }

  @Test
  void explainTellsTheKernelOfEveryLayerAndTheOthersItCompared() {
    JsonNode layers = Cli.run("explain", model, "--batch", "4", "--json").json().get("layers");
    assertEquals(1, layers.size());
    JsonNode layer = layers.get(0);
    has(layer, "name", "reason");
    assertEquals("dense f32", layer.get("format").asString());
    JsonNode candidates = layer.get("candidates");
    assertTrue(candidates.size() > 0);
    candidates.forEach(
        candidate -> {
          assertTrue(candidate.get("predictedMicros").asDouble() > 0);
          has(candidate, "measuredMicros");
        });
    List<String> kernels =
        candidates.valueStream().map(candidate -> candidate.get("kernel").asString()).toList();
    assertTrue(kernels.contains(layer.get("kernel").asString()), layer.toString());
  }

  @Test
  void explainWithoutMeasuringMeasuresNothing() {
    Cli.run("explain", model, "--no-measure", "--json")
        .json()
        .get("layers")
        .forEach(
            layer ->
                layer
                    .get("candidates")
                    .forEach(each -> assertTrue(each.get("measuredMicros").isNull())));
  }

  @Test
  void explainOnTheSimulatedDeviceProjectsAndSaysSo() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
    JsonNode document =
        Cli.run("explain", model, "--batch", "4", "--device", "simulated", "--json").json();
    assertTrue(document.get("simulated").asBoolean());
    JsonNode layer = document.get("layers").get(0);
    List<JsonNode> projected =
        layer
            .get("candidates")
            .valueStream()
            .filter(candidate -> !candidate.get("projectedMicros").isNull())
            .toList();
    assertFalse(projected.isEmpty(), layer.toString());
    layer
        .get("candidates")
        .forEach(candidate -> assertTrue(candidate.get("measuredMicros").isNull()));
    String kernel = projected.getLast().get("kernel").asString();
    JsonNode asked =
        Cli.run(
                "explain",
                model,
                "--batch",
                "4",
                "--device",
                "simulated",
                "--kernels",
                kernel,
                "--no-measure",
                "--json")
            .json()
            .get("layers")
            .get(0);
    assertEquals(kernel, asked.get("kernel").asString());
    assertTrue(asked.get("reason").asString().contains("asked for"), asked.toString());
  }

  @Test
  void benchMeasuresEveryCombinationBesideTheDenseModel() {
    JsonNode document =
        Cli.run(
                "bench",
                model,
                "--recipe",
                "2:4",
                "--batch",
                "1,3",
                "--threads",
                "1",
                "--runs",
                "7",
                "--json")
            .json();
    has(document.get("machine"), "processor", "processors", "java", "kernels");
    JsonNode results = document.get("results");
    assertEquals(4, results.size());
    for (int i = 0; i < 4; i++) {
      JsonNode result = results.get(i);
      assertEquals("filigree", result.get("runtime").asString());
      assertEquals(i % 2 == 0 ? "dense" : "2:4", result.get("recipe").asString());
      assertEquals("cpu", result.get("device").asString());
      assertEquals(i < 2 ? 1 : 3, result.get("batch").asInt());
      assertEquals(1, result.get("threads").asInt());
      assertEquals(7, result.get("runs").asInt());
      has(result, "length", "throughputPerSecond");
      double p50 = result.get("p50Millis").asDouble();
      assertTrue(p50 > 0 && p50 <= result.get("p95Millis").asDouble(), result.toString());
      assertTrue(
          result.get("p95Millis").asDouble() <= result.get("p99Millis").asDouble(),
          result.toString());
      if (i % 2 == 0) {
        assertEquals(1, result.get("ratioToBaseline").asDouble());
      }
    }
  }

  @Test
  void doctorTellsWhatIsThereAndWhatIsMissing() {
    JsonNode document = Cli.run("doctor", "--json").json();
    has(document, "java", "vector", "libraries");
    has(document.get("vector"), "bits", "ready", "why");
    JsonNode cuda = document.get("devices").get(1);
    assertEquals("cuda", cuda.get("kind").asString());
    if (!cuda.get("ready").asBoolean()) {
      assertFalse(cuda.get("why").asString().isEmpty());
      assertFalse(cuda.get("fix").asString().isEmpty());
    }
    for (JsonNode library : document.get("libraries")) {
      if (library.get("found").asBoolean()) {
        assertTrue(Files.exists(Path.of(library.get("path").asString())), library.toString());
      } else {
        assertTrue(library.get("path").isNull(), library.toString());
        assertFalse(library.get("fix").asString().isEmpty(), library.toString());
      }
    }
  }

  @Test
  void doctorAskedForADeviceShowsThatOneAndFailsUnlessItIsReady() {
    JsonNode cpu = Cli.run("doctor", "--device", "cpu", "--json").json().get("devices");
    assertEquals(1, cpu.size());
    assertEquals("cpu", cpu.get(0).get("name").asString());
    Cli.Result missing = Cli.run("doctor", "--device", "cuda:999");
    assertEquals(Main.UNMET, missing.code());
    assertTrue(missing.out().contains("cuda:999: not used: "), missing.out());
    assertFalse(missing.out().contains("device    cpu"), missing.out());
  }

  @Test
  void aProfileHasEveryKernelOfEveryRunInItsOrder() throws IOException {
    Path trace = folder.resolve("trace.json");
    JsonNode document =
        Cli.run(
                "bench",
                model,
                "--recipe",
                "2:4",
                "--runs",
                "3",
                "--batch",
                "5",
                "--profile",
                trace,
                "--json")
            .json();
    assertEquals(trace.toString(), document.get("profile").asString());
    JsonNode events = Output.JSON.readTree(Files.readString(trace)).get("traceEvents");
    List<JsonNode> names =
        events.valueStream().filter(e -> e.get("ph").asString().equals("M")).toList();
    assertEquals(
        model + ", dense, batch 5, threads " + Runtime.getRuntime().availableProcessors(),
        names.getFirst().get("args").get("name").asString());
    for (int process = 0; process < 2; process++) {
      for (int run = 0; run < 10; run++) {
        int pid = process;
        int tid = run;
        List<JsonNode> steps =
            events
                .valueStream()
                .filter(e -> e.get("ph").asString().equals("X"))
                .filter(e -> e.get("pid").asInt() == pid && e.get("tid").asInt() == tid)
                .toList();
        assertEquals(2, steps.size(), "moved into panels, multiplied");
        JsonNode product = steps.getLast();
        assertEquals("Linear", product.get("cat").asString());
        assertTrue(
            product.get("ts").asDouble()
                >= steps.getFirst().get("ts").asDouble()
                    + steps.getFirst().get("dur").asDouble()
                    - 0.01);
        String format = product.get("args").get("format").asString();
        assertEquals(process == 0 ? "dense f32" : "2:4 f32", format);
        assertEquals("to panels", steps.getFirst().get("args").get("kernel").asString());
      }
    }
  }
}
