package dev.filigree.simgpu;

import static jcuda.driver.JCudaDriver.cuCtxCreate;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Signatures, checked parameters, counters and projections, as a test of GPU code uses them. */
@SimulatedGpu(failOnFindings = false)
class KernelParametersTest {
  private final CUfunction add = new CUfunction();

  @BeforeEach
  void loadKernel() {
    JCudaDriver.setExceptionsEnabled(true);
    cuInit(0);
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    cuCtxCreate(new CUcontext(), 0, device);
    CUmodule module = new CUmodule();
    cuModuleLoadData(module, Ptx.ADD);
    cuModuleGetFunction(add, module, "add");
  }

  private static CUdeviceptr upload(float... values) {
    CUdeviceptr address = new CUdeviceptr();
    cuMemAlloc(address, 4L * values.length);
    cuMemcpyHtoD(address, Pointer.to(values), 4L * values.length);
    return address;
  }

  private void launch(SimulatedDevice device, CUdeviceptr out, CUdeviceptr in, CUstream stream) {
    Pointer parameters = KernelParameters.of(device.signature("add"), out, in, in, 3);
    cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, stream, parameters, null);
  }

  @Test
  void signaturesTellWhatTheEntryDeclares(SimulatedDevice device) {
    KernelSignature signature = device.signature("add");
    assertEquals(28, signature.bytes());
    assertEquals(4, signature.parameters().size());
    assertEquals(24, signature.parameters().get(3).offset());
    assertEquals(4, signature.parameters().get(3).size());
    assertEquals(
        "no loaded module has a kernel 'subtract'",
        assertThrows(IllegalArgumentException.class, () -> device.signature("subtract"))
            .getMessage());
  }

  @Test
  void argumentsThatFitReachTheKernel(SimulatedDevice device) {
    CUdeviceptr out = upload(0, 0, 0);
    launch(device, out, upload(1, 2, 3), null);
    float[] sums = new float[3];
    cuMemcpyDtoH(Pointer.to(sums), out, 12);
    assertArrayEquals(new float[] {2, 4, 6}, sums);
  }

  @Test
  void argumentsOfTheWrongNumberOrSizeAreNamed(SimulatedDevice device) {
    KernelSignature signature = device.signature("add");
    CUdeviceptr data = upload(1, 2, 3);
    String count =
        assertThrows(
                IllegalArgumentException.class, () -> KernelParameters.of(signature, data, data, 3))
            .getMessage();
    assertTrue(count.endsWith("takes 4 arguments, not 3"), count);
    String size =
        assertThrows(
                IllegalArgumentException.class,
                () -> KernelParameters.of(signature, data, data, data, 3L))
            .getMessage();
    assertTrue(size.startsWith("argument 3 of kernel add("), size);
    assertTrue(size.endsWith("has 4 bytes; the Long given has 8"), size);
    assertThrows(
        IllegalArgumentException.class, () -> signature.check(data, data, data, new int[] {3}));
    assertThrows(
        IllegalArgumentException.class, () -> signature.check(data, data, data, new byte[3]));
    assertThrows(IllegalArgumentException.class, () -> signature.check(data, data, data, null));
  }

  @Test
  @SimulatedGpu(traffic = true, failOnFindings = false)
  void trafficAndProjectionsAreThere(SimulatedDevice device) {
    CUdeviceptr out = upload(0, 0, 0);
    launch(device, out, upload(1, 2, 3), null);
    cuMemcpyDtoH(Pointer.to(new float[3]), out, 12);
    Launch launch = device.launches().getFirst();
    // one warp reads twice and writes once, each time within one sector
    assertEquals(3, launch.counters().get("globalRequests"));
    assertEquals(1.0, launch.sectorsPerRequest());
    assertTrue(Double.isNaN(launch.wavefrontsPerRequest()));
    List<Projection> projections = device.projections();
    assertEquals(
        List.of("A100", "A10", "RTX 3090"), projections.stream().map(Projection::device).toList());
    for (Projection projection : projections) {
      assertEquals("add", projection.kernel());
      assertTrue(projection.seconds() > 0);
      assertTrue(projection.secondsByResource().containsKey(projection.limit()));
    }
    assertTrue(device.projection().contains("\"kind\": \"projection\""));
    assertTrue(device.projectionTable().contains("projected, not measured"));
    assertTrue(device.projectionTable().contains("RTX 3090"));
  }

  @Test
  @SimulatedGpu(projectedTimes = true, failOnFindings = false)
  void eventTimesCanBeProjected(SimulatedDevice device) {
    CUdeviceptr out = upload(0, 0, 0);
    CUdeviceptr in = upload(1, 2, 3);
    CUstream stream = new CUstream();
    cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    CUevent start = new CUevent();
    CUevent end = new CUevent();
    cuEventCreate(start, 0);
    cuEventCreate(end, 0);
    cuEventRecord(start, stream);
    launch(device, out, in, stream);
    cuEventRecord(end, stream);
    cuStreamSynchronize(stream);
    float[] milliseconds = new float[1];
    cuEventElapsedTime(milliseconds, start, end);
    assertEquals(device.projections().getFirst().seconds() * 1e3, milliseconds[0], 1e-6);
  }

  @Test
  void streamsThatNothingOrdersAreFound(SimulatedDevice device) {
    CUdeviceptr first = upload(1, 2, 3);
    CUdeviceptr second = upload(0, 0, 0);
    CUdeviceptr third = upload(0, 0, 0);
    CUstream[] streams = {new CUstream(), new CUstream()};
    for (CUstream stream : streams) {
      cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    }
    launch(device, second, first, streams[0]);
    launch(device, third, second, streams[1]);
    cuStreamSynchronize(streams[0]);
    cuStreamSynchronize(streams[1]);
    assertTrue(
        device.findings().stream().anyMatch(finding -> finding.kind().equals("unordered streams")));
  }
}
