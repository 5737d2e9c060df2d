package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.DecoderOptions;
import dev.filigree.DeviceException;
import dev.filigree.Model;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DriverException;
import dev.filigree.cuda.plan.DeviceDecoder;
import dev.filigree.format.checkpoint.CachedDecoder;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.spi.SequenceRunner;
import dev.filigree.testing.TinyDecoder;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Decoders whose device fails: typed errors, nothing left behind, and on they go. */
class DecoderFaultTest {
  private static final int END = 1000;

  private static final long[] TOKENS = {3, 9, 27};

  @TempDir private Path folder;

  @BeforeEach
  void requireSimulation() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
  }

  private static SequenceRunner open(Model model) {
    return new DeviceDecoder(
        CachedDecoder.of(model), DecoderOptions.defaults(), CudaDriver.open().context(0));
  }

  private static float[] read(SequenceRunner runner, SequenceRunner.Sequence sequence) {
    float[] scores = new float[TinyDecoder.WORDS];
    runner.run(sequence, TOKENS, scores);
    return scores;
  }

  private static float[] healthy(Model model) {
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT);
        SequenceRunner runner = open(model);
        SequenceRunner.Sequence sequence = runner.sequence()) {
      return read(runner, sequence);
    }
  }

  @Test
  void everyAllocationThatFailsLeavesTheSequenceAsItWas() {
    try (Model model = Model.open(TinyDecoder.write(folder.resolve("tiny"), 1, false, ""))) {
      float[] expected = healthy(model);
      int failures = 0;
      boolean failed = true;
      for (int n = 1; n < END && failed; n++) {
        failed = false;
        DeviceSettings settings = DeviceSettings.DEFAULT.withFaults("alloc=" + n);
        try (SimulatedDevice device = SimulatedDevice.open(settings)) {
          try (SequenceRunner runner = open(model);
              SequenceRunner.Sequence sequence = runner.sequence()) {
            try {
              read(runner, sequence);
              sequence.truncate(0);
            } catch (DriverException full) {
              failed = true;
              failures++;
              assertEquals(DeviceException.Kind.MEMORY, full.kind(), "allocation " + n);
              assertTrue(full.operation().startsWith("allocate "), full.toString());
              assertEquals(0, sequence.length());
            }
            assertArrayEquals(expected, read(runner, sequence), "after allocation " + n);
          }
          assertEquals(
              List.of(),
              device.findings().stream().filter(each -> each.kind().equals("leak")).toList());
        }
      }
      assertTrue(failures >= 4, failures + " allocations failed");
    }
  }

  @Test
  void aLaunchOrCopyThatFailsIsReportedAndASuccessorGoesOn() {
    try (Model model = Model.open(TinyDecoder.write(folder.resolve("tiny"), 2, false, ""))) {
      float[] expected = healthy(model);
      for (String fault :
          List.of("launch=1", "launch=5", "launch=12", "copy=1", "copy=5", "copy=12")) {
        DeviceSettings settings = DeviceSettings.DEFAULT.withFaults(fault);
        try (SimulatedDevice _ = SimulatedDevice.open(settings)) {
          DriverException failure = null;
          try (SequenceRunner runner = open(model);
              SequenceRunner.Sequence sequence = runner.sequence()) {
            read(runner, sequence);
          } catch (DriverException failed) {
            failure = failed;
          }
          assertEquals(DeviceException.Kind.LOST, failure.kind(), fault);
          try (SequenceRunner successor = open(model);
              SequenceRunner.Sequence sequence = successor.sequence()) {
            assertArrayEquals(expected, read(successor, sequence));
          }
        }
      }
    }
  }
}
