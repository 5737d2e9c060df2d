package dev.filigree.simgpu;

import static jcuda.driver.JCudaDriver.cuCtxCreate;
import static jcuda.driver.JCudaDriver.cuCtxDestroy;
import static jcuda.driver.JCudaDriver.cuCtxSynchronize;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchHostFunc;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemAllocHost;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleUnload;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.driver.JCudaDriver.cuTexObjectCreate;
import static jcuda.driver.JCudaDriver.cuTexObjectDestroy;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUDA_RESOURCE_DESC;
import jcuda.driver.CUDA_TEXTURE_DESC;
import jcuda.driver.CUarray_format;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresourcetype;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.CUtexObject;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The driver, called by JCuda as programs call it. */
@SimulatedGpu
class JCudaTest {
  private final CUcontext context = new CUcontext();

  @BeforeEach
  void createContext() {
    JCudaDriver.setExceptionsEnabled(true);
    cuInit(0);
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    cuCtxCreate(context, 0, device);
  }

  private static CUdeviceptr upload(float... values) {
    CUdeviceptr address = new CUdeviceptr();
    cuMemAlloc(address, 4L * values.length);
    cuMemcpyHtoD(address, Pointer.to(values), 4L * values.length);
    return address;
  }

  private static float[] download(CUdeviceptr from, int count) {
    float[] values = new float[count];
    cuMemcpyDtoH(Pointer.to(values), from, 4L * count);
    return values;
  }

  private static void add(
      CUfunction add, CUdeviceptr out, CUdeviceptr a, CUdeviceptr b, int n, CUstream stream) {
    Pointer parameters =
        Pointer.to(Pointer.to(out), Pointer.to(a), Pointer.to(b), Pointer.to(new int[] {n}));
    cuLaunchKernel(add, (n + 31) / 32, 1, 1, 32, 1, 1, 0, stream, parameters, null);
  }

  private static CUfunction load(CUmodule module) {
    cuModuleLoadData(module, Ptx.ADD);
    CUfunction function = new CUfunction();
    cuModuleGetFunction(function, module, "add");
    return function;
  }

  @Test
  void fetchesFromATextureOverLinearMemory() {
    CUdeviceptr texels = upload(3, 1, 4, 1, 5);
    CUDA_RESOURCE_DESC resource = new CUDA_RESOURCE_DESC();
    resource.resType = CUresourcetype.CU_RESOURCE_TYPE_LINEAR;
    resource.linear_devPtr = texels;
    resource.linear_format = CUarray_format.CU_AD_FORMAT_FLOAT;
    resource.linear_numChannels = 1;
    resource.linear_sizeInBytes = 5 * Float.BYTES;
    CUtexObject texture = new CUtexObject();
    cuTexObjectCreate(texture, resource, new CUDA_TEXTURE_DESC(), null);
    CUmodule module = new CUmodule();
    cuModuleLoadData(module, Ptx.FETCH);
    CUfunction fetch = new CUfunction();
    cuModuleGetFunction(fetch, module, "fetch");
    CUdeviceptr out = upload(-1, -1, -1, -1, -1, -1);
    Pointer parameters = Pointer.to(Pointer.to(out), Pointer.to(texture));
    cuLaunchKernel(fetch, 1, 1, 1, 6, 1, 1, 0, null, parameters, null);
    assertArrayEquals(new float[] {3, 1, 4, 1, 5, 0}, download(out, 6)); // nothing beyond the end
    cuTexObjectDestroy(texture);
    cuModuleUnload(module);
    cuMemFree(texels);
    cuMemFree(out);
    cuCtxDestroy(context);
  }

  @Test
  void addsTwoVectorsAndLeavesNothingBehind(SimulatedDevice device) {
    CUmodule module = new CUmodule();
    CUfunction add = load(module);
    CUdeviceptr a = upload(1, 2, 3);
    CUdeviceptr b = upload(10, 20, 30);
    CUdeviceptr out = upload(0, 0, 0);
    add(add, out, a, b, 3, null);
    assertArrayEquals(new float[] {11, 22, 33}, download(out, 3));
    for (CUdeviceptr each : List.of(a, b, out)) {
      cuMemFree(each);
    }
    cuModuleUnload(module);
    cuCtxDestroy(context);
    assertEquals(List.of(), device.findings());
    assertEquals("add", device.launches().getFirst().kernel());
    assertTrue(device.launches().getFirst().warpInstructions().get("total") > 0);
  }

