package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The command that serves models, from its start to its end by a signal. */
class ServeIT {
  /** What a JVM exits with that SIGTERM ended. */
  private static final int TERMINATED = 128 + 15;

  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Product product = Product.get();
  private final HttpClient client = HttpClient.newHttpClient();

  private static HttpRequest embeddings(String url, String token, int texts) {
    String input = ("\"" + Product.EATING + "\",").repeat(texts - 1);
    return HttpRequest.newBuilder(URI.create(url + "/v1/embeddings"))
        .header("Authorization", "Bearer " + token)
        .POST(
            HttpRequest.BodyPublishers.ofString(
                "{\"model\":\"text\",\"input\":[" + input + "\"" + Product.BREAD + "\"]}"))
        .build();
  }

  private static double[] vector(JsonNode answer, int index) {
    return answer
        .get("data")
        .get(index)
        .get("embedding")
        .valueStream()
        .mapToDouble(JsonNode::asDouble)
        .toArray();
  }

  @Test
  void aModelIsServedUntilTheSignalAndRequestsInFlightAreFinished()
      throws IOException, InterruptedException {
    Path folder = product.folder("serve");
    String token = "a-token-of-this-test-only";
    Path file = Files.writeString(folder.resolve("token"), token + "\n");
    Program server =
        product.start(
            "serve", "text=minilm", "--port", "0", "--token-file", file.toString(), "--json");
    JsonNode started = JSON.readTree(server.firstLine());
    String url = started.get("url").asString();
    assertEquals("text", started.get("models").get(0).get("name").asString());
    HttpResponse<String> refused =
        client.send(embeddings(url, "another", 2), HttpResponse.BodyHandlers.ofString());
    assertEquals(401, refused.statusCode());
    JsonNode answer =
        JSON.readTree(
            client.send(embeddings(url, token, 2), HttpResponse.BodyHandlers.ofString()).body());
    double[] eating = vector(answer, 0);
    double[] bread = vector(answer, 1);
    double cosine = 0;
    for (int i = 0; i < eating.length; i++) {
      cosine += eating[i] * bread[i];
    }
    assertEquals(Product.COSINE, cosine, 1e-3);

    List<CompletableFuture<HttpResponse<String>>> inFlight = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      inFlight.add(
          client.sendAsync(embeddings(url, token, 200), HttpResponse.BodyHandlers.ofString()));
    }
    Thread.sleep(500);
    server.terminate();
    for (CompletableFuture<HttpResponse<String>> request : inFlight) {
      HttpResponse<String> finished = request.join();
      assertEquals(200, finished.statusCode(), finished.body());
      assertEquals(200, JSON.readTree(finished.body()).get("data").size());
    }
    Program.Result result = server.await();
    assertEquals(TERMINATED, result.code(), result.err());
    assertFalse(result.err().contains(token), result.err());
    assertFalse(result.err().contains("Exception"), result.err());
  }
}
