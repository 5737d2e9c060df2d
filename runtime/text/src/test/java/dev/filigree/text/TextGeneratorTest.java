package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import dev.filigree.DecoderOptions;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.testing.TinyDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Texts written by small random decoders. */
class TextGeneratorTest {
  private static final String PROMPT = "w7 w12 w30 w3";

  @TempDir private Path folder;

  /** What ONNX Runtime writes greedily, running the whole sequence again for each token. */
  private static List<Long> byOnnxRuntime(Path onnx, List<Long> prompt, int count)
      throws OrtException {
    List<Long> all = new ArrayList<>(prompt);
    try (OnnxRuntime peer = new OnnxRuntime(onnx, OptLevel.ALL_OPT)) {
      while (all.size() < prompt.size() + count) {
        long[] ids = all.stream().mapToLong(Long::longValue).toArray();
        long[] mask = new long[ids.length];
        Arrays.fill(mask, 1);
        float[] logits =
            peer.run(
                Map.of(
                    "input_ids", Tensor.of(ids, 1, ids.length),
                    "attention_mask", Tensor.of(mask, 1, mask.length)));
        int at = (ids.length - 1) * TinyDecoder.WORDS;
        int best = 0;
        for (int i = 1; i < TinyDecoder.WORDS; i++) {
          best = logits[at + i] > logits[at + best] ? i : best;
        }
        if (best == 2) {
          break;
        }
        all.add((long) best);
      }
    }
    return all.subList(prompt.size(), all.size());
  }

  @Test
  void greedyTextIsThatOfOnnxRuntime() throws OrtException {
    for (long seed = 1; seed <= 3; seed++) {
      Path checkpoint = TinyDecoder.write(folder.resolve("tiny" + seed), seed, seed == 2, "");
      Path onnx = folder.resolve("tiny" + seed + ".onnx");
      try (Model model = Model.open(checkpoint);
          TextGenerator generator = TextGenerator.open(model)) {
        model.writeOnnx(onnx);
        Generation written = generator.generate(PROMPT, Sampling.greedy().withMaxTokens(30));
        assertEquals(List.of(7L, 12L, 30L, 3L), written.prompt());
        assertEquals(byOnnxRuntime(onnx, written.prompt(), 30), written.tokens(), "seed " + seed);
        String words =
            written.tokens().stream()
                .map(token -> token == 0 ? "<unk>" : token == 1 ? "" : "w" + token)
                .filter(word -> !word.isEmpty())
                .collect(Collectors.joining(" "));
        assertEquals(words, written.text());
      }
    }
  }