  @Test
  @SimulatedGpu(model = "rtx3090", failOnFindings = false)
  void hasTheAttributesOfTheModelAskedFor() {
    int[] value = new int[1];
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    cuDeviceGetAttribute(
        value, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device);
    assertEquals(82, value[0]);
    cuDeviceGetAttribute(
        value, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
    assertEquals(6, value[0]);
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void tellsAnAccessOutOfBoundsWithItsPlace(SimulatedDevice device) {
    CUfunction add = load(new CUmodule());
    CUdeviceptr small = upload(1, 2, 3);
    add(add, upload(new float[64]), small, upload(new float[64]), 64, null);
    CudaException error = assertThrows(CudaException.class, () -> cuCtxSynchronize());
    assertTrue(error.getMessage().contains("CUDA_ERROR_ILLEGAL_ADDRESS"), error.getMessage());
    Finding finding =
        device.findings().stream().filter(f -> !f.isRefusedCall()).findFirst().orElseThrow();
    assertEquals("add", finding.kernel());
    assertEquals("CUDA_ERROR_ILLEGAL_ADDRESS", finding.status());
    assertEquals(List.of(0, 0, 0), finding.block());
    assertEquals(23, finding.line());
    assertTrue(finding.instruction().startsWith("ld.global.f32"), finding.instruction());
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void reportsWhatAContextLeavesBehind(SimulatedDevice device) {
    upload(1, 2, 3);
    load(new CUmodule());
    cuCtxDestroy(context);
    List<String> leaks =
        device.findings().stream()
            .filter(finding -> finding.kind().equals("leak"))
            .map(Finding::text)
            .toList();
    assertEquals(2, leaks.size(), leaks::toString);
    assertTrue(leaks.getFirst().contains("12 bytes"), leaks::toString);
  }

  @Test
  @SimulatedGpu(faults = "alloc=2", failOnFindings = false)
  void failsTheAllocationAskedFor() {
    upload(1);
    CudaException error = assertThrows(CudaException.class, () -> upload(1));
    assertTrue(error.getMessage().contains("CUDA_ERROR_OUT_OF_MEMORY"), error.getMessage());
    upload(1);
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void refusesABrokenModule() {
    CUmodule module = new CUmodule();
    CudaException error =
        assertThrows(
            CudaException.class,
            () -> cuModuleLoadData(module, Ptx.ADD.replace("add.f32", "ad.f32")));
    assertTrue(error.getMessage().contains("CUDA_ERROR_INVALID_PTX"), error.getMessage());
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void findsAReadBeforeTheStreamWasSynchronised(SimulatedDevice device) {
    CUfunction add = load(new CUmodule());
    CUstream stream = new CUstream();
    cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    CUdeviceptr out = upload(0);
    add(add, out, upload(1), upload(2), 1, stream);
    assertArrayEquals(new float[] {0}, download(out, 1));
    cuStreamSynchronize(stream);
    assertArrayEquals(new float[] {3}, download(out, 1));
    assertTrue(
        device.findings().stream().anyMatch(f -> f.kind().equals("read before synchronised")));
  }

  @Test
  void copiesIntoPinnedMemoryWhenTheStreamIsSynchronised() {
    CUstream stream = new CUstream();
    cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
    CUdeviceptr data = upload(5, 6);
    Pointer pinned = new Pointer();
    cuMemAllocHost(pinned, 8);
    cuMemcpyDtoHAsync(pinned, data, 8, stream);
    cuStreamSynchronize(stream);
    assertEquals(
        6, pinned.getByteBuffer(0, 8).order(ByteOrder.nativeOrder()).asFloatBuffer().get(1));
    cuMemFreeHost(pinned);
    cuMemFree(data);
    cuStreamDestroy(stream);
    cuCtxDestroy(context);
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void launchesACapturedGraphTwice() {
    CUfunction add = load(new CUmodule());
    CUstream stream = new CUstream();
    cuStreamCreate(stream, 0);
    CUdeviceptr sum = upload(0, 0);
    CUdeviceptr one = upload(1, 2);
    cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    add(add, sum, sum, one, 2, stream);
    CUgraph graph = new CUgraph();
    cuStreamEndCapture(stream, graph);
    CUgraphExec exec = new CUgraphExec();
    JCudaDriver.cuGraphInstantiate(exec, graph, 0);
    JCudaDriver.cuGraphLaunch(exec, stream);
    JCudaDriver.cuGraphLaunch(exec, stream);
    assertArrayEquals(new float[] {2, 4}, download(sum, 2));
  }

  @Test
  void callsAHostFunctionInOrder() {
    List<Object> seen = new ArrayList<>();
    cuLaunchHostFunc(new CUstream(), seen::add, "called");
    assertEquals(List.of(), seen);
    cuCtxSynchronize();
    assertEquals(List.of("called"), seen);
    cuCtxDestroy(context);
  }

  @Test
  @SimulatedGpu(failOnFindings = false)
  void answersThatSharingMemoryBetweenProcessesIsNotSupported() {
    CUdeviceptr data = upload(1);
    JCudaDriver.setExceptionsEnabled(false);
    assertEquals(
        CUresult.CUDA_ERROR_NOT_SUPPORTED,
        JCudaDriver.cuIpcGetMemHandle(new jcuda.driver.CUipcMemHandle(), data));
  }
}
