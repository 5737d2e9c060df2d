package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.RejectedException;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.ModelLease;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Mixed load for a while: right and wrong requests, cancelled ones, connections that break off,
 * models that are replaced. Every answer is checked, and nothing is left behind. A minute by
 * default; {@code -Psoak} makes it ten.
 */
class SoakTest {
  private static final int CALLERS = 24;
  private static final long SECONDS = Long.getLong("filigree.soak.seconds", 60);

  /** Kibibytes that the C library and pools of buffers may hold on to. */
  private static final long SLACK = 16 << 10;

  @TempDir private Path folder;
  private TestServer server;

  /** The JDK's client takes other requests along when it cancels one, so these have their own. */
  private HttpClient canceller;

  private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();

  private void count(String what) {
    counts.computeIfAbsent(what, unused -> new LongAdder()).increment();
  }

  @Test
  void nothingIsWrongAndNothingIsLeftBehind() throws Exception {
    cycle(2);
    Leaks before = Leaks.now();
    cycle(SECONDS);
    Leaks after = Leaks.now();
    System.out.println("soak of " + SECONDS + " s: " + new TreeMap<>(counts));
    System.out.println("before: " + before + "; after: " + after);
    for (String kind :
        List.of("json", "binary", "versions", "bad", "late", "cancelled", "broken", "lease")) {
      assertTrue(counts.containsKey(kind), "no request of the kind " + kind + ": " + counts);
    }
    assertTrue(counts.get("reload").sum() > SECONDS / 2, counts.toString());
    assertEquals(List.of(), after.threads());
    assertEquals(0, after.mapped());
    assertTrue(after.handles() <= before.handles() + 2, before + " " + after);
    assertTrue(after.nativeKilobytes() <= before.nativeKilobytes() + SLACK, before + " " + after);
  }