  @Test
  void piecesAddUpToTheTextAndAListenerMayStop() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 4, false, "");
    Sampling sampling = Sampling.greedy().withTemperature(1.5).withSeed(3).withMaxTokens(40);
    try (Model model = Model.open(checkpoint);
        TextGenerator generator = TextGenerator.open(model)) {
      List<String> pieces = new ArrayList<>();
      Generation whole = generator.generate(PROMPT, sampling, pieces::add);
      assertEquals(whole.text(), String.join("", pieces));
      assertTrue(pieces.size() > 5, pieces.toString());
      List<String> first = new ArrayList<>();
      Generation cut =
          generator.generate(
              PROMPT,
              sampling,
              piece -> {
                first.add(piece);
                return first.size() < 3;
              });
      assertEquals(Generation.End.STOPPED, cut.end());
      assertEquals(pieces.subList(0, 3), first);
      assertEquals(whole.tokens().subList(0, cut.tokens().size()), cut.tokens());
    }
  }

  @Test
  void theSeedDecidesTheText() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 5, false, "");
    Sampling sampling = Sampling.greedy().withTemperature(2).withMaxTokens(25);
    try (Model model = Model.open(checkpoint);
        TextGenerator generator = TextGenerator.open(model)) {
      List<Long> one = generator.generate(PROMPT, sampling.withSeed(1)).tokens();
      assertEquals(one, generator.generate(PROMPT, sampling.withSeed(1)).tokens());
      assertNotEquals(one, generator.generate(PROMPT, sampling.withSeed(2)).tokens());
      Generation full =
          generator.generate(PROMPT, sampling.withSeed(1).withTopK(1).withMaxTokens(3));
      assertEquals(
          generator.generate(PROMPT, Sampling.greedy().withMaxTokens(3)).tokens(), full.tokens());
    }
  }

  @Test
  void aTextEndsWhereTheDecoderIsFull() {
    Path checkpoint =
        TinyDecoder.write(folder.resolve("tiny"), 6, false, ", \"eos_token_id\": null");
    // the config has the key twice, which is no JSON
    assertThrows(FormatException.class, () -> Model.open(checkpoint));
    Path good = TinyDecoder.write(folder.resolve("good"), 6, false, "");
    try (Model model = Model.open(good);
        TextGenerator generator =
            TextGenerator.open(model, DecoderOptions.defaults().withLongest(10))) {
      Generation written = generator.generate(PROMPT, Sampling.greedy());
      assertTrue(written.tokens().size() <= 7, written.toString());
      InputException refused =
          assertThrows(
              InputException.class, () -> generator.generate("w3 ".repeat(10), Sampling.greedy()));
      assertTrue(refused.getMessage().contains("10 tokens"), refused.getMessage());
    }
  }

  @Test
  void aModelWithoutATokenizerIsRefused() throws IOException {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 7, false, "");
    Files.delete(checkpoint.resolve("tokenizer.json"));
    try (Model model = Model.open(checkpoint)) {
      assertThrows(FormatException.class, () -> TextGenerator.open(model));
    }
  }

  /** Scores whose shares are 0.5, 0.3, 0.15 and 0.05. */
  private static final float[] SCORES = {
    (float) Math.log(0.15), (float) Math.log(0.5), (float) Math.log(0.05), (float) Math.log(0.3)
  };

  private static double[] frequencies(Sampling sampling) {
    Sampler sampler = new Sampler(sampling);
    double[] counts = new double[SCORES.length];
    int draws = 20_000;
    for (int i = 0; i < draws; i++) {
      counts[sampler.next(SCORES)] += 1.0 / draws;
    }
    return counts;
  }

  private static void assertFrequencies(Sampling sampling, double... expected) {
    double[] found = frequencies(sampling);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 0.015, sampling + ": token " + i);
    }
  }

  @Test
  void tokensAreDrawnByTheirShares() {
    Sampling plain = Sampling.greedy().withTemperature(1).withSeed(9);
    assertFrequencies(plain, 0.15, 0.5, 0.05, 0.3);
    assertFrequencies(plain.withTopK(2), 0, 0.5 / 0.8, 0, 0.3 / 0.8);
    assertFrequencies(plain.withTopP(0.81), 0.15 / 0.95, 0.5 / 0.95, 0, 0.3 / 0.95);
    assertFrequencies(plain.withTopP(0.4), 0, 1, 0, 0);
    double sum = Math.sqrt(0.15) + Math.sqrt(0.5) + Math.sqrt(0.05) + Math.sqrt(0.3);
    assertFrequencies(
        plain.withTemperature(2),
        Math.sqrt(0.15) / sum,
        Math.sqrt(0.5) / sum,
        Math.sqrt(0.05) / sum,
        Math.sqrt(0.3) / sum);
  }

  @Test
  void scoresOfAnySizeAndSignAreSorted() {
    float[] scores = {-3, 2, Float.NaN, -0.5f, 0, 1e30f, -1e30f, 2};
    Sampler three = new Sampler(Sampling.greedy().withTemperature(1e6).withTopK(3));
    Set<Integer> drawn = new HashSet<>();
    scores[5] = 3;
    for (int i = 0; i < 200; i++) {
      drawn.add(three.next(scores));
    }
    assertEquals(Set.of(5, 1, 7), drawn);
    assertEquals(5, new Sampler(Sampling.greedy()).next(scores));
  }

  @Test
  void impossibleOptionsAreRefusedByName() {
    assertSays("maxTokens is 0", () -> Sampling.greedy().withMaxTokens(0));
    assertSays("temperature is -1", () -> Sampling.greedy().withTemperature(-1));
    assertSays("temperature is NaN", () -> Sampling.greedy().withTemperature(Double.NaN));
    assertSays("topK is -2", () -> Sampling.greedy().withTopK(-2));
    assertSays("topP is 0", () -> Sampling.greedy().withTopP(0));
    assertSays("topP is 1.5", () -> Sampling.greedy().withTopP(1.5));
  }

  private static void assertSays(String part, Runnable wrong) {
    InputException refused = assertThrows(InputException.class, wrong::run);
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }
}
