package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Device;
import dev.filigree.SessionOptions;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.LossPolicy;
import dev.filigree.serving.ModelHost;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A server whose device fails brings its models back by itself, and says what happened. */
@Timeout(60)
class DeviceLossTest {
  private static final String BEING_LOADED = "is being loaded again because its device failed";

  @TempDir private Path folder;
  private final HttpClient client = HttpClient.newHttpClient();
  private final SplittableRandom random = new SplittableRandom(8);
  private ModelServer server;

  private void serve(LossPolicy policy) {
    server =
        new ModelServer(
            ServerOptions.defaults().withAddress("127.0.0.1", 0),
            SessionOptions.defaults().withThreads(1).withDevice(Device.parse("simulated")),
            BatchOptions.defaults().withLengths(List.of()),
            1L << 30,
            policy);
    server.load("twice", TwiceModel.write(folder.resolve("twice.onnx")));
    server.start();
    assertEquals(200, infer().statusCode());
  }

  @AfterEach
  void close() {
    client.shutdownNow();
    if (server != null) {
      server.close();
    }
  }

  private HttpResponse<String> send(HttpRequest.Builder request) {
    try {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    } catch (IOException | InterruptedException failed) {
      throw new IllegalStateException(failed);
    }
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(server.uri() + path));
  }

  private HttpResponse<String> get(String path) {
    return send(request(path));
  }

  /** The answer to a right request: its result, which is checked, or why there is none. */
  private HttpResponse<String> infer() {
    float[] x = TwiceModel.rows(random);
    HttpResponse<String> answer =
        send(
            request("/v2/models/twice/infer")
                .POST(HttpRequest.BodyPublishers.ofString(TwiceModel.body(x))));
    if (answer.statusCode() == 200) {
      TwiceModel.check(x, TestServer.JSON.readTree(answer.body()));
    }
    return answer;
  }

  /** Asks until there is an answer; what was said meanwhile. */
  private List<String> inferUntilServed() throws InterruptedException {
    List<String> refusals = new ArrayList<>();
    HttpResponse<String> answer = infer();
    while (answer.statusCode() != 200) {
      assertEquals(503, answer.statusCode(), answer.body());
      assertEquals("1", answer.headers().firstValue("Retry-After").orElse(""));
      refusals.add(answer.body());
      Thread.sleep(20);
      answer = infer();
    }
    return refusals;
  }

  private ModelHost.Served served() {
    return server.host().models().getFirst();
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void aFailedContextIsToldAndReplacedByAnotherOnTheSameDevice(SimulatedDevice device)
      throws Exception {
    serve(LossPolicy.CPU);
    device.inject("launch=1");
    HttpResponse<String> inFlight = infer();
    assertEquals(503, inFlight.statusCode(), inFlight.body());
    assertTrue(inFlight.body().contains("CUDA_ERROR"), inFlight.body());
    for (String refusal : inferUntilServed()) {
      assertTrue(refusal.contains(BEING_LOADED), refusal);
      assertTrue(refusal.contains("CUDA_ERROR"), refusal);
    }
    assertEquals("simulated", served().device());
    assertEquals(2, served().version());
    assertEquals(1, served().losses());
    assertEquals("", served().note());
    assertTrue(get("/metrics").body().contains("filigree_device_losses_total{model=\"twice\"} 1"));
    assertEquals(200, get("/v2/health/ready").statusCode());
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void aDeviceThatStaysAwayIsReplacedByTheCpuUntilTheModelIsLoadedAgain(SimulatedDevice device)
      throws Exception {
    serve(LossPolicy.CPU);
    device.inject("lost=1");
    List<String> refusals = inferUntilServed();
    assertTrue(refusals.getFirst().contains("CUDA_ERROR_UNKNOWN"), refusals.getFirst());
    assertTrue(refusals.getLast().contains(BEING_LOADED), refusals.getLast());
    assertEquals("cpu", served().device());
    assertTrue(
        served().note().startsWith("on the cpu until it is loaded again, because simulated failed"),
        served().note());
    JsonNode model = TestServer.JSON.readTree(get("/status").body()).get("models").get(0);
    assertEquals(served().note(), model.get("note").asString());
    assertEquals(200, get("/v2/models/twice/ready").statusCode());
    assertTrue(get("/v2/models/twice").body().contains("filigree_cpu"));

    device.inject("");
    server.load("twice", folder.resolve("twice.onnx"));
    assertEquals(200, infer().statusCode());
    assertEquals("simulated", served().device());
    assertEquals("", served().note());
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void whoMayNotUseTheCpuWaitsForTheDevice(SimulatedDevice device) throws Exception {
    serve(LossPolicy.WAIT);
    device.inject("lost=1");
    assertEquals(503, infer().statusCode());
    // longer than the tries after which another policy takes the CPU
    Thread.sleep(2500);
    HttpResponse<String> refused = infer();
    assertEquals(503, refused.statusCode());
    assertTrue(refused.body().contains(BEING_LOADED), refused.body());
    assertFalse(served().ready());
    assertEquals(503, get("/v2/health/ready").statusCode());
    assertEquals(503, get("/v2/models/twice/ready").statusCode());
    assertEquals(200, get("/v2/health/live").statusCode());
    assertEquals("UNAVAILABLE", index().get("state").asString());
    assertTrue(index().get("reason").asString().length() > 10, index().toString());
    assertTrue(get("/metrics").body().contains("filigree_model_ready{model=\"twice\"} 0"));

    device.inject("");
    inferUntilServed();
    assertEquals("simulated", served().device());
    assertEquals("READY", index().get("state").asString());
  }

  private JsonNode index() {
    return TestServer.JSON
        .readTree(
            send(request("/v2/repository/index").POST(HttpRequest.BodyPublishers.noBody())).body())
        .get(0);
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void closingDoesNotWaitForADeviceThatIsGone(SimulatedDevice device) {
    serve(LossPolicy.WAIT);
    device.inject("lost=1");
    assertEquals(503, infer().statusCode());
    long start = System.nanoTime();
    server.close();
    assertTrue(System.nanoTime() - start < 20_000_000_000L, "the server waited for the device");
    assertTrue(server.host().models().isEmpty());
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void aModelThatIsGivenUpWhileItsDeviceIsGoneEndsAllTheSame(SimulatedDevice device)
      throws Exception {
    serve(LossPolicy.CPU);
    device.inject("lost=1");
    // no run has met the loss: closing the session is the first that does, and fails
    server.host().unload("twice");
    server.close();
    assertTrue(server.host().models().isEmpty());
    assertEquals(0, Leaks.now().mapped(), "the model's file is still mapped");
  }
}
