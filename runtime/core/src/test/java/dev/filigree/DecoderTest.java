package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.TinyDecoder;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Decoders with a cache against the same networks without, and the bounds of the cache. */
class DecoderTest {
  private static final int WORDS = TinyDecoder.WORDS;

  /** More than two pages, and more than the longest piece. */
  private static final int LENGTH = 150;

  @TempDir private Path folder;

  private static long[] tokens(int count, long seed) {
    Random random = new Random(seed);
    return random.longs(count, 0, WORDS).toArray();
  }

  private static float[] uncached(Model model, long[] tokens) {
    long[] mask = new long[tokens.length];
    Arrays.fill(mask, 1);
    Map<String, Tensor> inputs =
        Map.of(
            "input_ids", Tensor.of(tokens, 1, tokens.length),
            "attention_mask", Tensor.of(mask, 1, mask.length));
    try (Session session = model.session(SessionOptions.defaults())) {
      return session.run(inputs).get("logits").toFloats();
    }
  }

  private static void assertLogits(float[] whole, int token, float[] found) {
    for (int i = 0; i < WORDS; i++) {
      assertEquals(whole[token * WORDS + i], found[i], 2e-4, "token " + token + " word " + i);
    }
  }

  @Test
  void longSequencesOverPagesGiveWhatTheWholeGives() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 1, false, "");
    long[] tokens = tokens(LENGTH, 2);
    try (Model model = Model.open(checkpoint)) {
      float[] whole = uncached(model, tokens);
      try (Decoder decoder = model.decoder(DecoderOptions.defaults().withLongest(LENGTH));
          Decoding once = decoder.start();
          Decoding mixed = decoder.start()) {
        assertLogits(whole, LENGTH - 1, once.read(tokens));
        int at = 0;
        for (int piece : new int[] {1, 3, 17, 60, 1, 1, 30, 37}) {
          float[] found = mixed.read(Arrays.copyOfRange(tokens, at, at + piece));
          at += piece;
          assertLogits(whole, at - 1, found);
        }
        assertEquals(LENGTH, mixed.length());
        mixed.truncate(70);
        for (at = 70; at < 75; at++) {
          assertLogits(whole, at, mixed.read(tokens[at]));
        }
      }
    }
  }

  @Test
  void aWindowOverPagesGivesWhatTheWholeGivesAndGivesPagesBack() {
    String window = ", \"sliding_window\": 70";
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), "mistral", 13, false, window);
    int length = 400;
    long[] tokens = tokens(length, 14);
    try (Model model = Model.open(checkpoint)) {
      float[] whole = uncached(model, tokens);
      long pageBytes;
      try (Decoder decoder = model.decoder(DecoderOptions.defaults())) {
        pageBytes = Math.round(decoder.bytesPerToken() * 64);
      }
      DecoderOptions few =
          DecoderOptions.defaults().withLongest(length).withCacheBytes(4 * pageBytes);
      try (Decoder decoder = model.decoder(few);
          Decoding decoding = decoder.start()) {
        int at = 0;
        for (int piece : new int[] {1, 69, 1, 1, 64, 30, 50, 16, 64, 64}) {
          float[] found = decoding.read(Arrays.copyOfRange(tokens, at, at + piece));
          at += piece;
          assertLogits(whole, at - 1, found);
        }
        for (; at < length; at++) {
          assertLogits(whole, at, decoding.read(tokens[at]));
        }
        assertTrue(decoder.cacheBytes() <= 4 * pageBytes);
        decoding.truncate(length - 30);
        for (at = length - 30; at < length; at++) {
          assertLogits(whole, at, decoding.read(tokens[at]));
        }
        InputException gone =
            assertThrows(InputException.class, () -> decoding.truncate(length - 200));
        assertTrue(gone.getMessage().contains("see 70"), gone.getMessage());
        decoding.truncate(0);
        assertLogits(whole, 63, decoding.read(Arrays.copyOf(tokens, 64)));
      }
    }
  }

  @Test
  void theResultDoesNotDependOnTheNumberOfThreads() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 3, true, "");
    long[] tokens = tokens(40, 4);
    float[][] results = new float[2][];
    try (Model model = Model.open(checkpoint)) {
      for (int threads = 1; threads <= 2; threads++) {
        SessionOptions session = SessionOptions.defaults().withThreads(threads);
        try (Decoder decoder = model.decoder(DecoderOptions.defaults().withSession(session));
            Decoding decoding = decoder.start()) {
          decoding.read(tokens);
          results[threads - 1] = decoding.read(5).clone();
        }
      }
    }
    assertArrayEquals(results[0], results[1]);
  }

  @Test
  void aContainerDecodesAsItsCheckpointAndStoresASharedTableOnce() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 5, true, "");
    Path container = folder.resolve("tiny.filigree");
    long[] tokens = tokens(20, 6);
    float[] expected;
    try (Model model = Model.open(checkpoint);
        Decoder decoder = model.decoder(DecoderOptions.defaults());
        Decoding decoding = decoder.start()) {
      expected = decoding.read(tokens).clone();
      model.writer().write(container);
    }
    try (Model model = Model.open(container);
        Decoder decoder = model.decoder(DecoderOptions.defaults());
        Decoding decoding = decoder.start()) {
      assertArrayEquals(expected, decoding.read(tokens));
      assertLogits(uncached(model, tokens), tokens.length - 1, expected);
    }
    try (Arena arena = Arena.ofConfined()) {
      List<String> names =
          SafetensorsFile.map(container, arena).entries().keySet().stream().toList();
      assertEquals(
          1, names.stream().filter(name -> name.contains("embed_tokens")).count(), names::toString);
      assertTrue(names.stream().noneMatch(name -> name.contains("lm_head")), names::toString);
    }
  }

  @Test
  void theCacheIsBoundedAndItsPagesComeBack() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 7, false, "");
    try (Model model = Model.open(checkpoint)) {
      long pageBytes;
      try (Decoder decoder = model.decoder(DecoderOptions.defaults())) {
        pageBytes = Math.round(decoder.bytesPerToken() * 64);
        assertEquals(0, decoder.cacheBytes());
      }
      try (Decoder decoder =
          model.decoder(DecoderOptions.defaults().withCacheBytes(2 * pageBytes))) {
        Decoding first = decoder.start();
        Decoding second = decoder.start();
        first.read(tokens(64, 8));
        second.read(tokens(60, 9));
        assertEquals(2 * pageBytes, decoder.cacheBytes());
        float[] before = second.read(3).clone();
        second.truncate(60);
        RejectedException full =
            assertThrows(RejectedException.class, () -> second.read(tokens(10, 10)));
        assertTrue(full.getMessage().contains("128 tokens"), full.getMessage());
        assertEquals(60, second.length());
        assertArrayEquals(before, second.read(3), "a refused piece leaves the sequence alone");
        first.close();
        second.read(tokens(30, 11));
        assertEquals(91, second.length());
        assertEquals(2 * pageBytes, decoder.cacheBytes());
        second.close();
      }
      InputException none =
          assertThrows(
              InputException.class,
              () -> model.decoder(DecoderOptions.defaults().withCacheBytes(1000)));
      assertTrue(none.getMessage().contains("1000"), none.getMessage());
    }
  }

  @Test
  void whatCannotBeReadIsRefusedByName() {
    Path checkpoint = TinyDecoder.write(folder.resolve("tiny"), 12, false, "");
    try (Model model = Model.open(checkpoint)) {
      Decoder decoder = model.decoder(DecoderOptions.defaults().withLongest(5));
      Decoding decoding = decoder.start();
      assertRefused("no tokens", decoding);
      assertRefused("token 40", decoding, 40);
      assertRefused("token -1", decoding, 3, -1);
      assertRefused("6 tokens", decoding, 1, 2, 3, 4, 5, 6);
      assertEquals(0, decoding.length());
      decoder.close();
      assertThrows(IllegalStateException.class, () -> decoding.read(1));
    }
    Path other =
        new OnnxModel(13)
            .input("x", DType.F32, "1")
            .node("Identity", "y", "x")
            .output("y", DType.F32, "1")
            .write(folder.resolve("other.onnx"));
    try (Model model = Model.open(other)) {
      UnsupportedException refused =
          assertThrows(UnsupportedException.class, () -> model.decoder(DecoderOptions.defaults()));
      assertTrue(refused.getMessage().contains("other.onnx"), refused.getMessage());
    }
  }

  private static void assertRefused(String part, Decoding decoding, long... tokens) {
    InputException refused = assertThrows(InputException.class, () -> decoding.read(tokens));
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }
}
