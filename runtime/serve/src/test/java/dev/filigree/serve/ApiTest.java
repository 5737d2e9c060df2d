package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.serving.BatchOptions;
import dev.filigree.testing.OnnxModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The Open Inference Protocol as the server speaks it over a real connection. */
@Timeout(120)
class ApiTest {
  @TempDir private static Path folder;
  private static TestServer server;

  @BeforeAll
  static void open() {
    server =
        new TestServer(folder, ServerOptions.defaults().withReload(true), BatchOptions.defaults());
    OnnxModel types = new OnnxModel(13);
    for (DType type : DType.values()) {
      types.input("in_" + type, type, "batch").node("Identity", "out_" + type, "in_" + type);
    }
    for (DType type : DType.values()) {
      types.output("out_" + type, type, "batch");
    }
    server.server().load("types", types.write(folder.resolve("types.onnx")));
  }

  @AfterAll
  static void close() {
    server.close();
  }

  @Test
  void healthAndMetadataAreAsTheProtocolSays() {
    assertEquals("{\"live\":true}", server.get("/v2/health/live").body());
    assertEquals("{\"ready\":true}", server.get("/v2/health/ready").body());
    JsonNode about = server.get("/v2").json();
    assertEquals("filigree", about.get("name").asString());
    assertEquals("binary_tensor_data", about.get("extensions").get(0).asString());
    JsonNode model = server.get("/v2/models/double").json();
    assertEquals("double", model.get("name").asString());
    assertEquals("[\"1\"]", model.get("versions").toString());
    assertEquals(
        "[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]",
        model.get("inputs").toString());
    assertEquals("y", model.get("outputs").get(0).get("name").asString());
    assertEquals(200, server.get("/v2/models/double/versions/1").status());
    assertEquals("{\"ready\":true}", server.get("/v2/models/double/ready").body());
    assertEquals(404, server.get("/v2/models/double/versions/7").status());
  }

