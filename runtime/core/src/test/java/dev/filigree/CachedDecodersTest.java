package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.format.onnx.OnnxFiles;
import dev.filigree.graph.ValueInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Small decoders exported with a cache, call by call as their cache grows, against what ONNX
 * Runtime 1.30 made of them. {@code make-decoders.py} beside them writes them.
 */
final class CachedDecodersTest {
  /** Two runtimes sum in different orders. */
  private static final float TOLERANCE = 2e-6f;

  private static final int PLANS = 3;

  static List<Path> decoders() throws IOException, URISyntaxException {
    Path folder = Path.of(CachedDecodersTest.class.getResource("decoders").toURI());
    try (Stream<Path> cases = Files.list(folder)) {
      return cases.filter(Files::isDirectory).sorted().toList();
    }
  }

  /** What a decoder knows between two calls. */
  private static final class Cache {
    private final Map<String, Tensor> parts = new LinkedHashMap<>();

    Cache(Model model) {
      for (ValueInfo input : model.inputs()) {
        if (input.name().startsWith("past_key_values.")) {
          long heads = input.dims().get(1).value();
          Shape empty = Shape.of(1, heads, 0, input.dims().get(3).value());
          parts.put(input.name(), Tensor.zeros(DType.F32, empty));
        }
      }
    }

    void take(Map<String, Tensor> outputs) {
      parts.replaceAll((name, old) -> outputs.get(name.replace("past_key_values", "present")));
    }
  }

  private static Map<String, Tensor> inputs(Cache cache, long[] tokens, int at, int count) {
    long[] mask = new long[at + count];
    Arrays.fill(mask, 1);
    Map<String, Tensor> inputs = new LinkedHashMap<>(cache.parts);
    inputs.put("input_ids", Tensor.of(Arrays.copyOfRange(tokens, at, at + count), 1, count));
    inputs.put("attention_mask", Tensor.of(mask, 1, at + count));
    return inputs;
  }

  /** Runs all calls of a folder and compares each. */
  private static void follow(Path folder, Model model, Session session, Arena arena) {
    long[] tokens = OnnxFiles.tensor(folder.resolve("tokens.pb"), arena).toLongs();
    Tensor expected = OnnxFiles.tensor(folder.resolve("logits.pb"), arena);
    float[] logits = expected.toFloats();
    int words = (int) expected.shape().extent(-1);
    Cache cache = new Cache(model);
    int at = 0;
    for (long count : OnnxFiles.tensor(folder.resolve("calls.pb"), arena).toLongs()) {
      Map<String, Tensor> outputs = session.run(inputs(cache, tokens, at, (int) count));
      int to = at + (int) count;
      assertArrayEquals(
          Arrays.copyOfRange(logits, at * words, to * words),
          outputs.get("logits").toFloats(),
          TOLERANCE,
          "tokens " + at + " to " + to);
      cache.take(outputs);
      at = to;
    }
    Tensor last = OnnxFiles.tensor(folder.resolve("last_value.pb"), arena);
    Tensor kept = cache.parts.values().stream().reduce((a, b) -> b).orElseThrow();
    assertEquals(last.toString(), kept.toString());
    assertArrayEquals(last.toFloats(), kept.toFloats(), TOLERANCE);
  }

  @ParameterizedTest
  @MethodSource("decoders")
  void everyCallGivesWhatOnnxRuntimeGives(Path folder) {
    try (Arena arena = Arena.ofConfined();
        Model model = Model.open(folder.resolve("model.onnx"));
        Session session = model.session(SessionOptions.defaults().withShapes(PLANS))) {
      follow(folder, model, session, arena);
      // again over plans that others made room for
      follow(folder, model, session, arena);
    }
  }

  @ParameterizedTest
  @MethodSource("decoders")
  void aGrowingCacheTakesNoMoreMemoryThanThePlansThatAreKept(Path folder) {
    try (Model model = Model.open(folder.resolve("model.onnx"));
        Session session = model.session(SessionOptions.defaults().withShapes(PLANS))) {
      long[] tokens = new long[60];
      Cache cache = new Cache(model);
      long packed = 0;
      for (int at = 0; at < tokens.length; at++) {
        Map<String, Tensor> outputs = session.run(inputs(cache, tokens, at, 1));
        cache.take(outputs);
        packed = at == 0 ? session.packedBytes() : packed;
      }
      assertEquals(packed, session.packedBytes(), "weights are laid out once for all lengths");
      long cacheBytes = cache.parts.values().stream().mapToLong(Tensor::bytes).sum();
      assertTrue(
          session.idleBytes() < PLANS * (4 * cacheBytes + (1 << 16)),
          session.idleBytes() + " bytes kept for a cache of " + cacheBytes);
    }
  }
}
