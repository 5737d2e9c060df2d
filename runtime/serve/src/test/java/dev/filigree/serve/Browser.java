package dev.filigree.serve;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A headless Chromium, driven by its DevTools protocol. */
final class Browser implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final WebSocket socket;
  private final AtomicInteger number = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final List<String> complaints = new ArrayList<>();

  /** The program, where one is installed. */
  static Optional<Path> program() {
    for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
      for (String name : List.of("chromium", "chromium-browser", "google-chrome")) {
        Path file = Path.of(folder, name);
        if (Files.isExecutable(file)) {
          return Optional.of(file);
        }
      }
    }
    return Optional.empty();
  }

  Browser(Path program, Path profile) throws IOException, InterruptedException {
    Path log = profile.resolve("chromium.log");
    process =
        new ProcessBuilder(
                program.toString(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--window-size=1100,1000",
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try {
      socket = connect(profile.resolve("DevToolsActivePort"));
      call("Runtime.enable");
      call("Log.enable");
      call("Page.enable");
    } catch (IOException | InterruptedException | RuntimeException failed) {
      process.destroyForcibly();
      throw failed;
    }
  }

  private WebSocket connect(Path portFile) throws IOException, InterruptedException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!Files.exists(portFile) || Files.readAllLines(portFile).size() < 2) {
      if (System.nanoTime() > end || !process.isAlive()) {
        throw new IOException("the browser did not start");
      }
      Thread.sleep(50);
    }
    int port = Integer.parseInt(Files.readAllLines(portFile).getFirst());
    HttpClient http = HttpClient.newHttpClient();
    JsonNode pages =
        TestServer.JSON.readTree(
            http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json"))
                        .build(),
                    HttpResponse.BodyHandlers.ofString())
                .body());
    String address = null;
    for (JsonNode page : pages) {
      if (page.get("type").asString().equals("page")) {
        address = page.get("webSocketDebuggerUrl").asString();
      }
    }
    return http.newWebSocketBuilder().buildAsync(URI.create(address), new Listener()).join();
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        JsonNode message = TestServer.JSON.readTree(text.toString());
        text.setLength(0);
        if (message.has("id")) {
          answers.remove(message.get("id").asInt()).complete(message);
        } else {
          listen(message);
        }
      }
      from.request(1);
      return null;
    }
  }

  private void listen(JsonNode message) {
    String method = message.get("method").asString();
    boolean complains =
        method.equals("Runtime.exceptionThrown")
            || method.equals("Log.entryAdded")
                && message.get("params").get("entry").get("level").asString().equals("error");
    if (complains) {
      synchronized (complaints) {
        complaints.add(message.toString());
      }
    }
  }

  /** Errors of the page and its script so far. */
  List<String> complaints() {
    synchronized (complaints) {
      return List.copyOf(complaints);
    }
  }

  private JsonNode call(String method, Object... namesAndValues) {
    int id = number.incrementAndGet();
    ObjectNode message = TestServer.JSON.createObjectNode().put("id", id).put("method", method);
    ObjectNode parameters = message.putObject("params");
    for (int i = 0; i < namesAndValues.length; i += 2) {
      parameters.set(
          (String) namesAndValues[i], TestServer.JSON.valueToTree(namesAndValues[i + 1]));
    }
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(id, answer);
    socket.sendText(message.toString(), true).join();
    JsonNode result = answer.orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
    if (result.has("error")) {
      throw new IllegalStateException(method + ": " + result.get("error"));
    }
    return result.get("result");
  }

  void open(URI address) {
    call("Page.navigate", "url", address.toString());
  }

  /** The value of an expression in the page, as text. */
  String evaluate(String expression) {
    JsonNode result =
        call("Runtime.evaluate", "expression", "String(" + expression + ")").get("result");
    return result.has("value") ? result.get("value").asString() : "";
  }

  /** Waits until an expression is true. */
  void await(String expression) throws InterruptedException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!evaluate("Boolean(" + expression + ")").equals("true")) {
      if (System.nanoTime() > end) {
        throw new AssertionError(
            "not true in time: "
                + expression
                + "; the page says "
                + evaluate("document.body.innerText")
                + complaints());
      }
      Thread.sleep(100);
    }
  }

  /** Presses and releases a key. */
  void press(String key, String text) {
    Object code = key.equals("Tab") ? 9 : key.equals("Enter") ? 13 : 32;
    call(
        "Input.dispatchKeyEvent",
        "type",
        "keyDown",
        "key",
        key,
        "text",
        text,
        "windowsVirtualKeyCode",
        code);
    call("Input.dispatchKeyEvent", "type", "keyUp", "key", key, "windowsVirtualKeyCode", code);
  }

  /** Types into what has the focus. */
  void type(String text) {
    call("Input.insertText", "text", text);
  }

  /** Light or dark, as the user prefers. */
  void prefer(String scheme) {
    call(
        "Emulation.setEmulatedMedia",
        "features",
        List.of(Map.of("name", "prefers-color-scheme", "value", scheme)));
  }

  /** A picture of the page as PNG. */
  byte[] picture() {
    return Base64.getDecoder().decode(call("Page.captureScreenshot").get("data").asString());
  }

  @Override
  public void close() {
    socket.abort();
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().onExit().join();
  }
}