  @Test
  void tensorsInJsonAreAnsweredInJson() {
    String flat =
        "{\"id\":\"a\",\"inputs\":[{\"data\":[1,2.5,-3,4,5,6],\"name\":\"x\",\"shape\":[2,3],"
            + "\"datatype\":\"FP32\"}]}";
    JsonNode answer = server.post("/v2/models/double/infer", flat).json();
    assertEquals("a", answer.get("id").asString());
    assertEquals("double", answer.get("model_name").asString());
    JsonNode y = answer.get("outputs").get(0);
    assertEquals("[2,3]", y.get("shape").toString());
    assertEquals("[2.0,5.0,-6.0,8.0,10.0,12.0]", y.get("data").toString());
    String nested =
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,3],\"datatype\":\"FP32\","
            + "\"data\":[[1,2,3],[4,5,6]]}],\"outputs\":[{\"name\":\"y\"}]}";
    assertEquals(
        "[2.0,4.0,6.0,8.0,10.0,12.0]",
        server
            .post("/v2/models/double/versions/1/infer", nested)
            .json()
            .get("outputs")
            .get(0)
            .get("data")
            .toString());
  }

  @Test
  void tensorsInBinaryAreAnsweredInBinary() throws IOException, InterruptedException {
    byte[] json =
        ("{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"parameters\":"
                + "{\"binary_data_size\":12}}],"
                + "\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]}")
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer x = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    x.asFloatBuffer().put(new float[] {1, -2, 0.5f});
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.write(json);
    body.write(x.array());
    HttpResponse<byte[]> answer =
        server
            .client()
            .send(
                server
                    .request("/v2/models/double/infer")
                    .header("Inference-Header-Content-Length", Integer.toString(json.length))
                    .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray()))
                    .build(),
                HttpResponse.BodyHandlers.ofByteArray());
    assertEquals(200, answer.statusCode());
    int length =
        Integer.parseInt(
            answer.headers().firstValue("Inference-Header-Content-Length").orElseThrow());
    JsonNode y =
        TestServer.JSON.readTree(Arrays.copyOf(answer.body(), length)).get("outputs").get(0);
    assertEquals(12, y.get("parameters").get("binary_data_size").asInt());
    float[] values = new float[3];
    ByteBuffer.wrap(answer.body(), length, 12)
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(values);
    assertArrayEquals(new float[] {2, -4, 1}, values);
    assertEquals(length + 12, answer.body().length);
  }

  @Test
  void everyElementTypeComesBackAsItWasSent() {
    StringBuilder inputs = new StringBuilder();
    for (DType type : DType.values()) {
      inputs
          .append(inputs.isEmpty() ? "" : ",")
          .append("{\"name\":\"in_" + type + "\",\"shape\":[2],\"datatype\":\"")
          .append(DataTypes.name(type))
          .append("\",\"data\":" + sample(type) + "}");
    }
    JsonNode answer = server.post("/v2/models/types/infer", "{\"inputs\":[" + inputs + "]}").json();
    assertEquals(DType.values().length, answer.get("outputs").size(), answer.toString());
    for (JsonNode output : answer.get("outputs")) {
      DType type = DataTypes.type("", output.get("datatype").asString());
      assertEquals("out_" + type, output.get("name").asString());
      assertEquals(sample(type), output.get("data").toString());
    }
  }

  private static String sample(DType type) {
    return switch (type) {
      case BOOL -> "[true,false]";
      case F64 -> "[0.1,-1.0E300]";
      case F32, F16, BF16 -> "[0.5,-2.0]";
      case I8 -> "[-128,127]";
      case U8 -> "[0,255]";
      case I16 -> "[-32768,32767]";
      case U16 -> "[0,65535]";
      case I32 -> "[-2147483648,2147483647]";
      case U32 -> "[0,4294967295]";
      case I64 -> "[-9223372036854775808,9223372036854775807]";
      case U64 -> "[1,18446744073709551615]";
    };
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{                                                                           | no valid"
            + " JSON",
        "[]                                                                          | not an"
            + " object",
        "{} {}                                                                       | follows the"
            + " JSON",
        "{\"id\":\"a\",\"id\":\"b\"}                                                 | Duplicate",
        "{\"inputs\":{}}                                                             | not an"
            + " array",
        "{\"inputs\":[]}                                                             | 'x' is"
            + " missing",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3]}]}                             | no datatype",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\"}]}       | no data",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP99\",\"data\":[1,2,3]}]} |"
            + " FP99",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4],\"datatype\":\"FP32\",\"data\":[1,2,3]}]} |"
            + " takes 4",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,2,\"3\"]}]}"
            + " | strings",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,true,3]}]}"
            + " | mixes",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,3],\"datatype\":\"FP32\",\"data\":[[1,2,3],[4,5]]}]}"
            + " | unequal",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[2,3],\"datatype\":\"FP32\",\"data\":[[1,2],[3,4],[5,6]]}]}"
            + " | nested as",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[-1,3],\"datatype\":\"FP32\",\"data\":[]}]} | out"
            + " of range",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[9223372036854775807,9],\"datatype\":\"FP32\",\"data\":[]}]}"
            + " | x",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"INT64\",\"data\":[1,2,3]}]} |"
            + " model takes x",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"INT8\",\"data\":[1,2,300]}]} |"
            + " 300",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]} |"
            + " model takes x",
        "{\"inputs\":[{\"name\":\"z\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,2,3]}]} |"
            + " 'x' is missing",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,2,3]}],\"outputs\":[{\"name\":\"q\"}]}"
            + " | no output 'q'",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":12}}]}"
            + " | bytes are left",
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[0,3],\"datatype\":\"FP32\",\"data\":[]}]} | at"
            + " least one",
        "{\"parameters\":{\"timeout\":-1},\"inputs\":[]}                             | out of range"
      })
  void whatDoesNotFitIsRefusedWithTheReason(String bodyAndReason) {
    int bar = bodyAndReason.lastIndexOf('|');
    String body = bodyAndReason.substring(0, bar).strip();
    String reason = bodyAndReason.substring(bar + 1).strip();
    TestServer.Answer answer = server.post("/v2/models/double/infer", body);
    assertEquals(400, answer.status(), answer.body());
    String message = answer.json().get("error").asString();
    assertTrue(message.contains(reason), message);
  }

  @ParameterizedTest
  @CsvSource({
    "GET, /v2/models/none, 404",
    "POST, /v2/models/none/infer, 404",
    "GET, /v3, 404",
    "GET, /v2/models/double/nothing, 404",
    "GET, /v2/models/double/ready/more, 404",
    "GET, /v1/models/none, 404",
    "GET, /v2/models/double/infer, 405",
    "POST, /v2/health/live, 405",
    "DELETE, /v2/models/double, 405",
    "GET, /v2/models/..%2F..%2Fetc, 400",
    "GET, /v2/%2e%2e/%2e%2e/etc/passwd, 400",
    "GET, /v2/models/double%00, 400",
    "GET, /v2//models, 400"
  })
  void unknownPlacesAndWrongMethodsHaveTheirStatus(String method, String path, int status) {
    TestServer.Answer answer =
        server.send(
            server.request(path).method(method, HttpRequest.BodyPublishers.noBody()).build());
    assertEquals(status, answer.status(), answer.body());
    assertTrue(answer.json().has("error"), answer.body());
  }

  @Test
  void aReloadTakesOverUnderTheSameName() {
    TestServer.model(folder.resolve("changing.onnx"), 2);
    server.server().load("changing", folder.resolve("changing.onnx"));
    TestServer.model(folder.resolve("new.onnx"), 5);
    folder.resolve("new.onnx").toFile().renameTo(folder.resolve("changing.onnx").toFile());
    TestServer.Answer loaded = server.post("/v2/repository/models/changing/load", "");
    assertEquals("{\"name\":\"changing\",\"version\":\"2\"}", loaded.body());
    JsonNode answer = server.post("/v2/models/changing/infer", TestServer.doubling(1, 2, 3)).json();
    assertEquals("[5.0,10.0,15.0]", answer.get("outputs").get(0).get("data").toString());
    assertEquals("2", answer.get("model_version").asString());
    assertEquals(404, server.get("/v2/models/changing/versions/1").status());
    assertEquals(404, server.post("/v2/repository/models/none/load", "").status());
    assertTrue(server.post("/v2/repository/index", "").body().contains("\"name\":\"changing\""));
  }

  @Test
  void metricsCountWhatWasDone() {
    server.post("/v2/models/double/infer", TestServer.doubling(1, 2, 3));
    String metrics = server.get("/metrics").body();
    assertTrue(metrics.matches("(?s).*filigree_requests_total\\{model=\"double\"\\} [1-9].*"));
    assertTrue(metrics.contains("# TYPE filigree_latency_seconds histogram"), metrics);
    assertTrue(metrics.contains("filigree_latency_seconds_bucket{model=\"double\",le=\"+Inf\"}"));
    assertTrue(metrics.matches("(?s).*filigree_http_replies_total\\{status=\"200\"\\} [1-9].*"));
    for (String line : metrics.split("\n")) {
      assertTrue(
          line.startsWith("# ") || line.matches("filigree_\\w+(\\{[^}]*\\})? [0-9.e+-]+"), line);
    }
  }
}
