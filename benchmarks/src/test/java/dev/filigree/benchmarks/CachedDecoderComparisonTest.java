package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import dev.filigree.Model;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CachedDecoderComparisonTest {
  @ParameterizedTest
  @ValueSource(strings = {"gpt2-traced", "llama-dynamo", "qwen2-traced"})
  void bothRuntimesGiveTheSameScoresForEveryToken(String name, @TempDir Path folder)
      throws IOException, OrtException {
    Path file = folder.resolve("model.onnx");
    try (InputStream model = Model.class.getResourceAsStream("decoders/" + name + "/model.onnx")) {
      Files.copy(model, file);
    }
    List<CachedDecoderComparison.Round> rounds = CachedDecoderComparison.compare(file, 20, 2);
    assertEquals(2, rounds.size());
    for (CachedDecoderComparison.Round round : rounds) {
      assertTrue(round.own() > 0 && round.other() > 0, round::toString);
      assertTrue(round.difference() > 0 && round.difference() < 2e-6, round::toString);
    }
  }
}
