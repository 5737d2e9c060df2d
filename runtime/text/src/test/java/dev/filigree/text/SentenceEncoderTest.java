package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.GraphException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SentenceEncoderTest {
  private static final SessionOptions VECTOR = SessionOptions.defaults().withKernels("vector");
  private static Model model;
  private static SentenceEncoder encoder;

  @BeforeAll
  static void open() {
    model = Model.open(MiniLm.DENSE.file());
    encoder = SentenceEncoder.open(model, VECTOR.withThreads(2), EncoderOptions.DEFAULTS);
  }

  @AfterAll
  static void close() {
    encoder.close();
    model.close();
  }

  @Test
  void similarSentencesHaveTheKnownCosine() {
    float[][] vectors =
        encoder.embed(List.of(Sentences.EATING_FOOD, Sentences.EATING_BREAD, "The sky is blue."));
    assertEquals(0.7553, SentenceEncoder.cosine(vectors[0], vectors[1]), 1e-4);
    assertEquals(1, SentenceEncoder.cosine(vectors[0], vectors[0]), 1e-6);
    assertTrue(SentenceEncoder.cosine(vectors[0], vectors[2]) < 0.3);
  }

  @Test
  void theOrderAndTheSizeOfBatchesChangeNothingButRounding() {
    List<String> texts = Sentences.all().subList(0, 30);
    float[][] expected = encoder.embed(texts);
    List<String> reversed = new ArrayList<>(texts);
    Collections.reverse(reversed);
    try (SentenceEncoder small =
        SentenceEncoder.open(model, VECTOR, new EncoderOptions(4, false))) {
      float[][] actual = small.embed(reversed);
      for (int i = 0; i < texts.size(); i++) {
        assertArrayEquals(expected[i], actual[texts.size() - 1 - i], 2e-6f, "text " + i);
      }
    }
  }

  @Test
  void noTextsGiveNoVectorsAndTheEmptyTextGivesOne() {
    assertEquals(0, encoder.embed(List.of()).length);
    float[][] empty = encoder.embed(List.of("", " \n"));
    assertEquals(384, empty[0].length);
    assertEquals(1, SentenceEncoder.cosine(empty[0], empty[1]), 1e-6);
  }

  @Test
  void progressHearsOfEveryBatchInWhateverOrderTheyEnd() {
    List<Long> heard = new ArrayList<>();
    encoder.embed(
        Collections.nCopies(70, "a"),
        (task, done, total) -> {
          assertEquals("embedding", task);
          assertEquals(70, total);
          heard.add(done);
        });
    assertEquals(3, heard.size(), heard.toString());
    assertEquals(heard.stream().sorted().toList(), heard);
    assertEquals(70, heard.getLast());
  }

  @Test
  void theLimitIsTheModelsOwn() {
    assertEquals(512, encoder.limit());
    assertEquals(1, encoder.embed(List.of(Sentences.ofTokens(512, 1))).length);
  }

  @Test
  void aTextBeyondTheLimitIsRefusedWithItsNumberAndTheRemedy() {
    List<String> texts = List.of("short", Sentences.ofTokens(513, 1));
    InputException refused = assertThrows(InputException.class, () -> encoder.embed(texts));
    assertEquals("text 2 has 513 tokens, the model takes at most 512", refused.problem());
    assertEquals("shorten it, split it, or ask for truncation (--truncate)", refused.remedy());
  }

  @Test
  void truncationKeepsTheFirstTokensAndTheOneThatEndsTheText() {
    String text = Sentences.ofTokens(700, 3);
    String cut = String.join(" ", Arrays.asList(text.split(" ")).subList(0, 510));
    try (SentenceEncoder truncating =
        SentenceEncoder.open(model, VECTOR, EncoderOptions.DEFAULTS.withTruncation())) {
      Map<String, Tensor> inputs = truncating.inputs(List.of(text));
      assertArrayEquals(
          truncating.inputs(List.of(cut)).get("input_ids").toLongs(),
          inputs.get("input_ids").toLongs());
      assertEquals(Shape.of(1, 512), inputs.get("input_ids").shape());
      assertEquals(102, inputs.get("input_ids").getLong(511));
    }
  }

  @Test
  void aSequenceOfMoreTokensThanTheModelHasPositionsForIsRefused() {
    Map<String, Tensor> inputs = new HashMap<>();
    for (String name : List.of("input_ids", "attention_mask", "token_type_ids")) {
      inputs.put(name, Tensor.zeros(DType.I64, Shape.of(1, 513)));
    }
    FiligreeException refused =
        assertThrows(FiligreeException.class, () -> encoder.session().run(inputs));
    assertTrue(refused.problem().contains("513"), refused.getMessage());
    assertTrue(refused.problem().contains("512"), refused.getMessage());
  }

  @Test
  void aTokenTheModelDoesNotKnowIsRefusedByName() {
    Map<String, Tensor> inputs = new HashMap<>(encoder.inputs(List.of("a")));
    long[] ids = inputs.get("input_ids").toLongs();
    ids[1] = 30_522;
    inputs.put("input_ids", Tensor.of(ids, 1, ids.length));
    GraphException refused =
        assertThrows(GraphException.class, () -> encoder.session().run(inputs));
    assertTrue(refused.problem().contains("takes row 30522 of 30522"), refused.problem());
    // the session is as good as before
    assertEquals(1, encoder.embed(List.of("a")).length);
  }

  @Test
  void theNumberOfThreadsDoesNotChangeABit() {
    List<Map<String, Tensor>> batches = new ArrayList<>();
    List<String> texts = Sentences.all();
    for (int[] range : new int[][] {{5, 6}, {0, 3}, {2, 10}, {0, 32}, {62, 64}}) {
      batches.add(encoder.inputs(texts.subList(range[0], range[1])));
    }
    List<float[]> expected = new ArrayList<>();
    for (int threads : new int[] {1, 2, 3, 5}) {
      try (SentenceEncoder other =
          SentenceEncoder.open(model, VECTOR.withThreads(threads), EncoderOptions.DEFAULTS)) {
        for (int i = 0; i < batches.size(); i++) {
          float[] states = other.session().run(batches.get(i)).get("last_hidden_state").toFloats();
          if (threads == 1) {
            expected.add(states);
          } else {
            Floats.assertSameBits(expected.get(i), states);
          }
        }
      }
    }
  }

  @Test
  void manyThreadsGetWhatOneGetsBitForBit() throws InterruptedException {
    List<String> texts = Sentences.VARIED.subList(0, 20);
    float[][] expected = encoder.embed(texts);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 6; t++) {
      Thread.Builder builder = t % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual();
      threads.add(
          builder.start(
              () -> {
                try {
                  for (int round = 0; round < 5; round++) {
                    float[][] actual = encoder.embed(texts);
                    for (int i = 0; i < expected.length; i++) {
                      Floats.assertSameBits(expected[i], actual[i]);
                    }
                  }
                } catch (Throwable thrown) {
                  failure.compareAndSet(null, thrown);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertNull(failure.get(), () -> "a thread failed: " + failure.get());
  }

  @Test
  void aClosedEncoderRefusesTexts() {
    SentenceEncoder closed = SentenceEncoder.open(model, VECTOR, EncoderOptions.DEFAULTS);
    closed.close();
    closed.close();
    assertThrows(IllegalStateException.class, () -> closed.embed(List.of("a")));
  }

  @Test
  void aModelThatTakesNoTokensIsRefused(@TempDir Path folder) {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "3")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "batch", "3")
            .write(folder.resolve("relu.onnx"));
    try (Model other = Model.open(file)) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class,
              () -> SentenceEncoder.open(other, VECTOR, EncoderOptions.DEFAULTS));
      assertTrue(
          refused.problem().startsWith(file + " is no text encoder: it takes [x: f32[batch, 3]]"),
          refused.problem());
    }
  }

  @Test
  void lengthsAreRoundedUpByAQuarterAtMost() {
    int[] lengths = {2, 8, 9, 32, 33, 48, 49, 128, 129, 160, 512};
    int[] buckets = {4, 8, 12, 32, 40, 48, 56, 128, 160, 160, 512};
    for (int i = 0; i < lengths.length; i++) {
      assertEquals(buckets[i], SentenceModel.bucket(lengths[i]));
    }
    for (int length = 25; length <= 512; length++) {
      assertTrue(SentenceModel.bucket(length) <= 1.5 * length);
    }
  }
}
