package dev.filigree.micrometer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.serving.BatchOptions;
import dev.filigree.serving.ModelHost;
import dev.filigree.testing.OnnxModel;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BatcherMetricsTest {
  @TempDir private Path folder;

  private static Map<String, Tensor> rows(int rows) {
    return Map.of("x", Tensor.of(new float[2 * rows], rows, 2));
  }

  @Test
  void metersFollowTheModelThroughItsVersions() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "batch", "2")
            .node("Relu", "y", "x")
            .output("y", DType.F32, "batch", "2")
            .write(folder.resolve("m.onnx"));
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    try (ModelHost host =
        new ModelHost(SessionOptions.defaults(), BatchOptions.defaults(), 1 << 20)) {
      host.load("m", file, model -> List.of());
      BatcherMetrics.of(host, "m").bindTo(registry);
      host.run("m", rows(1));
      host.run("m", rows(3));
      assertThrows(InputException.class, () -> host.run("m", Map.of()));
      assertEquals(2, count(registry, "filigree.requests"));
      assertEquals(2, count(registry, "filigree.batches"));
      assertEquals(0, count(registry, "filigree.failed"));
      assertEquals(2, registry.get("filigree.batch.rows").tag("model", "m").gauge().value());
      var latency = registry.get("filigree.latency").functionTimer();
      assertEquals(2, latency.count());
      double p99 =
          registry
              .get("filigree.latency.percentile")
              .tag("percentile", "99")
              .timeGauge()
              .value(TimeUnit.NANOSECONDS);
      assertTrue(p99 > 0 && p99 <= 1.1 * latency.totalTime(TimeUnit.NANOSECONDS), p99 + "");
      host.load("m", file, model -> List.of());
      host.run("m", rows(1));
      assertEquals(1, registry.get("filigree.latency").functionTimer().count());
    }
    assertEquals(0, registry.get("filigree.waiting").gauge().value());
  }

  private static double count(SimpleMeterRegistry registry, String name) {
    return registry.get(name).functionCounter().count();
  }
}
