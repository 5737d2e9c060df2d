package dev.filigree.simgpu;

import static jcuda.driver.JCudaDriver.cuCtxCreate;
import static jcuda.driver.JCudaDriver.cuCtxDestroy;
import static jcuda.driver.JCudaDriver.cuCtxSynchronize;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemAllocAsync;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleLoadDataJIT;
import static jcuda.driver.JCudaDriver.cuModuleUnload;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUipcMemHandle;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What programs do wrong, and faults on demand: the driver's error through JCuda, a reason, and
 * life goes on.
 */
@SimulatedGpu(failOnFindings = false)
class RefusalsTest {
  private final CUcontext context = new CUcontext();
  private final CUmodule module = new CUmodule();
  private final CUfunction add = new CUfunction();

  @BeforeEach
  void createContext() {
    JCudaDriver.setExceptionsEnabled(false);
    assertEquals(CUresult.CUDA_SUCCESS, cuInit(0));
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    cuCtxCreate(context, 0, device);
    assertEquals(CUresult.CUDA_SUCCESS, cuModuleLoadData(module, Ptx.ADD));
    assertEquals(CUresult.CUDA_SUCCESS, cuModuleGetFunction(add, module, "add"));
  }

  @AfterEach
  void throwAgain() {
    JCudaDriver.setExceptionsEnabled(true);
  }

  private static CUdeviceptr upload(float... values) {
    CUdeviceptr address = new CUdeviceptr();
    assertEquals(CUresult.CUDA_SUCCESS, cuMemAlloc(address, 4L * values.length));
    cuMemcpyHtoD(address, Pointer.to(values), 4L * values.length);
    return address;
  }

  private int launch(int blocks, int threads, int shared, CUdeviceptr a, CUdeviceptr out) {
    Pointer parameters =
        Pointer.to(Pointer.to(out), Pointer.to(a), Pointer.to(a), Pointer.to(new int[] {1}));
    return cuLaunchKernel(add, blocks, 1, 1, threads, 1, 1, shared, null, parameters, null);
  }

  /** 1 + 1 on the device. */
  private void stillWorks() {
    CUdeviceptr one = upload(1);
    CUdeviceptr sum = upload(0);
    assertEquals(CUresult.CUDA_SUCCESS, launch(1, 32, 0, one, sum));
    float[] result = new float[1];
    assertEquals(CUresult.CUDA_SUCCESS, cuMemcpyDtoH(Pointer.to(result), sum, 4));
    assertArrayEquals(new float[] {2}, result);
  }

  private static void assertReason(SimulatedDevice device, String part) {
    List<String> reasons = device.findings().stream().map(Finding::text).toList();
    assertTrue(reasons.stream().anyMatch(text -> text.contains(part)), reasons::toString);
  }

  @Test
  @SimulatedGpu(watchdog = 50_000, failOnFindings = false)
  void anEndlessKernelIsStoppedAndItsBlockAndLineAreNamed(SimulatedDevice device) {
    CUmodule endless = new CUmodule();
    CUfunction spin = new CUfunction();
    assertEquals(CUresult.CUDA_SUCCESS, cuModuleLoadData(endless, Ptx.SPIN));
    assertEquals(CUresult.CUDA_SUCCESS, cuModuleGetFunction(spin, endless, "spin"));
    Pointer third = Pointer.to(Pointer.to(new int[] {2}));
    cuLaunchKernel(spin, 4, 1, 1, 32, 1, 1, 0, null, third, null);
    assertEquals(CUresult.CUDA_ERROR_LAUNCH_TIMEOUT, cuCtxSynchronize());
    Finding timeout = device.findings().getFirst();
    assertEquals("timeout", timeout.kind());
    assertTrue(timeout.text().contains("in kernel spin, ptx line 11 (bra)"), timeout::text);
    assertTrue(timeout.text().contains("block (2,0,0)"), timeout::text);
    assertTrue(timeout.text().contains("The setting watchdog allows more"), timeout::text);
  }

