package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.weights.Weights;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** A report of a device launches every kernel there is. */
@SimulatedGpu
class KernelReportTest {
  /** Proves a device before anything else, and takes no operands worth timing. */
  private static final String SELF_TEST = "self_test";

  @Test
  void everyKernelIsTimed() {
    Set<String> missing = new TreeSet<>(KernelManifest.load().kernels().keySet());
    missing.remove(SELF_TEST);
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), "")) {
      try (OperationBench bench = new OperationBench(device, 128, 128);
          Stream stream = device.context().stream()) {
        for (OperationBench.Case each : bench.cases()) {
          each.launch().into(stream);
          assertTrue(each.bytes() > 0, each.kernel());
          missing.remove(each.kernel());
        }
        stream.synchronize();
      }
      for (int tokens : new int[] {1, 16, 128, 4096}) {
        for (Weights weights : LinearSamples.of(256, 256)) {
          for (LinearOption option :
              device.dispatch().all(new LinearLayer("report", weights, tokens, true))) {
            missing.remove(option.name());
          }
        }
      }
      assertEquals(Set.of(), missing);
    }
  }

  @Test
  void linearLayersAreTimedInEveryFormatBesideCublas() {
    try (KernelReport report = new KernelReport(CudaDriver.open().context(0))) {
      var timings = report.linear(64, 128, 3);
      assertEquals(13, timings.stream().map(KernelReport.Timing::format).distinct().count());
      assertEquals(13, timings.stream().filter(t -> t.kernel().equals("cublas")).count());
      assertTrue(timings.stream().allMatch(timing -> timing.micros() > 0));
    }
  }
}
