package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.Batcher;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the comparison of serving with and without batches counts is what was answered. */
final class ServingComparisonTest {
  private static final long TENTH = 100_000_000;

  @TempDir private Path folder;

  private Path encoder() {
    return new OnnxModel(13)
        .input("input_ids", DType.I64, "batch", "sequence")
        .input("attention_mask", DType.I64, "batch", "sequence")
        .node("Mul", "y", "input_ids", "attention_mask")
        .output("y", DType.I64, "batch", "sequence")
        .write(folder.resolve("encoder.onnx"));
  }

  @Test
  void everyRequestIsAnsweredAndCounted() throws InterruptedException {
    try (Model model = Model.open(encoder());
        Session session = model.session(ServingComparison.options());
        Batcher batcher = Batcher.over(session, BatchOptions.defaults())) {
      Map<String, Tensor> text = MadeUpTexts.padded(model, new int[] {5}, 5, 3);
      assertEquals(5, text.get("attention_mask").shape().extent(1));
      long[] ids = text.get("input_ids").toLongs();
      assertTrue(Arrays.stream(ids).allMatch(id -> id >= 1000), Arrays.toString(ids));
      assertArrayEquals(ids, batcher.run(text).get("y").toLongs());

      ServingComparison comparison = new ServingComparison(session, batcher, new int[] {3, 9, 17});
      AtomicLong calls = new AtomicLong();
      long start = System.nanoTime();
      double rate =
          comparison.closedLoop(
              request -> {
                batcher.run(request);
                calls.getAndIncrement();
              },
              TENTH);
      double seconds = (System.nanoTime() - start) / 1e9;
      assertTrue(calls.get() >= ServingComparison.CALLERS, calls.toString());
      assertTrue(rate * seconds >= calls.get(), rate + " a second in " + seconds + " s");

      double[] millis = comparison.openLoop(200, TENTH);
      assertTrue(millis.length > 1 && millis.length < 100, millis.length + " of about 20");
      assertTrue(Arrays.stream(millis).allMatch(m -> m > 0 && Double.isFinite(m)));
    }
  }

  @Test
  void whatBatchingAddsToALoneCallIsMeasured() {
    try (Model model = Model.open(encoder())) {
      for (int length : new int[] {16, 13}) {
        ServingComparison.Lone lone = ServingComparison.lone(model, length, 200);
        assertTrue(lone.alone() > 0, lone.toString());
        System.out.printf(
            "a lone call of %d tokens, %s: %.1f us, batching adds %.1f us%n",
            length, length == 16 ? "as it is" : "padded", lone.alone(), lone.added());
      }
    }
  }
}
