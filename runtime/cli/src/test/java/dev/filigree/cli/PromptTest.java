package dev.filigree.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.Model;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.testing.TinyDecoder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code run --prompt}. */
class PromptTest {
  private static final String PROMPT = "w7 w12 w30 w3";

  @TempDir private Path folder;

  @Test
  void aPromptIsContinuedInWordsAndAsADocument() {
    Path model = TinyDecoder.write(folder.resolve("tiny"), 1, false, "");
    JsonNode document =
        Cli.run("run", model, "--prompt", PROMPT, "--max-tokens", 8, "--json").json();
    assertEquals(PROMPT, document.get("prompt").asString());
    assertEquals(4, document.get("promptTokens").asInt());
    assertEquals("cpu", document.get("device").asString());
    assertEquals("dense", document.get("recipe").asString());
    assertTrue(document.get("tokens").size() <= 8);
    assertEquals(
        document.get("tokens").size() == 8 ? "length" : "complete", document.get("end").asString());
    assertTrue(document.get("cacheBytesPerToken").asDouble() >= 2 * 2 * 8 * 2 * 4);
    Cli.Result text = Cli.run("run", model, "--prompt", PROMPT, "--max-tokens", 8);
    assertEquals(0, text.code(), text.err());
    assertTrue(text.out().startsWith(document.get("text").asString()), text.out());
  }

  @Test
  void compressedDecodersWriteToo() {
    Path model = TinyDecoder.write(folder.resolve("tiny"), 2, true, "");
    Path copy = folder.resolve("tiny.filigree");
    try (Model opened = Model.open(model)) {
      opened.writer().write(copy);
    }
    Object[] rest = {"--prompt", PROMPT, "--max-tokens", 6, "--json"};
    JsonNode first = Cli.run(join(model, rest)).json();
    assertEquals(first.get("tokens"), Cli.run(join(copy, rest)).json().get("tokens"));
    JsonNode narrow = Cli.run(join(model, rest, "--recipe", "int8")).json();
    assertEquals("int8", narrow.get("recipe").asString());
    assertEquals(4, narrow.get("promptTokens").asInt());
  }

  private static Object[] join(Path model, Object[] rest, Object... more) {
    Object[] all = new Object[2 + rest.length + more.length];
    all[0] = "run";
    all[1] = model;
    System.arraycopy(rest, 0, all, 2, rest.length);
    System.arraycopy(more, 0, all, 2 + rest.length, more.length);
    return all;
  }

  @Test
  void theSimulatedDeviceWritesWhatTheCpuWrites() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
    Path model = TinyDecoder.write(folder.resolve("tiny"), 6, false, "");
    Object[] rest = {"--prompt", PROMPT, "--max-tokens", 12, "--json"};
    JsonNode cpu = Cli.run(join(model, rest, "--device", "cpu")).json();
    JsonNode simulated = Cli.run(join(model, rest, "--device", "simulated")).json();
    assertEquals("simulated", simulated.get("device").asString());
    assertEquals(cpu.get("tokens"), simulated.get("tokens"));
  }

  @Test
  void aSeedWritesTheSameAgain() {
    Path model = TinyDecoder.write(folder.resolve("tiny"), 3, false, "");
    Object[] rest = {
      "--prompt", PROMPT, "--temperature", "1.5", "--top-k", 20, "--top-p", "0.9", "--json"
    };
    JsonNode one = Cli.run(join(model, rest, "--seed", 7)).json();
    assertEquals(one.get("tokens"), Cli.run(join(model, rest, "--seed", 7)).json().get("tokens"));
  }

  @Test
  void wrongUseIsRefusedByName() {
    Path model = TinyDecoder.write(folder.resolve("tiny"), 4, false, "");
    assertSays(2, model, "--top-p", "--prompt", PROMPT, "--top-p", 2);
    assertSays(2, model, "--max-tokens", "--prompt", PROMPT, "--max-tokens", 0);
    assertSays(2, model, "--temperature is -1", "--prompt", PROMPT, "--temperature", -1);
    assertSays(2, model, "--context is 0", "--prompt", PROMPT, "--context", 0);
    assertSays(2, model, "belong to --prompt", "--text", "w3", "--seed", 1);
    assertSays(2, model, "--prompt is empty", "--prompt", " ");
    assertSays(1, model, "4 tokens", "--prompt", PROMPT, "--context", 4);
    assertSays(1, TinyOnnx.write(folder.resolve("x.onnx")), "x.onnx", "--prompt", PROMPT);
  }

  private static void assertSays(int code, Path model, String part, Object... rest) {
    Cli.Result result = Cli.run(join(model, rest)).failsWith(code);
    assertTrue(result.err().contains(part), result.err());
  }
}
