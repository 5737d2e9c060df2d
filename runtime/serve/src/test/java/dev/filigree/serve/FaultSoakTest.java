package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.simgpu.Finding;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.OnnxModel;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A model on the simulated device that keeps failing: launches that end the context, memory errors,
 * allocations that find no memory, a device that is gone. Every answer is right or says what
 * happened, reloading the model brings it back, and nothing is left behind.
 */
class FaultSoakTest {
  private static final int CALLERS = 6;

  /** A sixth of the other soak's time: each launch is interpreted. */
  private static final long SECONDS = Math.max(5, Long.getLong("filigree.soak.seconds", 60) / 6);

  private static final int WIDTH = 16;

  @TempDir private Path folder;
  private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();
  private ModelServer server;
  private HttpClient client;

  private void count(String what) {
    counts.computeIfAbsent(what, unused -> new LongAdder()).increment();
  }

  /** {@code y = 2 x} as a product, so that it has a kernel of the device. */
  private Path model() {
    float[] twice = new float[WIDTH * WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      twice[i * WIDTH + i] = 2;
    }
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", Integer.toString(WIDTH))
        .output("y", DType.F32, "batch", Integer.toString(WIDTH))
        .initializer("w", Tensor.of(twice, WIDTH, WIDTH))
        .node("MatMul", "y", "x", "w")
        .write(folder.resolve("twice.onnx"));
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void faultsOfTheDeviceAreToldAndOvercome(SimulatedDevice device) throws Exception {
    Path file = model();
    cycle(device, file, 1, false);
    Leaks before = Leaks.now();
    cycle(device, file, SECONDS, false);
    // what a lost context held cannot be freed by the program, only with the context
    device.endContexts();
    device.clear();
    cycle(device, file, Math.max(2, SECONDS / 5), true);
    device.endContexts();
    Leaks after = Leaks.now();
    System.out.println("faults for " + SECONDS + " s: " + new TreeMap<>(counts));
    System.out.println("before: " + before + "; after: " + after);
    for (String kind : List.of("right", "answer 503", "reload", "reload failed")) {
      assertTrue(counts.containsKey(kind), "never: " + kind + "; " + counts);
    }
    assertEquals(List.of(), device.findings().stream().filter(FaultSoakTest::isLeak).toList());
    assertEquals(List.of(), after.threads());
    assertEquals(0, after.mapped());
    assertTrue(after.handles() <= before.handles() + 2, before + " " + after);
    assertTrue(after.nativeKilobytes() <= before.nativeKilobytes() + (16 << 10), after.toString());
  }

  private static boolean isLeak(Finding finding) {
    return finding.kind().contains("leak");
  }

  private void cycle(SimulatedDevice device, Path file, long seconds, boolean onlyMemory)
      throws Exception {
    server =
        new ModelServer(
            ServerOptions.defaults().withAddress("127.0.0.1", 0),
            SessionOptions.defaults().withThreads(1).withDevice(Device.parse("simulated")),
            BatchOptions.defaults().withLengths(List.of()),
            1L << 30);
    client = HttpClient.newBuilder().executor(Executors.newVirtualThreadPerTaskExecutor()).build();
    AtomicBoolean stop = new AtomicBoolean();
    try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      server.load("twice", file);
      server.start();
      List<Future<?>> work = new ArrayList<>();
      for (int caller = 0; caller < CALLERS; caller++) {
        SplittableRandom random = new SplittableRandom(caller);
        work.add(
            callers.submit(
                () -> {
                  while (!stop.get()) {
                    request(random);
                  }
                  return null;
                }));
      }
      long end = System.nanoTime() + seconds * 1_000_000_000L;
      SplittableRandom random = new SplittableRandom(7);
      while (System.nanoTime() < end) {
        fault(device, file, random, onlyMemory);
      }
      stop.set(true);
      for (Future<?> each : work) {
        each.get();
      }
    } finally {
      stop.set(true);
      client.shutdownNow();
      server.close();
    }
  }

  /**
   * A fault, requests that meet it, and a reload; the device may fail in the middle of that too.
   */
  private void fault(SimulatedDevice device, Path file, SplittableRandom random, boolean onlyMemory)
      throws Exception {
    int when = random.nextInt(1, 6);
    device.inject(
        switch (onlyMemory ? 2 : random.nextInt(4)) {
          case 0 -> "launch=" + when;
          case 1 -> "ecc=" + when;
          case 2 -> "alloc=" + when;
          default -> "lost=" + 20 * when;
        });
    Thread.sleep(random.nextInt(5, 60));
    reload(file);
    device.inject("");
    // what met the fault while it was loaded is replaced by one that did not
    assertTrue(reload(file), "a whole device did not take the model: " + counts);
    Thread.sleep(random.nextInt(5, 30));
  }

  private boolean reload(Path file) {
    try {
      server.load("twice", file);
      count("reload");
      return true;
    } catch (DeviceException failed) {
      assertTrue(failed.getMessage().length() > 20, failed.getMessage());
      count("reload failed");
      return false;
    }
  }

  private void request(SplittableRandom random) throws Exception {
    float[] x = new float[WIDTH * random.nextInt(1, 4)];
    StringBuilder data = new StringBuilder();
    for (int i = 0; i < x.length; i++) {
      // exact in f16
      x[i] = random.nextInt(-100, 100) / 4f;
      data.append(i == 0 ? "" : ",").append(x[i]);
    }
    HttpResponse<String> answer =
        client.send(
            HttpRequest.newBuilder(URI.create(server.uri() + "/v2/models/twice/infer"))
                .timeout(Duration.ofSeconds(60))
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":["
                            + x.length / WIDTH
                            + ","
                            + WIDTH
                            + "],\"data\":["
                            + data
                            + "]}]}"))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    JsonNode body = TestServer.JSON.readTree(answer.body());
    if (answer.statusCode() == 200) {
      JsonNode y = body.get("outputs").get(0).get("data");
      for (int i = 0; i < x.length; i++) {
        assertEquals(2 * x[i], (float) y.get(i).asDouble(), answer.body());
      }
      count("right");
      return;
    }
    count("answer " + answer.statusCode());
    assertTrue(List.of(500, 503).contains(answer.statusCode()), answer.body());
    String message = body.get("error").asString();
    assertTrue(message.contains("CUDA_ERROR") || message.contains("device"), message);
  }
}
