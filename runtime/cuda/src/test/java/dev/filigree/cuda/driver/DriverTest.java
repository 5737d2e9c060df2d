package dev.filigree.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DeviceException;
import dev.filigree.cuda.KernelTest;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;

/** The driver wrappers on the simulated device. */
class DriverTest extends KernelTest {
  /** A 2:4 product whose operands are all ones and whose metadata keep the first two of four. */
  private float[] selfTest() {
    int[] ones = new int[32 * 4];
    Arrays.fill(ones, 0x3c003c00);
    int[] metadata = new int[32];
    Arrays.fill(metadata, 0x44444444);
    int[] columns = new int[8 * 16];
    Arrays.fill(columns, 0x3c003c00);
    DeviceMemory y = allocate(16 * 8 * 4);
    Kernel kernel = kernel("self_test");
    Arguments arguments =
        kernel
            .arguments()
            .pointer("w", upload(ones))
            .pointer("meta", upload(metadata))
            .pointer("x", upload(columns))
            .pointer("y", y);
    kernel.launch(stream, 1, arguments);
    stream.synchronize();
    return downloadFloats(y, 16 * 8);
  }

  @Test
  void runsAKernelOfTheManifest() {
    float[] expected = new float[16 * 8];
    Arrays.fill(expected, 16);
    assertArrayEquals(expected, selfTest());
  }

  @Test
  void runsWhereTheProgramHasToldJCudaToThrowExceptions() {
    JCudaDriver.setExceptionsEnabled(true);
    try {
      assertEquals(16, selfTest()[0]);
      DriverException error =
          assertThrows(DriverException.class, () -> context.allocate(Long.MAX_VALUE / 2));
      assertEquals("CUDA_ERROR_OUT_OF_MEMORY", error.status());
    } finally {
      JCudaDriver.setExceptionsEnabled(false);
    }
  }

  @Test
  void refusesParametersAKernelDoesNotHave() {
    Kernel kernel = kernel("self_test");
    Arguments arguments = kernel.arguments().pointer("w", 0);
    assertEquals(
        "kernel self_test has no parameter z; it has [w, meta, x, y]",
        assertThrows(IllegalArgumentException.class, () -> arguments.pointer("z", 0)).getMessage());
    assertEquals(
        "parameter x of kernel self_test is a pointer, not a i32",
        assertThrows(IllegalArgumentException.class, () -> arguments.i32("x", 1)).getMessage());
    assertEquals(
        "parameter meta of kernel self_test was left out",
        assertThrows(IllegalArgumentException.class, () -> kernel.launch(stream, 1, arguments))
            .getMessage());
  }

  @Test
  void copiesHeapAndNativeMemoryOfAnySize() {
    byte[] values = new byte[(9 << 20) + 13];
    for (int i = 0; i < values.length; i++) {
      values[i] = (byte) (i * 31 >> 3);
    }
    DeviceMemory memory = upload(values);
    assertArrayEquals(values, downloadBytes(memory, values.length));
    memory.fill(5, 7, (byte) 3);
    assertArrayEquals(
        new byte[] {values[4], 3, 3}, Arrays.copyOfRange(downloadBytes(memory, 7), 4, 7));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> memory.upload(MemorySegment.ofArray(new byte[2]), values.length - 1));
  }

  @Test
  void copiesInAStreamThroughPinnedMemory() {
    try (PinnedMemory in = context.allocatePinned(16);
        PinnedMemory out = context.allocatePinned(16);
        Event start = context.event();
        Event end = context.event()) {
      DeviceMemory memory = allocate(16);
      in.segment().set(ValueLayout.JAVA_INT, 4, 77);
      start.record(stream);
      stream.upload(in.segment(), memory.address());
      stream.download(memory.address(), out.segment());
      end.record(stream);
      stream.synchronize();
      assertEquals(77, out.segment().get(ValueLayout.JAVA_INT, 4));
      assertTrue(end.microsSince(start) >= 0);
    }
  }

  @Test
  void replaysWhatAStreamCaptured() {
    DeviceMemory memory = allocate(4);
    memory.fill(0, 4, (byte) 0);
    try (CudaGraph graph = stream.capture(() -> stream.fill(memory.address(), 4, (byte) 1))) {
      assertEquals(0, downloadInts(memory, 1)[0]);
      for (int i = 0; i < 2; i++) {
        memory.fill(0, 4, (byte) 0);
        graph.launch(stream);
        stream.synchronize();
        assertEquals(0x01010101, downloadInts(memory, 1)[0]);
      }
    }
  }

  @Test
  void aCaptureThatFailsLeavesTheStreamUsable() {
    IllegalStateException thrown = new IllegalStateException("while capturing");
    assertEquals(
        thrown,
        assertThrows(
            IllegalStateException.class,
            () ->
                stream.capture(
                    () -> {
                      throw thrown;
                    })));
    assertEquals(0, thrown.getSuppressed().length);
    assertEquals(16, selfTest()[0]);
  }

  @Test
  void saysWhatTheCompilerSaysOfBrokenPtx() {
    byte[] broken =
        ".version 7.1\n.target sm_80\n.address_size 64\n.visible .entry k() { nonsense.f32 %f1; }"
            .getBytes(StandardCharsets.US_ASCII);
    DriverException error =
        assertThrows(DriverException.class, () -> context.load("broken.ptx", broken));
    assertEquals("compile broken.ptx", error.operation());
    assertEquals("CUDA_ERROR_INVALID_PTX", error.status());
    assertTrue(error.getMessage().contains("line 4"), error.getMessage());
    assertFalse(context.isLost());
  }

  @Test
  void leavesTheContextOfTheCallingThreadAsItWas() {
    jcuda.driver.CUcontext before = new jcuda.driver.CUcontext();
    JCudaDriver.cuCtxGetCurrent(before);
    selfTest();
    jcuda.driver.CUcontext after = new jcuda.driver.CUcontext();
    JCudaDriver.cuCtxGetCurrent(after);
    assertEquals(before, after);
  }

  @Test
  @SimulatedGpu(memoryBytes = 1 << 20)
  void saysWhatDidNotFitIntoTheMemory() {
    DriverException error = assertThrows(DriverException.class, () -> context.allocate(2 << 20));
    assertEquals(DeviceException.Kind.MEMORY, error.kind());
    assertEquals("allocate 2097152 bytes on the device", error.operation());
    assertTrue(error.getMessage().contains("use smaller batches"), error.getMessage());
    assertEquals(16, selfTest()[0]);
  }

  @Test
  @SimulatedGpu(faults = "launch=1", failOnFindings = false)
  void aFailedLaunchEndsItsContextAndNoOther(SimulatedDevice device) {
    try (CudaContext other = CudaDriver.open().context(0);
        DeviceMemory others = other.allocate(4)) {
      DriverException error = assertThrows(DriverException.class, this::selfTest);
      assertEquals(DeviceException.Kind.LOST, error.kind());
      assertEquals("CUDA_ERROR_LAUNCH_FAILED", error.status());
      assertTrue(context.isLost());
      others.fill(0, 4, (byte) 1);
      assertArrayEquals(new int[] {0x01010101}, downloadInts(others, 1));
      assertFalse(other.isLost());
    }
  }

  @Test
  void closingTwiceFreesOnce(SimulatedDevice device) {
    DeviceMemory memory = context.allocate(16);
    memory.close();
    memory.close();
    assertEquals(List.of(), device.findings());
  }
}
