package dev.filigree.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.RejectedException;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ModelHostTest {
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(1);

  @TempDir private Path folder;
  private Path once;
  private Path twice;

  @BeforeEach
  void models() {
    once = Served.write(folder.resolve("once.onnx"), 1);
    twice = Served.write(folder.resolve("twice.onnx"), 2);
  }

  private static ModelHost host() {
    return new ModelHost(SCALAR, BatchOptions.defaults(), 1 << 20);
  }

  private static Map<String, Tensor> warmUp() {
    return Served.request(1, 8, 1);
  }

  @Test
  void modelsAnswerByNameAndStayApart() throws Exception {
    try (ModelHost host = host()) {
      host.load("a", once, model -> List.of(warmUp()));
      host.load("b", twice, model -> List.of());
      assertTrue(Served.isAnswer(host.run("a", Served.request(1, 3, 5)), 1, 3, 5, 1));
      assertTrue(
          Served.isAnswer(
              host.submit("b", Served.request(2, 3, 5), Duration.ofSeconds(30)).get(), 2, 3, 5, 2));
      assertEquals(List.of("a", "b"), host.models().stream().map(ModelHost.Served::name).toList());
      host.unload("a");
      InputException gone =
          assertThrows(InputException.class, () -> host.run("a", Served.request(1, 3, 5)));
      assertTrue(gone.getMessage().contains("[b]"), gone.getMessage());
    }
  }

  @Test
  void aReplacementTakesOverWhileCallersKeepCalling() throws Exception {
    try (ModelHost host = host();
        ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      host.load("m", once, model -> List.of(warmUp()));
      AtomicBoolean go = new AtomicBoolean(true);
      List<Future<int[]>> counts = new ArrayList<>();
      for (int caller = 0; caller < 8; caller++) {
        counts.add(
            callers.submit(
                () -> {
                  int[] seen = new int[3];
                  while (go.get()) {
                    Map<String, Tensor> outputs = host.run("m", Served.request(1, 4, 3));
                    boolean old = Served.isAnswer(outputs, 1, 4, 3, 1);
                    boolean now = Served.isAnswer(outputs, 1, 4, 3, 2);
                    seen[old ? 0 : now ? 1 : 2]++;
                  }
                  return seen;
                }));
      }
      for (int reload = 0; reload < 10; reload++) {
        host.load("m", reload % 2 == 0 ? twice : once, model -> List.of(warmUp()));
      }
      go.set(false);
      int wrong = 0;
      int right = 0;
      for (Future<int[]> count : counts) {
        wrong += count.get()[2];
        right += count.get()[0] + count.get()[1];
      }
      assertEquals(0, wrong, "every answer is that of one version or the other");
      assertTrue(right > 0);
      assertEquals(11, host.models().getFirst().version());
    }
  }

  @Test
  void whatDoesNotFitOrCannotBeOpenedLeavesTheHostAsItWas() {
    try (ModelHost host = new ModelHost(SCALAR, BatchOptions.defaults(), 40)) {
      host.load("a", once, model -> List.of());
      RejectedException full =
          assertThrows(RejectedException.class, () -> host.load("b", twice, model -> List.of()));
      assertTrue(full.getMessage().contains("'b'"), full.getMessage());
      assertThrows(
          FiligreeException.class,
          () -> host.load("a", folder.resolve("none.onnx"), model -> List.of()));
      assertTrue(Served.isAnswer(host.run("a", Served.request(1, 1, 2)), 1, 1, 2, 1));
    }
  }

  @Test
  void aLeaseKeepsItsVersionAndWhatBelongsToIt() throws Exception {
    List<String> closed = Collections.synchronizedList(new ArrayList<>());
    ModelHost.Preparation preparation =
        new ModelHost.Preparation() {
          @Override
          public List<Map<String, Tensor>> warmUp(Model model) {
            return List.of();
          }

          @Override
          public AutoCloseable companion(Model model) {
            return new Companion(model.name(), closed);
          }
        };
    try (ModelHost host = host()) {
      assertEquals(1, host.load("m", once, preparation));
      CompletableFuture<Map<String, Tensor>> last;
      try (ModelLease old = host.lease("m")) {
        assertEquals(2, host.load("m", twice, preparation));
        try (ModelLease now = host.lease("m")) {
          assertEquals(2, now.version());
          assertEquals("twice", now.companion(Companion.class).name());
          assertNull(now.companion(String.class));
        }
        assertEquals(1, old.version());
        assertEquals("once", old.companion(Companion.class).name());
        assertTrue(Served.isAnswer(old.run(Served.request(1, 2, 3)), 1, 2, 3, 1));
        last = old.submit(Served.request(200, 300, 3), Duration.ofMinutes(1));
        assertEquals(List.of(), closed);
      }
      assertTrue(Served.isAnswer(last.get(), 200, 300, 3, 1), "handed over before the lease ended");
    }
    assertEquals(Set.of("once", "twice"), Set.copyOf(closed));
  }

  private record Companion(String name, List<String> closed) implements AutoCloseable {
    @Override
    public void close() {
      closed.add(name);
    }
  }

  @Test
  void versionsThatStillServeCountAsMemory() {
    try (ModelHost host = new ModelHost(SCALAR, BatchOptions.defaults(), 60)) {
      host.load("a", once, model -> List.of());
      try (ModelLease busy = host.lease("a")) {
        host.load("a", twice, model -> List.of());
        RejectedException full =
            assertThrows(RejectedException.class, () -> host.load("a", once, model -> List.of()));
        assertEquals(RejectedException.Kind.MEMORY, full.kind());
        assertTrue(Served.isAnswer(busy.run(Served.request(1, 1, 2)), 1, 1, 2, 1));
      }
      assertTrue(Served.isAnswer(host.run("a", Served.request(1, 1, 2)), 1, 1, 2, 2));
    }
  }

  @Test
  void modelsLoadedAtOnceDoNotTakeMoreThanTheyMay() throws Exception {
    try (ModelHost host = new ModelHost(SCALAR, BatchOptions.defaults(), 60);
        ExecutorService loaders = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> loads = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        String name = "m" + i;
        loads.add(loaders.submit(() -> host.load(name, once, model -> List.of())));
      }
      int refused = 0;
      for (Future<?> load : loads) {
        try {
          load.get();
        } catch (ExecutionException failed) {
          assertInstanceOf(RejectedException.class, failed.getCause());
          refused++;
        }
      }
      // how many of them had their turn while another's failed attempt was not cleared away differs
      assertTrue(host.models().size() <= 2, host.models().toString());
      assertEquals(8, refused + host.models().size());
    }
  }

  @Test
  void aModelWithoutABatchAxisIsServedOneRequestAtATime() {
    Path fixed =
        new OnnxModel(13)
            .input("x", DType.F32, "2", "3")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "2", "3")
            .write(folder.resolve("fixed.onnx"));
    try (ModelHost host = host()) {
      host.load("fixed", fixed, model -> List.of());
      assertFalse(host.models().getFirst().batched());
      Tensor x = Tensor.of(new float[] {-1, 2, -3, 4, -5, 6}, 2, 3);
      assertArrayEquals(
          new float[] {0, 2, 0, 4, 0, 6}, host.run("fixed", Map.of("x", x)).get("y").toFloats());
    }
  }

  @Test
  void aClosedHostRefuses() {
    ModelHost host = host();
    host.load("a", once, model -> List.of());
    host.close();
    assertThrows(RejectedException.class, () -> host.run("a", Served.request(1, 1, 1)));
    assertThrows(RejectedException.class, () -> host.load("a", once, model -> List.of()));
    host.close();
  }
}
