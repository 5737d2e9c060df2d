package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints whose experts were put into one tensor are those whose experts stand alone. */
final class StackedExpertsTest {
  private static final long[] TOKENS = {3, 1, 4, 1, 5};

  @TempDir private Path temporary;

  /** As transformers 5 writes them with save_original_format=False, Mixtral's under other names. */
  @ParameterizedTest
  @ValueSource(strings = {"mixtral", "olmoe", "qwen2-moe", "qwen3-moe-every-second"})
  void expertsInOneTensorAreThoseThatStandAlone(String name) throws Exception {
    Path given =
        Path.of(StackedExpertsTest.class.getResource("/dev/filigree/families/" + name).toURI());
    Files.copy(given.resolve("config.json"), temporary.resolve("config.json"));
    SafetensorsWriter stacked = new SafetensorsWriter();
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new TreeMap<>();
      SafetensorsFile.map(given.resolve("model.safetensors"), arena)
          .entries()
          .forEach((tensor, entry) -> tensors.put(plain(tensor), entry.tensor()));
      int experts = 0;
      while (tensors.keySet().stream().anyMatch(isOf(experts))) {
        experts++;
      }
      for (String tensor : List.copyOf(tensors.keySet())) {
        if (isOf(0).test(tensor) && tensor.endsWith(".gate_proj.weight")) {
          String layer = tensor.substring(0, tensor.indexOf("0.gate_proj"));
          stacked.add(
              layer + "gate_up_proj", stack(tensors, layer, experts, "gate_proj", "up_proj"));
          stacked.add(layer + "down_proj", stack(tensors, layer, experts, "down_proj"));
        }
      }
      tensors.keySet().removeIf(tensor -> tensor.contains(".mlp.experts."));
      tensors.forEach(stacked::add);
      stacked.write(temporary.resolve("model.safetensors"));
    }
    try (Model model = Model.open(temporary);
        Model apart = Model.open(given)) {
      assertEquals(apart.constants().keySet(), model.constants().keySet());
      assertArrayEquals(whole(apart), whole(model));
      assertArrayEquals(last(apart), last(model));
    }
  }

  private static float[] whole(Model model) {
    Map<String, Tensor> inputs =
        Map.of(
            "input_ids", Tensor.of(TOKENS, 1, TOKENS.length),
            "attention_mask", Tensor.of(new long[] {1, 1, 1, 1, 1}, 1, TOKENS.length));
    try (Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      return session.run(inputs).get("logits").toFloats();
    }
  }

  private static float[] last(Model model) {
    try (Decoder decoder = model.decoder(DecoderOptions.defaults());
        Decoding decoding = decoder.start()) {
      return decoding.read(TOKENS);
    }
  }

  private static Predicate<String> isOf(int expert) {
    return tensor -> tensor.contains(".mlp.experts." + expert + ".");
  }

  /** A tensor's name among families that have none of their own for experts. */
  private static String plain(String tensor) {
    return tensor
        .replace("block_sparse_moe", "mlp")
        .replace(".w1.", ".gate_proj.")
        .replace(".w3.", ".up_proj.")
        .replace(".w2.", ".down_proj.");
  }

  private static Tensor stack(
      Map<String, Tensor> tensors, String layer, int experts, String... parts) {
    List<Tensor> all = new ArrayList<>();
    for (int expert = 0; expert < experts; expert++) {
      for (String part : parts) {
        all.add(tensors.get(layer + expert + "." + part + ".weight"));
      }
    }
    Tensor first = all.getFirst();
    long[] shape = {experts, parts.length * first.shape().extent(0), first.shape().extent(1)};
    float[] values = new float[Math.toIntExact(all.size() * first.elements())];
    for (int i = 0; i < all.size(); i++) {
      float[] own = all.get(i).toFloats();
      System.arraycopy(own, 0, values, i * own.length, own.length);
    }
    return Tensor.of(values, shape);
  }
}
