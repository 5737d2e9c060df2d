package dev.filigree.serve;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.testing.OnnxModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A server on this machine with a small model {@code double}: {@code y = x + x} of {@code
 * f32[batch, 3]}, and a client of it.
 */
final class TestServer implements AutoCloseable {
  static final JsonMapper JSON = JsonMapper.builder().build();

  private final ModelServer server;
  private final HttpClient client;

  TestServer(Path folder) {
    this(folder, ServerOptions.defaults(), BatchOptions.defaults());
  }

  TestServer(Path folder, ServerOptions options, BatchOptions batching) {
    server =
        new ModelServer(
            options.withAddress("127.0.0.1", 0),
            SessionOptions.defaults().withThreads(1),
            batching,
            1L << 30);
    server.load("double", model(folder.resolve("double.onnx"), 2));
    server.start();
    client = HttpClient.newBuilder().executor(Executors.newVirtualThreadPerTaskExecutor()).build();
  }

  /** Writes the model {@code y = factor * x}. */
  static Path model(Path file, float factor) {
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", "3")
        .initializer("factor", Tensor.of(new float[] {factor}, 1))
        .node("Mul", "y", "x", "factor")
        .output("y", DType.F32, "batch", "3")
        .write(file);
  }

  /** A model whose run takes a good while: many products of a random matrix. */
  static Path slow(Path file, int steps) {
    int n = 384;
    Random random = new Random(1);
    float[] weights = new float[n * n];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (random.nextFloat() - 0.5f) * 0.1f;
    }
    OnnxModel model =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", Integer.toString(n))
            .initializer("w", Tensor.of(weights, n, n));
    String last = "x";
    for (int step = 0; step < steps; step++) {
      String next = step == steps - 1 ? "y" : "s" + step;
      model.node("MatMul", next, last, "w");
      last = next;
    }
    return model.output("y", DType.F32, "batch", Integer.toString(n)).write(file);
  }

  ModelServer server() {
    return server;
  }

  URI uri(String path) {
    return URI.create(server.uri() + path);
  }

  /** What a request was answered with. */
  record Answer(int status, String body, Map<String, java.util.List<String>> headers) {
    JsonNode json() {
      return JSON.readTree(body);
    }
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(60));
  }

  Answer get(String path) {
    return send(request(path).build());
  }

  Answer post(String path, String body) {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build());
  }

  Answer send(HttpRequest request) {
    try {
      HttpResponse<String> answer =
          client.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
      return new Answer(answer.statusCode(), answer.body(), answer.headers().map());
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException interrupt) {
      throw new IllegalStateException(interrupt);
    }
  }

  HttpClient client() {
    return client;
  }

  /** A request for the model {@code double}. */
  static String doubling(float... x) {
    StringBuilder data = new StringBuilder();
    for (float value : x) {
      data.append(data.isEmpty() ? "" : ",").append(value);
    }
    return "{\"inputs\":[{\"name\":\"x\",\"shape\":["
        + x.length / 3
        + ",3],\"datatype\":\"FP32\",\"data\":["
        + data
        + "]}]}";
  }

  /** A bare connection. */
  Socket connect() throws IOException {
    Socket socket = new Socket("127.0.0.1", server.uri().getPort());
    socket.setSoTimeout(60_000);
    return socket;
  }

  /** Sends bytes over a connection of their own and returns all that comes back. */
  String raw(String bytes) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
      socket.getOutputStream().flush();
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
    }
  }

  @Override
  public void close() {
    client.shutdownNow();
    server.close();
  }
}
