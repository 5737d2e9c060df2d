package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.LibraryStatus;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The probe where the driver is the simulated one. */
class CudaProbeTest extends KernelTest {
  @Test
  void aDeviceThatComputesRightPassesTheSelfTest() {
    SelfTest.run(context);
  }

  /** Compute capability 12.0: the driver translates the kernels' PTX for what it has. */
  @Test
  @SimulatedGpu(model = "rtx5090")
  void aLaterArchitectureThanTheKernelsPassesTheSelfTest() {
    assertEquals(120, context.properties().architecture());
    SelfTest.run(context);
  }

  @Test
  void theSimulatedGpuIsNoCudaDevice(SimulatedDevice simulated) {
    List<DeviceStatus> devices = CudaProbe.devices();
    assertEquals(1, devices.size());
    assertEquals("cuda:0", devices.getFirst().device().toString());
    assertFalse(devices.getFirst().ready());
    assertTrue(devices.getFirst().fix().contains("simulated"), devices.toString());
    assertEquals(devices, CudaProbe.devices());
  }

  @Test
  void librariesThatAreLoadedAreFoundWithTheirPath(SimulatedDevice simulated) {
    for (LibraryStatus library : CudaProbe.libraries()) {
      assertTrue(library.found(), library.toString());
      assertTrue(library.detail().contains("lib"), library.toString());
    }
  }

  @Test
  @SimulatedGpu(memoryBytes = 64 << 10)
  void theProbeDoesNotThrowWhereThereIsNoMemory() {
    assertEquals(1, CudaProbe.devices().size());
  }
}
