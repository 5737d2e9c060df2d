package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The engine in a DJL Serving of the user's own, whose folder the system property {@code
 * djl.serving.home} names: the server is in no repository of artifacts, so it does not come with
 * the build.
 */
class DjlServingIT {
  private static final JsonMapper JSON = JsonMapper.builder().build();
  private static final int BATCH = 8;

  /** Of the class path of this test, what lies in the deps folder. */
  private static final List<String> DEPS =
      List.of(
          "filigree-core",
          "filigree-text",
          "filigree-djl",
          "filigree-kernels-vector",
          "tokenizers-",
          "jackson-");

  private final Product product = Product.get();
  private final HttpClient client = HttpClient.newHttpClient();

  private HttpRequest post(String url, String body) {
    return HttpRequest.newBuilder(URI.create(url))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
  }

  private static void link(Path from, Path to) throws IOException {
    Files.deleteIfExists(to);
    Files.createSymbolicLink(to, from.toAbsolutePath());
  }

  /** A home with this build's jars in deps, and a folder for each model. */
  private Path home(Path serving) throws IOException {
    Path home = product.folder("djl serving");
    link(serving.resolve("lib"), home.resolve("lib"));
    link(serving.resolve("plugins"), home.resolve("plugins"));
    Path deps = Files.createDirectories(home.resolve("deps"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      Path jar = Path.of(entry);
      if (entry.endsWith(".jar")
          && DEPS.stream().anyMatch(jar.getFileName().toString()::startsWith)) {
        link(jar, deps.resolve(jar.getFileName()));
      }
    }
    Path texts = Files.createDirectories(home.resolve("models/texts"));
    link(product.model(), texts.resolve("model.onnx"));
    link(
        product.cache().resolve("models/all-minilm-l6-v2-tokenizer.json"),
        texts.resolve("tokenizer.json"));
    Files.writeString(
        texts.resolve("serving.properties"),
        "engine=Filigree\nbatch_size="
            + BATCH
            + "\nmax_batch_delay=500\n"
            + "minWorkers=1\nmaxWorkers=1\n"
            + "translatorFactory=dev.filigree.djl.SentenceTranslatorFactory\n");
    Path tensors = Files.createDirectories(home.resolve("models/tensors"));
    link(product.model(), tensors.resolve("model.onnx"));
    Files.writeString(tensors.resolve("serving.properties"), "engine=Filigree\n");
    return home;
  }

  @Test
  void textsAndTensorsAreServedInDynamicBatches() throws Exception {
    String named = System.getProperty("djl.serving.home");
    assumeTrue(
        named != null,
        "name the folder of a DJL Serving with -Ddjl.serving.home to test the engine inside it");
    Path serving = Path.of(named);
    Path home = home(serving);
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    Path configuration =
        Files.writeString(
            home.resolve("config.properties"),
            "inference_address=http://127.0.0.1:"
                + port
                + "\nmanagement_address=http://127.0.0.1:"
                + port
                + "\nload_models=ALL\nmodel_store="
                + home.resolve("models")
                + "\n");
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin/java").toString(),
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-Dai.djl.offline=true",
            "-cp",
            home.resolve("lib") + "/*",
            "ai.djl.serving.ModelServer",
            "-f",
            configuration.toString());
    Map<String, String> environment = new HashMap<>(product.environment());
    environment.put("MODEL_SERVER_HOME", home.toString());
    Program server =
        Program.start(home, product.folder("djl serving/streams"), environment, command);
    try {
      String url = "http://127.0.0.1:" + port;
      awaitReady(server, url);
      texts(url);
      tensors(url);
    } finally {
      server.terminate();
      Program.Result ended = server.await();
      assertTrue(ended.out().contains("DynamicBatchSize.Count/Item:" + BATCH), ended.out());
      assertTrue(ended.err().contains("session of model: cpu, vector"), ended.err());
    }
  }

  private void awaitReady(Program server, String url) throws Exception {
    HttpRequest ready = HttpRequest.newBuilder(URI.create(url + "/v2/health/ready")).build();
    for (int i = 0; i < 600; i++) {
      assertTrue(server.isRunning(), "the server ended");
      try {
        if (client.send(ready, HttpResponse.BodyHandlers.discarding()).statusCode() == 200) {
          return;
        }
      } catch (IOException notYet) {
        // it does not listen before its models are loaded
      }
      Thread.sleep(200);
    }
    throw new AssertionError("the server was not ready within two minutes");
  }

  private void texts(String url) throws Exception {
    List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
    for (int i = 0; i < 3 * BATCH; i++) {
      String text = i % 2 == 0 ? Product.EATING : Product.BREAD;
      all.add(
          client.sendAsync(
              post(url + "/predictions/texts", "{\"inputs\": \"" + text + "\"}"),
              HttpResponse.BodyHandlers.ofString()));
    }
    List<JsonNode> vectors = new ArrayList<>();
    for (CompletableFuture<HttpResponse<String>> each : all) {
      assertEquals(200, each.join().statusCode(), each.join().body());
      vectors.add(JSON.readTree(each.join().body()));
    }
    for (int i = 0; i < vectors.size(); i += 2) {
      double cosine = 0;
      for (int f = 0; f < vectors.get(i).size(); f++) {
        cosine += vectors.get(i).get(f).asDouble() * vectors.get(i + 1).get(f).asDouble();
      }
      assertEquals(Product.COSINE, cosine, 1e-3);
    }
  }

  private void tensors(String url) throws Exception {
    String metadata =
        client
            .send(
                HttpRequest.newBuilder(URI.create(url + "/v2/models/tensors")).build(),
                HttpResponse.BodyHandlers.ofString())
            .body();
    JsonNode model = JSON.readTree(metadata);
    assertEquals("input_ids", model.get("inputs").get(0).get("name").asString(), metadata);
    assertEquals(384, model.get("outputs").get(0).get("shape").get(2).asInt(), metadata);
    String inputs =
        Stream.of("input_ids:101,1037,2158,102", "attention_mask:1,1,1,1", "token_type_ids:0,0,0,0")
            .map(input -> input.split(":"))
            .map(
                input ->
                    "{\"name\":\""
                        + input[0]
                        + "\",\"shape\":[1,4],\"datatype\":\"INT64\","
                        + "\"data\":["
                        + input[1]
                        + "]}")
            .reduce((a, b) -> a + "," + b)
            .orElseThrow();
    HttpResponse<String> answer =
        client.send(
            post(
                url + "/v2/models/tensors/infer",
                // the server's own plug-in wants the outputs named
                "{\"outputs\":[{\"name\":\"last_hidden_state\"}],\"inputs\":[" + inputs + "]}"),
            HttpResponse.BodyHandlers.ofString());
    assertEquals(200, answer.statusCode(), answer.body());
    JsonNode output = JSON.readTree(answer.body()).get("outputs").get(0);
    assertEquals(4 * 384, output.get("data").size(), output.toString());
  }
}
