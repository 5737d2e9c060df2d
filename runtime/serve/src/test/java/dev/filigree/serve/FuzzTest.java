package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Tensor;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The parsers of what strangers send, on damaged requests of all kinds. */
class FuzzTest {
  private static final int CASES = 20_000;

  private static final List<String> INFER =
      List.of(
          "{\"id\":\"1\",\"inputs\":[{\"name\":\"x\",\"shape\":[2,3],\"datatype\":\"FP32\",\"data\":"
              + "[[1,2,3],[4.5,-5e3,6]]}],\"outputs\":[{\"name\":\"y\"}]}",
          "{\"inputs\":[{\"data\":[true,false],\"shape\":[2],\"name\":\"b\",\"datatype\":\"BOOL\"},"
              + "{\"name\":\"u\",\"shape\":[1,1],\"datatype\":\"UINT64\",\"data\":[18446744073709551615]}]}",
          "{\"parameters\":{\"binary_data_output\":true,\"timeout\":100},\"inputs\":[{\"name\":\"x\","
              + "\"shape\":[2],\"datatype\":\"INT16\",\"parameters\":{\"binary_data_size\":4}}],"
              + "\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]}\u0001\u0002\u0003\u0004");

  private static final List<String> EMBEDDING =
      List.of(
          "{\"model\":\"m\",\"input\":\"a text\",\"encoding_format\":\"base64\"}",
          "{\"input\":[\"one\",\"two\"],\"model\":\"m\",\"dimensions\":384,\"user\":\"u\"}");

  /** Pieces that are put where they do not belong. */
  private static final List<String> PIECES =
      List.of(
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "\"",
          "null",
          "true",
          "-1",
          "1e999",
          "9".repeat(300),
          "\"\\ud800\"",
          "\\u0000",
          "[[[[[[[[[[",
          "\"shape\":[9223372036854775807,4]",
          "\"data\":[]",
          "\"datatype\":\"BYTES\"",
          "\"parameters\":{\"binary_data_size\":-4}",
          "\"parameters\":{\"binary_data_size\":4294967296}",
          "NaN",
          "/*",
          "\u0000");

  private static byte[] damaged(List<String> seeds, SplittableRandom random) {
    byte[] bytes = seeds.get(random.nextInt(seeds.size())).getBytes(StandardCharsets.ISO_8859_1);
    for (int change = random.nextInt(1, 5); change > 0; change--) {
      int at = random.nextInt(bytes.length + 1);
      int to = Math.min(bytes.length, at + random.nextInt(8));
      byte[] piece =
          switch (random.nextInt(4)) {
            case 0 -> new byte[0];
            case 1 -> new byte[] {(byte) random.nextInt(256)};
            case 2 -> Arrays.copyOfRange(bytes, 0, random.nextInt(bytes.length + 1));
            default ->
                PIECES.get(random.nextInt(PIECES.size())).getBytes(StandardCharsets.ISO_8859_1);
          };
      byte[] changed = new byte[at + piece.length + bytes.length - to];
      System.arraycopy(bytes, 0, changed, 0, at);
      System.arraycopy(piece, 0, changed, at, piece.length);
      System.arraycopy(bytes, to, changed, at + piece.length, bytes.length - to);
      bytes = changed;
    }
    return bytes;
  }

  private static String shown(long seed, int number, byte[] bytes) {
    return "seed "
        + seed
        + ", case "
        + number
        + ": "
        + new String(bytes, StandardCharsets.ISO_8859_1);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aDamagedInferenceRequestIsReadOrRefused(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int read = 0;
    for (int number = 0; number < CASES; number++) {
      byte[] bytes = damaged(INFER, random);
      int jsonLength = random.nextInt(4) > 0 ? end(bytes) : random.nextInt(bytes.length + 1);
      try {
        InferRequest request = InferRequest.read(bytes, jsonLength);
        for (Tensor tensor : request.inputs().values()) {
          assertTrue(tensor.bytes() <= 8L * bytes.length, shown(seed, number, bytes));
        }
        read++;
      } catch (HttpFailure refused) {
        assertEquals(400, refused.status(), shown(seed, number, bytes));
        assertFalse(refused.getMessage().isBlank());
        assertTrue(refused.getMessage().length() < 2000, refused.getMessage());
      } catch (RuntimeException unexpected) {
        throw new AssertionError(shown(seed, number, bytes), unexpected);
      }
    }
    assertTrue(read > CASES / 100, "some are harmless: " + read);
  }

  /** Where the JSON of the seeds ends. */
  private static int end(byte[] bytes) {
    for (int i = bytes.length - 1; i >= 0; i--) {
      if (bytes[i] == '}') {
        return i + 1;
      }
    }
    return bytes.length;
  }

  @ParameterizedTest
  @ValueSource(longs = {4, 5})
  void aDamagedEmbeddingRequestIsReadOrRefused(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int read = 0;
    for (int number = 0; number < CASES; number++) {
      byte[] bytes = damaged(EMBEDDING, random);
      try {
        assertFalse(EmbeddingRequest.read(bytes, 4).texts().isEmpty());
        read++;
      } catch (HttpFailure refused) {
        assertEquals(400, refused.status(), shown(seed, number, bytes));
      } catch (RuntimeException unexpected) {
        throw new AssertionError(shown(seed, number, bytes), unexpected);
      }
    }
    assertTrue(read > CASES / 100, "some are harmless: " + read);
  }

  @Test
  void theSeedsThemselvesAreRead() {
    for (String seed : INFER) {
      byte[] bytes = seed.getBytes(StandardCharsets.ISO_8859_1);
      assertFalse(InferRequest.read(bytes, end(bytes)).inputs().isEmpty());
    }
    for (String seed : EMBEDDING) {
      byte[] bytes = seed.getBytes(StandardCharsets.ISO_8859_1);
      assertEquals("m", EmbeddingRequest.read(bytes, 4).model());
    }
  }
}
