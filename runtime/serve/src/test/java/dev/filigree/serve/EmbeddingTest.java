package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.serving.BatchOptions;
import dev.filigree.testing.MiniLm;
import dev.filigree.text.SentenceEncoder;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Embeddings of a real model as OpenAI's clients ask for them. */
@Timeout(300)
class EmbeddingTest {
  private static final List<String> TEXTS =
      List.of("A man is eating food.", "Über 漢字 🎉", "The girl is carrying a baby.");

  @TempDir private static Path folder;
  private static TestServer server;
  private static float[][] expected;

  @BeforeAll
  static void open() {
    MiniLm.unpacked("all-minilm-l6-v2-tokenizer.json");
    server =
        new TestServer(
            folder,
            ServerOptions.defaults().withLimits(1 << 20, 1 << 24, 64, 40),
            BatchOptions.defaults().withMaxBatch(16));
    server.server().load("minilm", MiniLm.dense());
    try (Model model = Model.open(MiniLm.dense());
        SentenceEncoder encoder = SentenceEncoder.open(model)) {
      expected = encoder.embed(TEXTS);
    }
  }

  @AfterAll
  static void close() {
    server.close();
  }

  private static TestServer.Answer embed(String more) {
    return server.post("/v1/embeddings", "{\"model\":\"minilm\"," + more + "}");
  }

  private static String list(List<String> texts) {
    return TestServer.JSON.writeValueAsString(texts);
  }

  @Test
  void aListOfTextsIsAnsweredWithVectorsInItsOrder() {
    JsonNode answer = embed("\"input\":" + list(TEXTS)).json();
    assertEquals("list", answer.get("object").asString());
    assertEquals("minilm", answer.get("model").asString());
    assertEquals(3, answer.get("data").size());
    for (int i = 0; i < 3; i++) {
      JsonNode entry = answer.get("data").get(i);
      assertEquals(i, entry.get("index").asInt());
      assertEquals("embedding", entry.get("object").asString());
      float[] vector = new float[384];
      for (int f = 0; f < vector.length; f++) {
        vector[f] = (float) entry.get("embedding").get(f).asDouble();
      }
      assertArrayEquals(expected[i], vector, 1e-5f);
    }
    // 8 tokens of the first text with its special ones, as the model's own tokenizer counts
    int tokens =
        embed("\"input\":\"A man is eating food.\"")
            .json()
            .get("usage")
            .get("prompt_tokens")
            .asInt();
    assertEquals(8, tokens);
    assertTrue(answer.get("usage").get("total_tokens").asInt() > 16);
  }

  @Test
  void base64IsTheSameVectorInLittleEndianFloats() {
    String text =
        embed("\"input\":\"" + TEXTS.getFirst() + "\",\"encoding_format\":\"base64\"")
            .json()
            .get("data")
            .get(0)
            .get("embedding")
            .asString();
    float[] vector = new float[384];
    ByteBuffer.wrap(Base64.getDecoder().decode(text))
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(vector);
    assertArrayEquals(expected[0], vector, 1e-5f);
  }

