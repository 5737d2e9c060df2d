package dev.filigree.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.plan.KernelReport;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What the report of a GPU says of its measurements. */
class GpuCheckTest {
  private static final GpuCheck.Report REPORT =
      new GpuCheck.Report(
          new GpuProperties(
              0, "GPU", 8, 0, 108, 1_410_000, 1_215_000, 5120, 1L << 35, 1 << 25, 166_912, 167_936,
              65_536, 2048, 12_020),
          "abc",
          new TestReports(7, 2, List.of("a.BTest.works: expected 1")),
          List.of(new KernelReport.Copy("on the device", 1234.56)),
          List.of(
              new KernelReport.Timing(
                  "linear_dense_f16_64x8", "dense f32", 64, 32, 8, 4.25, 6.75, 5),
              new KernelReport.Timing("cublas", "dense f32", 64, 32, 8, 8.5, 10, 9),
              new KernelReport.Timing("linear_csr_f16", "unstructured f16", 64, 32, 8, 3, 4, 2)),
          List.of(new KernelReport.OperationTiming("copy_b16", 10, 617.28)),
          List.of(
              new GpuModels.Timing(
                  "2:4-int8", 32, 128, 1234.5, 2345.6, 11_500_000, List.of("a", "b"))));

  @Test
  void theTableHasEveryNumberWithItsUnit() {
    String text = GpuCheck.markdown(REPORT);
    assertTrue(text.contains("Driver for CUDA 12.2, highest clocks 1410 MHz"), text);
    assertTrue(text.contains("7 tests passed on it, 2 need the simulated GPU, 1 failed."), text);
    assertTrue(text.contains("- failed: `a.BTest.works: expected 1`"), text);
    assertTrue(text.contains("| on the device | 1234.6 |"), text);
    assertTrue(
        text.contains(
            "| 64 x 32, 8 | dense f32 | linear_dense_f16_64x8 | 4.3 | 6.8 | 5.0 | 2.00 |"),
        text);
    assertTrue(text.contains("linear_csr_f16 | 3.0 | 4.0 | 2.0 | not installed |"), text);
    assertTrue(text.contains("| 2:4-int8 | 32 x 128 | 1235 | 2346 | 11.5 MB | a, b |"), text);
    assertTrue(text.contains("| copy_b16 | 10.0 | 617.3 | 0.50 |"), text);
  }

  @Test
  void theJsonHasTheSameNumbers() {
    JsonNode document = JsonMapper.builder().build().readTree(GpuCheck.json(REPORT));
    assertEquals(12_020, document.path("gpu").path("driverVersion").asInt());
    assertEquals("abc", document.path("kernelHash").asString());
    assertEquals(7, document.path("tests").path("passed").asInt());
    assertEquals(1, document.path("tests").path("failures").size());
    assertEquals(4.25, document.path("kernels").get(0).path("micros").asDouble());
    assertEquals(2.0, document.path("kernels").get(0).path("timesCublas").asDouble());
    assertTrue(document.path("kernels").get(2).path("timesCublas").isNull());
    assertEquals(6.75, document.path("kernels").get(0).path("streamedMicros").asDouble());
    assertEquals(1234.5, document.path("minilm").get(0).path("micros").asDouble());
    assertEquals("b", document.path("minilm").get(0).path("kernels").get(1).asString());
    assertEquals(0.5, document.path("operations").get(0).path("shareOfCopy").asDouble(), 1e-6);
  }
}