  private void cycle(long seconds) throws Exception {
    Path two = TestServer.model(folder.resolve("two.onnx"), 2);
    Path five = TestServer.model(folder.resolve("five.onnx"), 5);
    ServerOptions options =
        ServerOptions.defaults()
            .withLimits(1 << 16, 1 << 22, 256, 8)
            .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(30), Duration.ofSeconds(30));
    server = new TestServer(folder, options, BatchOptions.defaults().withMaxQueue(16));
    try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      canceller = HttpClient.newHttpClient();
      server.server().load("changing", two);
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      List<Future<?>> work = new ArrayList<>();
      for (int caller = 0; caller < CALLERS; caller++) {
        SplittableRandom random = new SplittableRandom(caller);
        work.add(
            callers.submit(
                () -> {
                  while (System.nanoTime() < end) {
                    request(random);
                  }
                  return null;
                }));
      }
      boolean odd = true;
      while (System.nanoTime() < end) {
        odd = !odd;
        server.server().load("changing", odd ? two : five);
        count("reload");
        Thread.sleep(50);
      }
      for (Future<?> each : work) {
        each.get();
      }
    } finally {
      canceller.shutdownNow();
      server.close();
    }
  }

  private void request(SplittableRandom random) throws Exception {
    switch (random.nextInt(9)) {
      case 0, 1 -> json(random);
      case 2 -> binary(random);
      case 3 -> versions(random);
      case 4 -> bad(random);
      case 5 -> late();
      case 6 -> cancelled(random);
      case 7 -> broken(random);
      default -> lease(random);
    }
  }

  private static float[] values(SplittableRandom random) {
    float[] x = new float[3 * random.nextInt(1, 5)];
    for (int i = 0; i < x.length; i++) {
      x[i] = random.nextInt(-1000, 1000) / 8f;
    }
    return x;
  }

  /** Whether it was answered; else it was told why not. */
  private boolean isAnswered(TestServer.Answer answer, int... mayBe) {
    if (answer.status() == 200) {
      return true;
    }
    assertTrue(
        Arrays.stream(mayBe).anyMatch(status -> status == answer.status()),
        answer.status() + ": " + answer.body());
    assertTrue(answer.json().get("error").asString().length() > 10, answer.body());
    count("refused " + answer.status());
    return false;
  }

  private void checkData(JsonNode answer, float[] x, float factor) {
    JsonNode data = answer.get("outputs").get(0).get("data");
    assertEquals(x.length, data.size());
    for (int i = 0; i < x.length; i++) {
      assertEquals(factor * x[i], (float) data.get(i).asDouble(), answer.toString());
    }
  }

  private void json(SplittableRandom random) {
    float[] x = values(random);
    TestServer.Answer answer = server.post("/v2/models/double/infer", TestServer.doubling(x));
    if (isAnswered(answer, 429)) {
      checkData(answer.json(), x, 2);
      count("json");
    }
  }

  private void binary(SplittableRandom random) throws Exception {
    float[] x = values(random);
    byte[] json =
        ("{\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":\"x\",\"shape\":["
                + x.length / 3
                + ",3],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":"
                + 4 * x.length
                + "}}]}")
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer body =
        ByteBuffer.allocate(json.length + 4 * x.length).order(ByteOrder.LITTLE_ENDIAN).put(json);
    for (float value : x) {
      body.putFloat(value);
    }
    HttpResponse<byte[]> answer =
        server
            .client()
            .send(
                server
                    .request("/v2/models/double/infer")
                    .header(InferReply.JSON_LENGTH, Integer.toString(json.length))
                    .POST(HttpRequest.BodyPublishers.ofByteArray(body.array()))
                    .build(),
                HttpResponse.BodyHandlers.ofByteArray());
    if (answer.statusCode() == 429) {
      count("refused 429");
      return;
    }
    assertEquals(200, answer.statusCode());
    int length = Integer.parseInt(answer.headers().firstValue(InferReply.JSON_LENGTH).get());
    ByteBuffer y =
        ByteBuffer.wrap(answer.body(), length, 4 * x.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : x) {
      assertEquals(2 * value, y.getFloat());
    }
    count("binary");
  }

  /** The answer is that of the version it names: odd ones double, even ones multiply by five. */
  private void versions(SplittableRandom random) {
    float[] x = values(random);
    TestServer.Answer answer = server.post("/v2/models/changing/infer", TestServer.doubling(x));
    if (isAnswered(answer, 429)) {
      int version = Integer.parseInt(answer.json().get("model_version").asString());
      checkData(answer.json(), x, version % 2 == 1 ? 2 : 5);
      count("versions");
    }
  }

  private void bad(SplittableRandom random) {
    String good = TestServer.doubling(1, 2, 3);
    TestServer.Answer answer =
        switch (random.nextInt(5)) {
          case 0 -> server.post("/v2/models/double/infer", good.substring(0, good.length() / 2));
          case 1 -> server.post("/v2/models/none/infer", good);
          case 2 -> server.post("/v2/models/double/infer", good.replace("[1,3]", "[3,1]"));
          case 3 -> server.post("/v2/models/double/infer", "x".repeat(1 << 17));
          default -> server.get("/v2/models/double/infer");
        };
    assertTrue(!isAnswered(answer, 400, 404, 405, 413), answer.body());
    count("bad");
  }

  private void late() {
    String body =
        TestServer.doubling(1, 2, 3).replaceFirst("\\{", "{\"parameters\":{\"timeout\":1},");
    TestServer.Answer answer = server.post("/v2/models/double/infer", body);
    if (isAnswered(answer, 504, 429)) {
      checkData(answer.json(), new float[] {1, 2, 3}, 2);
    }
    count("late");
  }

  private void cancelled(SplittableRandom random) throws InterruptedException {
    float[] x = values(random);
    CompletableFuture<HttpResponse<String>> sent =
        canceller.sendAsync(
            server
                .request("/v2/models/changing/infer")
                .POST(HttpRequest.BodyPublishers.ofString(TestServer.doubling(x)))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    Thread.sleep(random.nextInt(3));
    sent.cancel(true);
    count("cancelled");
  }

  private void broken(SplittableRandom random) throws IOException {
    String body = TestServer.doubling(1, 2, 3);
    String whole =
        "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body;
    try (Socket socket = server.connect()) {
      socket
          .getOutputStream()
          .write(
              whole
                  .substring(0, random.nextInt(1, whole.length()))
                  .getBytes(StandardCharsets.ISO_8859_1));
    }
    count("broken");
  }

  /** Past HTTP: a request that is handed over and sometimes cancelled. */
  private void lease(SplittableRandom random) {
    float[] x = values(random);
    Map<String, Tensor> inputs = Map.of("x", Tensor.of(x, x.length / 3, 3));
    try (ModelLease lease = server.server().host().lease("changing")) {
      CompletableFuture<Map<String, Tensor>> result = lease.submit(inputs, Duration.ofSeconds(30));
      if (random.nextBoolean()) {
        result.cancel(false);
      }
      float[] y = result.join().get("y").toFloats();
      float factor = lease.version() % 2 == 1 ? 2 : 5;
      for (int i = 0; i < x.length; i++) {
        assertEquals(factor * x[i], y[i]);
      }
      count("lease");
    } catch (CancellationException cancelled) {
      count("lease cancelled");
    } catch (RejectedException | CompletionException rejected) {
      Throwable cause = rejected instanceof RejectedException ? rejected : rejected.getCause();
      assertTrue(cause instanceof RejectedException, () -> "failed with " + cause);
      count("lease refused");
    }
  }
}
