package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.SessionOptions;
import dev.filigree.serving.BatchOptions;
import dev.filigree.simgpu.Finding;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
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
 * happened, the model comes back by itself and when it is loaded again, and nothing is left behind.
 */
class FaultSoakTest {
  private static final int CALLERS = 6;

  /** A sixth of the other soak's time: each launch is interpreted. */
  private static final long SECONDS = Math.max(5, Long.getLong("filigree.soak.seconds", 60) / 6);

  /** What must have happened; a busy machine is given longer for it. */
  private static final List<String> WANTED =
      List.of("right", "answer 503", "reload", "reload failed", "recovered");

  private static final long PATIENCE_NANOS = 120_000_000_000L;

  @TempDir private Path folder;
  private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();
  private ModelServer server;
  private HttpClient client;
  private int lossesSeen;

  private void count(String what) {
    counts.computeIfAbsent(what, unused -> new LongAdder()).increment();
  }

  @Test
  @SimulatedGpu(checks = false, failOnFindings = false)
  void faultsOfTheDeviceAreToldAndOvercome(SimulatedDevice device) throws Exception {
    Path file = TwiceModel.write(folder.resolve("twice.onnx"));
    cycle(device, file, 1, List.of(), false);
    Leaks before = Leaks.now();
    cycle(device, file, SECONDS, WANTED, false);
    // what a lost context held cannot be freed by the program, only with the context
    device.endContexts();
    device.clear();
    cycle(device, file, Math.max(2, SECONDS / 5), List.of(), true);
    device.endContexts();
    Leaks after = Leaks.now();
    System.out.println("faults for " + SECONDS + " s: " + new TreeMap<>(counts));
    System.out.println("before: " + before + "; after: " + after);
    for (String kind : WANTED) {
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

  private void cycle(
      SimulatedDevice device, Path file, long seconds, List<String> wanted, boolean onlyMemory)
      throws Exception {
    server =
        new ModelServer(
            ServerOptions.defaults().withAddress("127.0.0.1", 0),
            SessionOptions.defaults().withThreads(1).withDevice(Device.parse("simulated")),
            BatchOptions.defaults().withLengths(List.of()),
            1L << 30);
    client = HttpClient.newBuilder().executor(Executors.newVirtualThreadPerTaskExecutor()).build();
    lossesSeen = 0;
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
      while (System.nanoTime() < end
          || !counts.keySet().containsAll(wanted) && System.nanoTime() < end + PATIENCE_NANOS) {
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
    // now the load meets the fault, now the requests
    Thread.sleep(random.nextInt(0, 60));
    if (random.nextBoolean()) {
      reload(file);
      device.inject("");
    } else {
      device.inject("");
      awaitRecovery();
    }
    // what met the fault while it was loaded, or went to the CPU, is replaced by one that did not
    assertTrue(reload(file), "a whole device did not take the model: " + counts);
    Thread.sleep(random.nextInt(5, 30));
  }

  /** The server brings the model back by itself. */
  private void awaitRecovery() throws InterruptedException {
    long end = System.nanoTime() + 20_000_000_000L;
    while (!server.host().models().getFirst().ready()) {
      assertTrue(System.nanoTime() < end, "the model did not come back: " + counts);
      Thread.sleep(5);
    }
    if (server.host().models().getFirst().losses() > lossesSeen) {
      lossesSeen = server.host().models().getFirst().losses();
      count("recovered");
    }
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
    float[] x = TwiceModel.rows(random);
    HttpResponse<String> answer =
        client.send(
            HttpRequest.newBuilder(URI.create(server.uri() + "/v2/models/twice/infer"))
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofString(TwiceModel.body(x)))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    JsonNode body = TestServer.JSON.readTree(answer.body());
    if (answer.statusCode() == 200) {
      TwiceModel.check(x, body);
      count("right");
      return;
    }
    count("answer " + answer.statusCode());
    assertTrue(List.of(500, 503).contains(answer.statusCode()), answer.body());
    String message = body.get("error").asString();
    assertTrue(message.contains("CUDA_ERROR") || message.contains("device"), message);
  }
}
