package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Kernels that are never compiled, as those the JIT compiler gave up on: in a JVM of its own that
 * is told to leave them in the interpreter.
 */
class StuckKernelTest {
  private static final String KERNELS = "dev.filigree.kernels.vector.";
  private static final String DENSE = KERNELS + "DenseTiles::*";
  private static final String RELU = KERNELS + "Elementwise::relu";

  /** It too: what names methods to inline, as the library does for it, is deaf to flags. */
  private static final String CALLER_OF_RELU = KERNELS + "Elementwise::activate";

  @TempDir private Path folder;

  /** Runs a model that was never warmed up until its session tells that ReLU is stuck. */
  static final class Unprepared {
    private static final long PATIENCE_NANOS = 60_000_000_000L;

    private Unprepared() {}

    public static void main(String[] arguments) {
      Map<String, Tensor> inputs = Map.of("x", Tensor.zeros(DType.F32, Shape.of(64, 96)));
      try (Model model = Model.open(Path.of(arguments[0]));
          Session session = model.session(SessionOptions.defaults())) {
        long start = System.nanoTime();
        do {
          session.run(inputs);
        } while (!session.kernels().contains("relu") && System.nanoTime() - start < PATIENCE_NANOS);
        System.out.println("{\"kernels\": \"" + session.kernels() + "\"}");
      }
    }
  }

  private static JsonNode run(Class<?> program, List<String> excluded, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-XX:CompileCommand=quiet"));
    for (String method : excluded) {
      command.add("-XX:CompileCommand=exclude," + method);
      command.add("-XX:CompileCommand=dontinline," + method); // nor as a part of others
    }
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    command.addAll(List.of("-cp", classPath, program.getName()));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try {
      String document = String.join("\n", process.inputReader().lines().toList());
      assertTrue(process.waitFor(120, TimeUnit.SECONDS), "the JVM ends");
      assertEquals(0, process.exitValue(), document);
      return new JsonMapper().readTree(document);
    } finally {
      process.destroy();
    }
  }

  @Test
  void theDoctorNamesThem() throws IOException, InterruptedException {
    JsonNode stuck = run(Main.class, List.of(DENSE), "doctor", "--json").path("stuck");
    List<String> names =
        stuck.valueStream().map(kernel -> kernel.path("kernel").asString()).toList();
    assertTrue(names.contains("linear"), names.toString());
    assertFalse(names.contains("softmax"), names.toString());
    stuck.forEach(kernel -> assertTrue(kernel.path("slowdown").asDouble() > 2, kernel.toString()));
  }

  /** Two layers, so that one is followed by ReLU. */
  private Path network() {
    float[] weights = new float[96 * 96];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (i % 7 - 3) * 0.01f;
    }
    Tensor matrix = Tensor.of(weights, 96, 96);
    return new OnnxModel(20)
        .input("x", DType.F32, "batch", "96")
        .initializer("w", matrix)
        .initializer("v", matrix)
        .node("MatMul", "inner", "x", "w")
        .node("Relu", "active", "inner")
        .node("MatMul", "y", "active", "v")
        .output("y", DType.F32, "batch", "96")
        .write(folder.resolve("network.onnx"));
  }

  @Test
  void aSessionFallsBackToScalarOnes() throws IOException, InterruptedException {
    String model = network().toString();
    JsonNode stuck = explain(model, RELU, CALLER_OF_RELU, DENSE);
    assertTrue(stuck.path("kernels").asString().endsWith("relu (stuck)"), () -> text(stuck));
    stuck
        .path("layers")
        .forEach(
            layer -> assertEquals("scalar dense", layer.path("kernel").asString(), text(stuck)));
    JsonNode healthy = explain(model);
    assertFalse(text(healthy).contains("scalar"), () -> text(healthy));
  }

  @Test
  void aSessionThatIsNotWarmedUpFallsBackToo() throws IOException, InterruptedException {
    JsonNode session = run(Unprepared.class, List.of(RELU, CALLER_OF_RELU), network().toString());
    assertTrue(session.path("kernels").asString().contains("relu"), () -> text(session));
  }

  private static JsonNode explain(String model, String... excluded)
      throws IOException, InterruptedException {
    return run(Main.class, List.of(excluded), "explain", model, "--shape", "x=64x96", "--json");
  }

  private static String text(JsonNode document) {
    return document.toPrettyString();
  }
}
