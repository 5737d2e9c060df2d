package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.serving.BatchOptions;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What callers do that they should not, or too much of it; afterwards the server is as before. */
@Timeout(120)
class LimitsTest {
  private static final int MAX_BODY = 64 << 10;

  @TempDir private Path folder;
  private TestServer server;

  @BeforeEach
  void open() {
    ServerOptions options =
        ServerOptions.defaults()
            .withLimits(MAX_BODY, 4L * MAX_BODY, 512, 8)
            .withTimes(Duration.ofSeconds(2), Duration.ofSeconds(20), Duration.ofSeconds(20));
    server = new TestServer(folder, options, BatchOptions.defaults().withMaxQueue(4));
  }

  @AfterEach
  void isWellAfterwards() {
    assertAnswers();
    server.close();
  }

  private void assertAnswers() {
    TestServer.Answer answer = server.post("/v2/models/double/infer", TestServer.doubling(1, 2, 3));
    assertEquals(200, answer.status(), answer.body());
    assertEquals("[2.0,4.0,6.0]", answer.json().get("outputs").get(0).get("data").toString());
  }

  private static int status(String answer) {
    assertTrue(answer.startsWith("HTTP/1.1 "), answer);
    return Integer.parseInt(answer.substring(9, 12));
  }

  @Test
  void aBodyThatIsTooLargeIsRefusedBeforeItIsRead() throws IOException {
    String announced =
        server.raw(
            "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Content-Length: 999999999999\r\n\r\n");
    assertEquals(413, status(announced));
    assertTrue(announced.contains("larger than " + MAX_BODY), announced);
    String chunks = "8000\r\n" + "x".repeat(0x8000) + "\r\n";
    String chunked =
        server.raw(
            "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + chunks.repeat(3));
    assertEquals(413, status(chunked));
  }

  @Test
  void aBodyThatDoesNotArriveIsGivenUp() throws IOException {
    String answer =
        server.raw(
            "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
    assertEquals(408, status(answer));
  }

  @Test
  void aBodyThatDripsInIsGivenUpToo() throws IOException, InterruptedException {
    try (Socket socket = server.connect()) {
      write(
          socket,
          "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n");
      Thread drip = drip(socket, " ");
      String answer =
          new String(socket.getInputStream().readNBytes(12), StandardCharsets.ISO_8859_1);
      assertEquals(408, status(answer));
      drip.interrupt();
      drip.join();
    }
  }

  @Test
  void headersThatDripInAreGivenUp() throws IOException, InterruptedException {
    try (Socket socket = server.connect()) {
      write(socket, "GET /v2 HTTP/1.1\r\nHost: a\r\nX-Slow: ");
      Thread drip = drip(socket, "x");
      InputStream in = socket.getInputStream();
      int first;
      try {
        first = in.read();
      } catch (IOException reset) {
        first = -1;
      }
      assertEquals(-1, first, "the connection is closed without an answer");
      drip.interrupt();
      drip.join();
    }
  }

  private static Thread drip(Socket socket, String what) {
    return Thread.ofVirtual()
        .start(
            () -> {
              try {
                while (!Thread.currentThread().isInterrupted()) {
                  Thread.sleep(200);
                  write(socket, what);
                }
              } catch (IOException | InterruptedException over) {
                // the server has closed the connection, or the test has seen what it wanted
                Thread.currentThread().interrupt();
              }
            });
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
  }

  @Test
  void aFloodOfHeadersIsRefused() throws IOException {
    String flood = "X-A: " + "y".repeat(500) + "\r\n";
    String answer = server.raw("GET /v2 HTTP/1.1\r\nHost: a\r\n" + flood.repeat(40) + "\r\n");
    assertEquals(431, status(answer));
    assertTrue(!answer.contains("yyy"), "nothing that was sent comes back: " + answer);
    String longPath = server.raw("GET /" + "a".repeat(20_000) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    assertEquals(414, status(longPath));
  }

  @Test
  void malformedRequestsAreRefused() throws IOException {
    for (String request :
        List.of(
            "\0\1\2\3\r\n\r\n",
            "GET /v2 HTTP/1.1\r\n\r\n",
            "GET /v2 HTTP/9.9\r\nHost: a\r\n\r\n",
            "POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
            "POST /v1/embeddings HTTP/1.1\r\n"
                + "Host: a\r\n"
                + "Content-Length: 5\r\n"
                + "Content-Length: 6\r\n\r\n",
            "POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "GET /v2 HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n")) {
      int status = status(server.raw(request));
      assertTrue(status >= 400 && status < 600, request + " -> " + status);
    }
  }

  @Test
  void aCallerThatClosesItsSideStillHasItsAnswer() throws IOException {
    String body = TestServer.doubling(1, 2, 3);
    try (Socket socket = server.connect()) {
      write(
          socket,
          "POST /v2/models/double/infer HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Connection: close\r\n"
              + "Content-Length: "
              + body.length()
              + "\r\n\r\n"
              + body);
      socket.shutdownOutput();
      String answer =
          new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      assertEquals(200, status(answer));
      assertTrue(answer.contains("[2.0,4.0,6.0]"), answer);
    }
    // one that closes in the middle of its body gets no tensor, whatever it gets
    try (Socket socket = server.connect()) {
      write(
          socket,
          "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{");
      socket.shutdownOutput();
      String answer =
          new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      assertTrue(answer.isEmpty() || status(answer) == 400, answer);
    }
  }

  @Test
  void manyConnectionsAreServedAtOnceAndKept() throws Exception {
    int connections = 200;
    List<Socket> sockets = new ArrayList<>();
    // the times of the other tests are short: a busy machine may take longer to send
    try (TestServer server =
            new TestServer(
                folder,
                ServerOptions.defaults().withLimits(MAX_BODY, 4L * MAX_BODY, 512, 8),
                BatchOptions.defaults().withMaxQueue(4));
        ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < connections; i++) {
        sockets.add(server.connect());
      }
      for (int round = 0; round < 3; round++) {
        List<Future<Boolean>> answers = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
          Socket socket = sockets.get(i);
          float value = i + round;
          answers.add(callers.submit(() -> ask(socket, value)));
        }
        int right = 0;
        for (Future<Boolean> answer : answers) {
          right += answer.get() ? 1 : 0;
        }
        assertTrue(right > 0);
      }
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  /** True for the right answer, false if the queue was full; anything else fails the test. */
  private static boolean ask(Socket socket, float value) throws IOException {
    String body = TestServer.doubling(value, 0, 1);
    write(
        socket,
        "POST /v2/models/double/infer HTTP/1.1\r\nHost: a\r\nContent-Length: "
            + body.length()
            + "\r\n\r\n"
            + body);
    InputStream in = socket.getInputStream();
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      assertTrue(next >= 0, "the connection was closed after " + head);
      head.append((char) next);
    }
    int length =
        Arrays.stream(head.toString().split("\r\n"))
            .filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:"))
            .mapToInt(line -> Integer.parseInt(line.substring(15).strip()))
            .findFirst()
            .orElseThrow();
    String answer = new String(in.readNBytes(length), StandardCharsets.UTF_8);
    if (status(head.toString()) == 429) {
      assertTrue(head.toString().contains("Retry-After: 1"), head.toString());
      return false;
    }
    assertEquals(200, status(head.toString()), answer);
    assertTrue(answer.contains("[" + 2 * value + ",0.0,2.0]"), answer);
    return true;
  }

  @Test
  void aFullQueueAndAPassedDeadlineAreToldApart() throws Exception {
    server.server().load("slow", TestServer.slow(folder.resolve("slow.onnx"), 20));
    String rows = "0.5,".repeat(384 * 16 - 1) + "0.5";
    String slow =
        "{\"parameters\":{\"timeout\":20000000},\"inputs\":[{\"name\":\"x\",\"shape\":[16,384],"
            + "\"datatype\":\"FP32\",\"data\":["
            + rows
            + "]}]}";
    try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<TestServer.Answer>> answers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        answers.add(callers.submit(() -> server.post("/v2/models/slow/infer", slow)));
      }
      TestServer.Answer late = server.post("/v2/models/slow/infer", slow.replace("20000000", "1"));
      assertTrue(late.status() == 504 || late.status() == 429 || late.status() == 503, late.body());
      int done = 0;
      int refused = 0;
      for (Future<TestServer.Answer> future : answers) {
        TestServer.Answer answer = future.get();
        if (answer.status() == 200) {
          done++;
        } else {
          assertTrue(answer.status() == 429 || answer.status() == 503, answer.body());
          assertEquals(List.of("1"), answer.headers().get("retry-after"));
          refused++;
        }
      }
      assertTrue(done > 0 && refused > 0, done + " done, " + refused + " refused");
    }
    TestServer.Answer late = server.post("/v2/models/slow/infer", slow.replace("20000000", "1"));
    assertEquals(504, late.status(), late.body());
    assertTrue(late.body().contains("not done within 0.001 ms"), late.body());
  }

  @Test
  void compressedBodiesAndOtherMethodsAreRefused() {
    HttpRequest compressed =
        server
            .request("/v2/models/double/infer")
            .header("Content-Encoding", "gzip")
            .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[] {31, -117, 8}))
            .build();
    assertEquals(415, server.send(compressed).status());
    assertEquals(403, server.post("/v2/repository/models/double/load", "").status());
  }
}
