package dev.filigree.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FiligreeException;
import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
      host.load("a", once, model -> warmUp());
      host.load("b", twice, model -> Map.of());
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
      host.load("m", once, model -> warmUp());
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
        host.load("m", reload % 2 == 0 ? twice : once, model -> warmUp());
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
      host.load("a", once, model -> Map.of());
      RejectedException full =
          assertThrows(RejectedException.class, () -> host.load("b", twice, model -> Map.of()));
      assertTrue(full.getMessage().contains("'b'"), full.getMessage());
      assertThrows(
          FiligreeException.class,
          () -> host.load("a", folder.resolve("none.onnx"), model -> Map.of()));
      assertTrue(Served.isAnswer(host.run("a", Served.request(1, 1, 2)), 1, 1, 2, 1));
    }
  }

  @Test
  void aClosedHostRefuses() {
    ModelHost host = host();
    host.load("a", once, model -> Map.of());
    host.close();
    assertThrows(RejectedException.class, () -> host.run("a", Served.request(1, 1, 1)));
    assertThrows(RejectedException.class, () -> host.load("a", once, model -> Map.of()));
    host.close();
  }
}
