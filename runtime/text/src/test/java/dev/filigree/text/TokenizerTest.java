package dev.filigree.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.filigree.FormatException;
import dev.filigree.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
  @TempDir private Path folder;

  @Test
  void theIdsAreThoseOfBert() {
    try (Model model = Model.open(MiniLm.DENSE.file());
        Tokenizer tokenizer = Tokenizer.of(model)) {
      Tokenizer.Tokens[] tokens =
          tokenizer.encode(List.of("A man is eating food.", "", "unaffable", "Crème"));
      assertArrayEquals(new long[] {101, 1037, 2158, 2003, 5983, 2833, 1012, 102}, tokens[0].ids());
      assertArrayEquals(new long[8], tokens[0].types());
      assertArrayEquals(new long[] {101, 102}, tokens[1].ids());
      assertArrayEquals(new long[] {101, 14477, 20961, 3468, 102}, tokens[2].ids());
      assertArrayEquals(tokenizer.encode(List.of("creme"))[0].ids(), tokens[3].ids());
    }
  }

  @Test
  void aBatchGivesTheIdsOfTheHuggingFaceTokenizerTextByText() throws IOException {
    List<String> texts = Sentences.all();
    try (Model model = Model.open(MiniLm.DENSE.file());
        Tokenizer tokenizer = Tokenizer.of(model);
        HuggingFaceTokenizer reference =
            HuggingFaceTokenizer.builder()
                .optTokenizerPath(MiniLm.DENSE.tokenizer())
                .optPadding(false)
                .optTruncation(false)
                .build()) {
      Tokenizer.Tokens[] tokens = tokenizer.encode(texts);
      assertEquals(texts.size(), tokens.length);
      for (int i = 0; i < tokens.length; i++) {
        Encoding expected = reference.encode(texts.get(i));
        assertArrayEquals(expected.getIds(), tokens[i].ids(), "text " + i);
        assertArrayEquals(expected.getTypeIds(), tokens[i].types(), "text " + i);
      }
    }
  }

  @Test
  void loneSurrogatesAndZeroCharactersAreReadAsNothing() {
    try (Model model = Model.open(MiniLm.DENSE.file());
        Tokenizer tokenizer = Tokenizer.of(model)) {
      Tokenizer.Tokens[] tokens = tokenizer.encode(List.of("\ud83d lone", "lone", "a\0b", "ab"));
      assertArrayEquals(tokens[1].ids(), tokens[0].ids());
      assertArrayEquals(tokens[3].ids(), tokens[2].ids());
    }
  }

  @Test
  void aModelWithoutATokenizerIsRefusedByName() throws IOException {
    Path alone = Files.copy(MiniLm.INT8.file(), folder.resolve("alone.onnx"));
    try (Model model = Model.open(alone)) {
      FormatException refused = assertThrows(FormatException.class, () -> Tokenizer.of(model));
      assertEquals(alone + " has no tokenizer.json beside it or inside it", refused.problem());
    }
  }

  @Test
  void aDamagedTokenizerIsRefusedByName() throws IOException {
    Path file = Files.copy(MiniLm.INT8.file(), folder.resolve("damaged.onnx"));
    Files.writeString(folder.resolve("tokenizer.json"), "{\"version\": \"1.0\"");
    try (Model model = Model.open(file)) {
      FormatException refused = assertThrows(FormatException.class, () -> Tokenizer.of(model));
      assertTrue(refused.problem().startsWith("the tokenizer.json of " + file), refused.problem());
    }
  }

  @Test
  void closingWaitsForTextsThatAreBeingReadAndRefusesLaterOnes() throws InterruptedException {
    List<String> texts = Sentences.all();
    try (Model model = Model.open(MiniLm.DENSE.file())) {
      Tokenizer tokenizer = Tokenizer.of(model);
      CountDownLatch started = new CountDownLatch(1);
      AtomicReference<Throwable> end = new AtomicReference<>();
      Thread reader =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      while (true) {
                        assertEquals(texts.size(), tokenizer.encode(texts).length);
                        started.countDown();
                      }
                    } catch (Throwable thrown) {
                      end.set(thrown);
                      started.countDown();
                    }
                  });
      started.await();
      tokenizer.close();
      tokenizer.close();
      reader.join();
      assertEquals("the tokenizer was closed", end.get().getMessage());
      assertEquals(IllegalStateException.class, end.get().getClass());
    }
  }
}