  @Test
  void brokenTextsAreToldInTheLogOfTheCompiler(SimulatedDevice device) {
    byte[] log = new byte[512];
    JITOptions options = new JITOptions();
    options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, log);
    options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, log.length);
    for (String broken :
        List.of(
            Ptx.ADD.replace("add.f32", "ad.f32"),
            Ptx.ADD.replace("[%rd5]", "[%rd5"),
            Ptx.ADD.replace("bra DONE", "bra NOWHERE"),
            Ptx.ADD.replace(".reg .b64 %rd<8>;", ""))) {
      byte[] text = (broken + "\0").getBytes(StandardCharsets.UTF_8);
      assertEquals(
          CUresult.CUDA_ERROR_INVALID_PTX,
          cuModuleLoadDataJIT(new CUmodule(), Pointer.to(text), options));
      String message = new String(log, StandardCharsets.UTF_8);
      assertTrue(message.startsWith("line "), message);
    }
    assertEquals(
        CUresult.CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(new CUfunction(), module, "subtract"));
    assertReason(device, "subtract");
    stillWorks();
  }

  @Test
  void absurdLaunchesAreRefused(SimulatedDevice device) {
    CUdeviceptr one = upload(1);
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, launch(0, 32, 0, one, one));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, launch(1, 0, 0, one, one));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, launch(1, 1025, 0, one, one));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, launch(1, 32, 1 << 20, one, one));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, launch(-1, 32, 0, one, one));
    assertReason(device, "add");
    stillWorks();
  }

  @Test
  void nullForeignAndFreedPointersAreRefused(SimulatedDevice device) {
    float[] host = new float[4];
    CUdeviceptr data = upload(1, 2);
    assertEquals(
        CUresult.CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(Pointer.to(host), new CUdeviceptr(), 4));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(Pointer.to(host), data, 16));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemFree(data.withByteOffset(4)));
    assertEquals(CUresult.CUDA_SUCCESS, cuMemFree(data));
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemFree(data));
    assertReason(device, "was freed");
    assertEquals(CUresult.CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(Pointer.to(host), data, 4));
    assertEquals(CUresult.CUDA_SUCCESS, cuMemFree(new CUdeviceptr()));
    CUmodule unloaded = new CUmodule();
    cuModuleLoadData(unloaded, Ptx.ADD);
    assertEquals(CUresult.CUDA_SUCCESS, cuModuleUnload(unloaded));
    assertEquals(CUresult.CUDA_ERROR_INVALID_HANDLE, cuModuleUnload(unloaded));
    stillWorks();
  }

  @Test
  void aKernelThatReadsFreedMemoryEndsTheContextAndAnotherLives(SimulatedDevice device) {
    CUdeviceptr freed = upload(1);
    CUdeviceptr out = upload(0);
    cuMemFree(freed);
    assertEquals(CUresult.CUDA_SUCCESS, launch(1, 32, 0, freed, out));
    assertEquals(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
    assertEquals(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc(new CUdeviceptr(), 4));
    assertTrue(device.findings().stream().anyMatch(f -> f.kind().equals("use after free")));
    cuCtxDestroy(context);
    createContext();
    stillWorks();
  }

  @Test
  @SimulatedGpu(faults = "launch=2", failOnFindings = false)
  void theSecondLaunchFails() {
    stillWorks();
    CUdeviceptr one = upload(1);
    launch(1, 32, 0, one, one);
    assertEquals(CUresult.CUDA_ERROR_LAUNCH_FAILED, cuCtxSynchronize());
  }

  @Test
  @SimulatedGpu(faults = "ecc=1", failOnFindings = false)
  void theFirstLaunchMeetsAnUncorrectableError() {
    CUdeviceptr one = upload(1);
    launch(1, 32, 0, one, one);
    assertEquals(CUresult.CUDA_ERROR_ECC_UNCORRECTABLE, cuCtxSynchronize());
  }

  @Test
  @SimulatedGpu(faults = "lost=12", failOnFindings = false)
  void theDeviceIsGoneAfterSomeCalls() {
    int result = CUresult.CUDA_SUCCESS;
    for (int i = 0; i < 12 && result == CUresult.CUDA_SUCCESS; i++) {
      result = cuMemAlloc(new CUdeviceptr(), 4);
    }
    assertEquals(CUresult.CUDA_ERROR_UNKNOWN, result);
    assertEquals(CUresult.CUDA_ERROR_NO_DEVICE, cuInit(0));
  }

  @Test
  @SimulatedGpu(faults = "copy=2", failOnFindings = false)
  void theSecondCopyFailsAndTakesItsContextWithIt() {
    CUdeviceptr data = upload(1);
    float[] value = {5};
    assertEquals(
        CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuMemcpyDtoH(Pointer.to(value), data, Float.BYTES));
    assertArrayEquals(new float[] {5}, value);
    assertEquals(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc(new CUdeviceptr(), Float.BYTES));
  }

  @Test
  @SimulatedGpu(faults = "copy-delay=20000", failOnFindings = false)
  void copiesTakeTheirTime() {
    long start = System.nanoTime();
    upload(1);
    assertTrue(System.nanoTime() - start >= 20_000_000);
  }

  @Test
  @SimulatedGpu(model = "a10", failOnFindings = false)
  void anA10HasItsNumbers() {
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    byte[] name = new byte[64];
    cuDeviceGetName(name, name.length, device);
    assertTrue(new String(name, StandardCharsets.UTF_8).contains("A10"));
    int[] value = new int[1];
    int[][] expected = {
      {CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 72},
      {CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 8},
      {CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 6},
      {CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 101376}
    };
    for (int[] each : expected) {
      cuDeviceGetAttribute(value, each[0], device);
      assertEquals(each[1], value[0]);
    }
    stillWorks();
  }

  @Test
  void whatIsNotSimulatedIsNamedOnce(SimulatedDevice device) {
    for (int i = 0; i < 3; i++) {
      assertEquals(
          CUresult.CUDA_ERROR_NOT_SUPPORTED,
          JCudaDriver.cuIpcGetMemHandle(new CUipcMemHandle(), upload(1)));
    }
    assertEquals(
        1, device.findings().stream().filter(f -> f.text().contains("cuIpcGetMemHandle")).count());
    stillWorks();
  }

  @Test
  void memoryAllocatedInACapturedStreamIsMadeByEveryLaunch(SimulatedDevice device) {
    CUdeviceptr result = upload(0, 0);
    CUdeviceptr source = upload(5, 6);
    CUstream stream = new CUstream();
    cuStreamCreate(stream, 0);
    cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL);
    CUdeviceptr buffer = new CUdeviceptr();
    assertEquals(CUresult.CUDA_SUCCESS, cuMemAllocAsync(buffer, 8, stream));
    assertEquals(CUresult.CUDA_SUCCESS, cuMemcpyDtoDAsync(buffer, source, 8, stream));
    assertEquals(CUresult.CUDA_SUCCESS, cuMemcpyDtoDAsync(result, buffer, 8, stream));
    assertEquals(CUresult.CUDA_SUCCESS, cuMemFreeAsync(buffer, stream));
    CUgraph graph = new CUgraph();
    assertEquals(CUresult.CUDA_SUCCESS, cuStreamEndCapture(stream, graph));
    CUgraphExec exec = new CUgraphExec();
    assertEquals(CUresult.CUDA_SUCCESS, JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    float[] values = new float[2];
    for (int i = 0; i < 2; i++) {
      cuMemcpyHtoD(result, Pointer.to(new float[2]), 8);
      assertEquals(CUresult.CUDA_SUCCESS, JCudaDriver.cuGraphLaunch(exec, stream));
      JCudaDriver.cuStreamSynchronize(stream);
      assertEquals(CUresult.CUDA_SUCCESS, cuMemcpyDtoH(Pointer.to(values), result, 8));
      assertArrayEquals(new float[] {5, 6}, values);
    }
    JCudaDriver.cuGraphExecDestroy(exec);
    JCudaDriver.cuGraphDestroy(graph);
    cuStreamDestroy(stream);
    for (CUdeviceptr each : List.of(result, source)) {
      cuMemFree(each);
    }
    cuModuleUnload(module);
    cuCtxDestroy(context);
    assertEquals(List.of(), device.findings());
  }
}