  @Test
  void aLongListRunsInSeveralBatches() {
    List<String> many = java.util.Collections.nCopies(40, TEXTS.getLast());
    JsonNode data = embed("\"input\":" + list(many)).json().get("data");
    assertEquals(40, data.size());
    float[] last = new float[384];
    for (int f = 0; f < last.length; f++) {
      last[f] = (float) data.get(39).get("embedding").get(f).asDouble();
    }
    assertArrayEquals(expected[2], last, 1e-5f);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"input\":\" \" | empty text",
        "\"input\":[] | an empty list",
        "\"input\":[1,2,3] | token numbers",
        "\"input\":[\"a\",[1]] | token numbers",
        "\"input\":\"a\",\"encoding_format\":\"hex\" | float or base64",
        "\"input\":\"a\",\"dimensions\":12 | 384",
        "\"input\":{} | not an array"
      })
  void whatCannotBeEmbeddedIsRefusedInTheClientsForm(String bodyAndReason) {
    String[] parts = bodyAndReason.split(" \\| ");
    TestServer.Answer answer = embed(parts[0]);
    assertEquals(400, answer.status(), answer.body());
    JsonNode error = answer.json().get("error");
    assertEquals("invalid_request_error", error.get("type").asString());
    assertTrue(error.get("message").asString().contains(parts[1]), error.toString());
  }

  @Test
  void aBodyThatEndsEarlyIsToldInTheServersOwnWords() {
    TestServer.Answer answer = server.post("/v1/embeddings", "{\"model\":\"minilm\"");
    assertEquals(400, answer.status(), answer.body());
    assertTrue(answer.body().contains("no valid JSON: Unexpected end-of-input"), answer.body());
    assertFalse(answer.body().contains("Source"), answer.body());
  }

  @Test
  void aFileThatIsCutShortUnderTheServerIsToldAndLeavesOtherModelsAlone() throws IOException {
    Path cut = folder.resolve("cut.onnx");
    Files.copy(MiniLm.dense(), cut);
    Files.copy(
        MiniLm.unpacked("all-minilm-l6-v2-tokenizer.json"), folder.resolve("cut-tokenizer.json"));
    server.server().load("cut", cut);
    String body = "{\"model\":\"cut\",\"input\":\"" + TEXTS.getLast() + "\"}";
    assertEquals(200, server.post("/v1/embeddings", body).status());
    try (FileChannel file = FileChannel.open(cut, StandardOpenOption.WRITE)) {
      file.truncate(1000);
    }
    TestServer.Answer answer = server.post("/v1/embeddings", body);
    assertEquals(500, answer.status(), answer.body());
    assertTrue(answer.body().contains("cut.onnx cannot be read any more"), answer.body());
    assertEquals(200, embed("\"input\":" + list(TEXTS)).status());
    server.server().load("cut", MiniLm.dense());
    assertEquals(200, server.post("/v1/embeddings", body).status());
    server.server().host().unload("cut");
  }

  @Test
  void whatIsTooLongOrTooManyIsRefused() {
    String words = "word ".repeat(600).strip();
    TestServer.Answer tooLong = embed("\"input\":\"" + words + "\"");
    assertEquals(400, tooLong.status());
    assertTrue(tooLong.body().contains("at most 512"), tooLong.body());
    List<String> tooMany = java.util.Collections.nCopies(41, "a");
    assertEquals(400, embed("\"input\":" + list(tooMany)).status());
  }

  @Test
  void modelsAreListedAndOthersRefused() {
    JsonNode models = server.get("/v1/models").json();
    assertEquals("list", models.get("object").asString());
    assertEquals("double", models.get("data").get(0).get("id").asString());
    assertEquals("minilm", server.get("/v1/models/minilm").json().get("id").asString());
    assertEquals(
        404, server.post("/v1/embeddings", "{\"model\":\"none\",\"input\":\"a\"}").status());
    TestServer.Answer tensors =
        server.post("/v1/embeddings", "{\"model\":\"double\",\"input\":\"a\"}");
    assertEquals(400, tensors.status());
    assertTrue(tensors.body().contains("no text encoder"), tensors.body());
  }

  private static String textTensor(String fields) {
    return "{\"inputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\"," + fields + "}]}";
  }

  @Test
  void textsAreATensorOfStringsToo() {
    TestServer.Answer answer =
        server.post(
            "/v2/models/minilm/infer", textTensor("\"shape\":[3,1],\"data\":" + list(TEXTS)));
    assertEquals(200, answer.status(), answer.body());
    JsonNode output = answer.json().get("outputs").get(0);
    assertEquals("embedding", output.get("name").asString());
    assertEquals(384, output.get("shape").get(1).asInt());
    for (int i = 0; i < 3 * 384; i++) {
      assertEquals(expected[i / 384][i % 384], (float) output.get("data").get(i).asDouble(), 1e-5f);
    }
  }

  private static byte[] binary(byte[]... texts) {
    ByteBuffer all = ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN);
    for (byte[] text : texts) {
      all.putInt(text.length).put(text);
    }
    return Arrays.copyOf(all.array(), all.position());
  }

  private static HttpResponse<byte[]> sendBinary(byte[] data, int count) throws Exception {
    byte[] json =
        textTensor(
                "\"shape\":["
                    + count
                    + "],\"parameters\":{\"binary_data_size\":"
                    + data.length
                    + "}")
            .replaceFirst("\\{", "{\"parameters\":{\"binary_data_output\":true},")
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer body = ByteBuffer.allocate(json.length + data.length).put(json).put(data);
    return server
        .client()
        .send(
            server
                .request("/v2/models/minilm/infer")
                .header(InferReply.JSON_LENGTH, Integer.toString(json.length))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body.array()))
                .build(),
            HttpResponse.BodyHandlers.ofByteArray());
  }

  @Test
  void textsComeInBinaryAndVectorsGoInBinary() throws Exception {
    byte[] data =
        binary(
            TEXTS.get(0).getBytes(StandardCharsets.UTF_8),
            TEXTS.get(1).getBytes(StandardCharsets.UTF_8));
    HttpResponse<byte[]> answer = sendBinary(data, 2);
    assertEquals(200, answer.statusCode(), new String(answer.body(), StandardCharsets.UTF_8));
    int length = Integer.parseInt(answer.headers().firstValue(InferReply.JSON_LENGTH).get());
    ByteBuffer vectors =
        ByteBuffer.wrap(answer.body(), length, 4 * 2 * 384).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 2 * 384; i++) {
      assertEquals(expected[i / 384][i % 384], vectors.getFloat(), 1e-5f);
    }
  }

  @Test
  void stringsThatDoNotFitAreRefusedWithTheReason() throws Exception {
    byte[] cut = Arrays.copyOf(binary("some text".getBytes(StandardCharsets.UTF_8)), 9);
    HttpResponse<byte[]> answer = sendBinary(cut, 1);
    assertEquals(400, answer.statusCode());
    assertTrue(new String(answer.body(), StandardCharsets.UTF_8).contains("does not end"));
    answer = sendBinary(binary(new byte[] {'a', (byte) 0xff}), 1);
    assertEquals(400, answer.statusCode());
    assertTrue(new String(answer.body(), StandardCharsets.UTF_8).contains("no UTF-8"));
    answer = sendBinary(binary(new byte[] {'a'}), 2);
    assertEquals(400, answer.statusCode());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"shape\":[2],\"data\":[\"a\"]",
        "\"shape\":[1],\"data\":[\"\"]",
        "\"shape\":[1],\"data\":[1]",
        "\"shape\":[0],\"data\":[]",
        "\"shape\":[1,2],\"data\":[\"a\",\"b\"]",
        "\"shape\":[1]",
        "\"shape\":[1],\"data\":[null]",
      })
  void tensorsOfStringsThatAreNoTextsAreRefused(String fields) {
    TestServer.Answer answer = server.post("/v2/models/minilm/infer", textTensor(fields));
    assertEquals(400, answer.status(), answer.body());
    TestServer.Answer other =
        server.post("/v2/models/double/infer", textTensor("\"shape\":[1],\"data\":[\"a text\"]"));
    assertEquals(400, other.status());
    assertTrue(other.body().contains("no text encoder"), other.body());
  }
}
