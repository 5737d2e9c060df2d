package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** 2:4 metadata are checked by the device where they lie. */
@SimulatedGpu
class MetadataCheckTest {
  private static final WeightsForm SPARSE =
      new WeightsForm(WeightsForm.Structure.SPARSE24, WeightsForm.Values.F16);

  private static Weights sparse(int rows, int columns) {
    return Sparse24.pack(
        Dense.of(rows, columns, new Samples(1).normal(rows * columns)),
        Mask.of(rows, columns, (row, column) -> (row + column) % 4 < 2),
        (kept, r, count) -> FloatValues.of(DType.F16, kept));
  }

  @Test
  void legalMetadataAreLoadedAndLookedAtByTheDevice(SimulatedDevice simulated) {
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), "");
        DeviceWeights weights =
            new LinearLayout.Fragments(SPARSE, ActivationType.F16)
                .load(device, "layer", sparse(70, 100))) {
      assertTrue(weights.has("meta"));
      assertEquals(
          1,
          simulated.launches().stream()
              .filter(launch -> launch.kernel().equals("check24"))
              .count());
    }
  }

  /**
   * Every illegal nibble there is, the last one of all included, in front of which all are legal.
   */
  @Test
  void aNibbleThatNamesNoTwoOfFourIsRefusedByTheNameOfItsLayer() {
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), "");
        Arena arena = Arena.ofShared()) {
      PackedWeights packed =
          PackedWeights.pack("layer", sparse(70, 100), SPARSE, ActivationType.F16, arena);
      long bytes = packed.metadata().byteSize();
      for (int nibble : new int[] {0, 1, 2, 3, 5, 6, 7, 10, 11, 15}) {
        MemorySegment damaged = arena.allocate(bytes, 16).copyFrom(packed.metadata());
        byte last = damaged.get(DType.BYTE, bytes - 1);
        damaged.set(DType.BYTE, bytes - 1, (byte) (last & 0xf | nibble << 4));
        try (DeviceMemory memory = device.context().allocate(bytes)) {
          memory.upload(damaged, 0);
          DeviceException refused =
              assertThrows(
                  DeviceException.class,
                  () -> MetadataCheck.check(device, "encoder.3", memory.address(), bytes));
          assertEquals(DeviceException.Kind.OPERATION, refused.kind());
          assertTrue(
              refused
                  .getMessage()
                  .contains(
                      "layer encoder.3 are not legal on the device: nibble " + (2 * bytes - 1)),
              refused.getMessage());
        }
      }
    }
  }
}
