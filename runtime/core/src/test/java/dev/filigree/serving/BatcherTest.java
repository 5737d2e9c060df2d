package dev.filigree.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.RejectedException;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.OnnxModel;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class BatcherTest {
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(1);

  @TempDir private Path folder;
  private Model model;
  private Session session;

  @BeforeEach
  void open() {
    model = Model.open(Served.write(folder.resolve("served.onnx"), 1));
    session = model.session(SCALAR);
  }

  @AfterEach
  void close() {
    session.close();
    model.close();
  }

  @Test
  void aLoneRequestGetsItsAnswerPaddedOrNot() {
    try (Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      assertTrue(Served.isAnswer(batcher.run(Served.request(1, 8, 2)), 1, 8, 2, 1));
      assertTrue(Served.isAnswer(batcher.run(Served.request(2, 5, 3)), 2, 5, 3, 1));
      assertTrue(Served.isAnswer(batcher.run(Served.request(1, 600, 4)), 1, 600, 4, 1));
      assertEquals(3, batcher.statistics().batches());
    }
  }

  /** Holds the batcher's leader in a run, so that what is submitted meanwhile waits. */
  private CompletableFuture<Map<String, Tensor>> occupy(Batcher batcher) {
    // a long sequence takes the scalar kernels a while
    return batcher.submit(Served.request(400, 700, 1));
  }

  @Test
  void requestsThatWaitRunTogetherWhateverTheirLength() throws Exception {
    BatchOptions options = BatchOptions.defaults().withLengths(List.of(16));
    try (Batcher batcher = Batcher.over(session, options)) {
      CompletableFuture<Map<String, Tensor>> first = occupy(batcher);
      List<CompletableFuture<Map<String, Tensor>>> waiting = new ArrayList<>();
      for (int i = 1; i <= 8; i++) {
        waiting.add(batcher.submit(Served.request(1, i, i)));
      }
      for (int i = 1; i <= 8; i++) {
        assertTrue(Served.isAnswer(waiting.get(i - 1).get(), 1, i, i, 1), "request " + i);
      }
      first.get();
      BatchStatistics statistics = batcher.statistics();
      assertEquals(9, statistics.requests());
      assertTrue(statistics.batches() < 9, statistics.toString());
    }
  }

  @Test
  void aFullQueueRejectsWithTheReason() throws Exception {
    BatchOptions options = BatchOptions.defaults().withMaxQueue(2);
    try (Batcher batcher = Batcher.over(session, options)) {
      List<CompletableFuture<?>> accepted = new ArrayList<>();
      accepted.add(occupy(batcher));
      RejectedException rejected =
          assertThrows(
              RejectedException.class,
              () -> {
                for (int i = 0; i < 50; i++) {
                  accepted.add(occupy(batcher));
                }
              });
      assertTrue(rejected.getMessage().contains("2 requests"), rejected.getMessage());
      assertEquals(RejectedException.Kind.FULL, rejected.kind());
      assertEquals(1, batcher.statistics().rejected());
      for (CompletableFuture<?> future : accepted) {
        future.get();
      }
    }
  }

  @Test
  void aCancelledRequestIsNotRunAndADeadlineEndsTheWait() throws Exception {
    try (Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      CompletableFuture<Map<String, Tensor>> first = occupy(batcher);
      CompletableFuture<Map<String, Tensor>> cancelled = occupy(batcher);
      assertTrue(cancelled.cancel(false));
      List<CompletableFuture<?>> before = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        before.add(occupy(batcher));
      }
      CompletableFuture<Map<String, Tensor>> late =
          batcher.submit(Served.request(400, 700, 1), Duration.ofNanos(1));
      ExecutionException failed = assertThrows(ExecutionException.class, late::get);
      assertEquals(
          RejectedException.Kind.LATE,
          assertInstanceOf(RejectedException.class, failed.getCause()).kind());
      first.get();
      for (CompletableFuture<?> request : before) {
        request.get();
      }
      assertTrue(Served.isAnswer(batcher.run(Served.request(1, 4, 9)), 1, 4, 9, 1));
      assertTrue(batcher.statistics().abandoned() >= 1, batcher.statistics().toString());
    }
  }

  @Test
  void aQueueIsFullByBytesToo() throws Exception {
    BatchOptions options = BatchOptions.defaults().withMaxQueueBytes(1 << 20);
    try (Batcher batcher = Batcher.over(session, options)) {
      List<CompletableFuture<?>> accepted = new ArrayList<>();
      // each of these is larger than the whole queue, so only one waits at a time
      accepted.add(occupy(batcher));
      RejectedException rejected =
          assertThrows(
              RejectedException.class,
              () -> {
                for (int i = 0; i < 50; i++) {
                  accepted.add(occupy(batcher));
                }
              });
      assertTrue(rejected.getMessage().contains("maxQueueBytes"), rejected.getMessage());
      for (CompletableFuture<?> future : accepted) {
        future.get();
      }
    }
  }

  @Test
  void aDeadlineThatIsKeptLeavesNothingBehind() throws Exception {
    try (Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      WeakReference<Tensor> output =
          new WeakReference<>(
              batcher.submit(Served.request(1, 8, 1), Duration.ofHours(1)).get().get("y"));
      for (int i = 0; output.get() != null; i++) {
        assertTrue(i < 100, "the timer still holds the outputs");
        System.gc();
        Thread.sleep(10);
      }
    }
  }

  @Test
  void theOldestRequestIsInTheNextBatchWhateverItsShape() throws Exception {
    BatchOptions options = BatchOptions.defaults().withMaxBatch(2).withLengths(List.of(8, 16));
    try (Batcher batcher = Batcher.over(session, options)) {
      CompletableFuture<Map<String, Tensor>> first = occupy(batcher);
      List<Integer> done = Collections.synchronizedList(new ArrayList<>());
      List<CompletableFuture<?>> waiting = new ArrayList<>();
      // lengths alternate, so that those of one shape could for ever be put before the other
      int[] lengths = {8, 16, 8, 16, 8, 8, 8, 8};
      for (int i = 0; i < lengths.length; i++) {
        int number = i;
        waiting.add(
            batcher
                .submit(Served.request(1, lengths[i], i + 1))
                .whenComplete((outputs, failed) -> done.add(number)));
      }
      first.get();
      for (CompletableFuture<?> future : waiting) {
        future.get();
      }
      assertEquals(List.of(0, 2, 1, 3, 4, 5, 6, 7), done);
    }
  }

  @Test
  void paddingStaysWithinWhatTheModelTakes() {
    Path file = folder.resolve("positions.onnx");
    new OnnxModel(13)
        .input("x", DType.F32, "batch", "sequence")
        .input("attention_mask", DType.F32, "batch", "sequence")
        .initializer("table", Tensor.of(new float[10], 1, 10))
        .node("Shape", "shape", "x")
        .initializer("one", Tensor.of(new long[] {1}, 1))
        .node("Gather", "length", "shape", "one")
        .initializer("zero", Tensor.of(new long[] {0}, 1))
        .node("Slice", "positions", "table", "zero", "length", "one")
        .node("Add", "sum", "x", "positions")
        .node("Mul", "y", "sum", "attention_mask")
        .output("y", DType.F32, "batch", "sequence")
        .write(file);
    BatchOptions options = BatchOptions.defaults().withLengths(List.of(8, 16));
    try (Model positions = Model.open(file);
        Session limited = positions.session(SCALAR);
        Batcher batcher = Batcher.over(limited, options)) {
      float[] nine = {1, 2, 3, 4, 5, 6, 7, 8, 9};
      float[] mask = {1, 1, 1, 1, 1, 1, 1, 1, 1};
      Map<String, Tensor> outputs =
          batcher.run(Map.of("x", Tensor.of(nine, 1, 9), "attention_mask", Tensor.of(mask, 1, 9)));
      assertArrayEquals(nine, outputs.get("y").toFloats());
    }
  }

  @Test
  void anOutputWhoseLengthIsNotDeclaredIsNotPadded() {
    Path file =
        new OnnxModel(13)
            .input("attention_mask", DType.F32, "batch", "sequence")
            .node("Relu", "y", "attention_mask")
            .output("y", DType.F32, "batch", "something")
            .write(folder.resolve("undeclared.onnx"));
    try (Model undeclared = Model.open(file);
        Session alone = undeclared.session(SCALAR);
        Batcher batcher = Batcher.over(alone, BatchOptions.defaults())) {
      Tensor mask = Tensor.of(new float[] {1, 1, 1}, 1, 3);
      assertEquals(mask.shape(), batcher.run(Map.of("attention_mask", mask)).get("y").shape());
    }
  }

  @Test
  void anOutputThatIsNotOneRowForEachRowIsNoticed() {
    Path file =
        new OnnxModel(13)
            .input("attention_mask", DType.F32, "batch", "4")
            .node("Transpose", "y", "attention_mask")
            .output("y", DType.F32, "rows", "columns")
            .write(folder.resolve("transposed.onnx"));
    try (Model transposed = Model.open(file);
        Session alone = transposed.session(SCALAR);
        Batcher batcher = Batcher.over(alone, BatchOptions.defaults())) {
      CompletableFuture<?> long1 = batcher.submit(masks(100_000));
      CompletableFuture<?> one = batcher.submit(masks(1));
      CompletableFuture<?> two = batcher.submit(masks(2));
      long1.join();
      ExecutionException failed = assertThrows(ExecutionException.class, one::get);
      assertInstanceOf(GraphException.class, failed.getCause());
      assertTrue(failed.getCause().getMessage().contains("'y'"), failed.getMessage());
      assertThrows(ExecutionException.class, two::get);
      assertEquals(2, batcher.statistics().failed());
    }
  }

  private static Map<String, Tensor> masks(int rows) {
    return Map.of("attention_mask", Tensor.of(new float[4 * rows], rows, 4));
  }

  @Test
  void statisticsTellTimesAndSizes() {
    try (Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      batcher.run(Served.request(3, 8, 2));
      batcher.run(Served.request(1, 8, 2));
      BatchStatistics statistics = batcher.statistics();
      assertEquals(2, statistics.batchRows().count());
      assertEquals(2, statistics.batchRows().mean());
      assertEquals(3, statistics.batchRows().percentile(99));
      assertEquals(2, statistics.latencyNanos().count());
      assertTrue(statistics.latencyNanos().percentile(50) >= statistics.waitNanos().percentile(1));
    }
  }

  @Test
  void badRequestsFailAloneAndSayWhy() {
    try (Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      InputException missing =
          assertThrows(
              InputException.class,
              () -> batcher.run(Map.of("x", Tensor.of(new float[3], 1, 1, 3))));
      assertTrue(missing.getMessage().contains("attention_mask"), missing.getMessage());
      Map<String, Tensor> wide = Served.request(1, 2, 1);
      wide.put("x", Tensor.of(new float[8], 1, 2, 4));
      assertThrows(InputException.class, () -> batcher.run(wide));
      Map<String, Tensor> rows = Served.request(1, 2, 1);
      rows.put("x", Tensor.of(new float[12], 2, 2, 3));
      InputException uneven = assertThrows(InputException.class, () -> batcher.run(rows));
      assertTrue(uneven.getMessage().contains("batch"), uneven.getMessage());
      assertThrows(InputException.class, () -> batcher.run(Served.request(0, 2, 1)));
      Map<String, Tensor> more = Served.request(1, 2, 1);
      more.put("z", Tensor.of(new float[1], 1));
      InputException unknown = assertThrows(InputException.class, () -> batcher.run(more));
      assertTrue(unknown.getMessage().contains("named z"), unknown.getMessage());
      assertTrue(Served.isAnswer(batcher.run(Served.request(1, 2, 5)), 1, 2, 5, 1));
    }
  }

  @Test
  void closingFinishesWhatWaitsAndRefusesWhatComes() throws Exception {
    Batcher batcher = Batcher.over(session, BatchOptions.defaults());
    List<CompletableFuture<Map<String, Tensor>>> waiting = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      waiting.add(batcher.submit(Served.request(1, 3, i)));
    }
    batcher.close();
    for (int i = 0; i < 5; i++) {
      assertTrue(waiting.get(i).isDone(), "request " + i + " was finished");
      assertTrue(Served.isAnswer(waiting.get(i).get(), 1, 3, i, 1));
    }
    assertThrows(RejectedException.class, () -> batcher.run(Served.request(1, 1, 1)));
    batcher.close();
  }

  @Test
  void manyVirtualThreadsAllGetTheirOwnAnswers() throws Exception {
    try (Batcher batcher =
            Batcher.over(session, BatchOptions.defaults().withMaxQueue(10_000).withMaxBatch(16));
        ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Boolean>> answers = new ArrayList<>();
      for (int caller = 0; caller < 64; caller++) {
        long seed = caller;
        answers.add(
            callers.submit(
                () -> {
                  SplittableRandom random = new SplittableRandom(seed);
                  for (int i = 0; i < 20; i++) {
                    int rows = random.nextInt(1, 4);
                    int length = random.nextInt(1, 40);
                    int value = random.nextInt(1, 100);
                    Map<String, Tensor> outputs = batcher.run(Served.request(rows, length, value));
                    if (!Served.isAnswer(outputs, rows, length, value, 1)) {
                      return false;
                    }
                  }
                  return true;
                }));
      }
      for (Future<Boolean> answer : answers) {
        assertTrue(answer.get());
      }
      assertEquals(64 * 20, batcher.statistics().requests());
    }
  }

  @Test
  void aModelWithoutABatchAxisIsRefused() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "2", "3")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "2", "3")
            .write(folder.resolve("fixed.onnx"));
    try (Model fixed = Model.open(file);
        Session alone = fixed.session(SCALAR)) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class, () -> Batcher.over(alone, BatchOptions.defaults()));
      assertTrue(refused.getMessage().contains("x: f32[2, 3]"), refused.getMessage());
    }
  }

  @Test
  void optionsAreChecked() {
    assertThrows(InputException.class, () -> BatchOptions.defaults().withMaxBatch(0));
    assertThrows(InputException.class, () -> BatchOptions.defaults().withMaxQueue(0));
    assertThrows(InputException.class, () -> BatchOptions.defaults().withLengths(List.of(8, 8)));
    assertThrows(
        InputException.class, () -> BatchOptions.defaults().withMaxDelay(Duration.ofSeconds(-1)));
    assertFalse(BatchOptions.defaults().lengths().isEmpty());
  }
}
