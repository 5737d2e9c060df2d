package dev.filigree.cuda.driver;

import java.util.Arrays;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;

/** PTX compiled by the driver for a device. */
public final class CudaModule implements AutoCloseable {
  /** Bytes of the compiler's log that are kept. */
  private static final int LOG_BYTES = 8192;

  private final CudaContext context;
  private final String name;
  private final CUmodule handle = new CUmodule();
  private boolean closed;

  CudaModule(CudaContext context, String name, byte[] ptx) {
    this.context = context;
    this.name = name;
    // the driver reads up to a zero byte
    byte[] terminated = Arrays.copyOf(ptx, ptx.length + 1);
    JITOptions options = new JITOptions();
    options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
    options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
    int[] result = new int[1];
    context.call(
        "compile " + name,
        () -> {
          result[0] =
              Calls.result(
                  () -> JCudaDriver.cuModuleLoadDataJIT(handle, Pointer.to(terminated), options));
          return CUresult.CUDA_SUCCESS;
        });
    if (result[0] != CUresult.CUDA_SUCCESS) {
      throw context.failure(
          "compile " + name,
          result[0],
          options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER).strip());
    }
  }

  /** Name in messages. */
  public String name() {
    return name;
  }

  CudaContext context() {
    return context;
  }

  /**
   * A kernel of the module by the name of its entry.
   *
   * @throws DriverException if there is none
   */
  CUfunction function(String entry) {
    CUfunction function = new CUfunction();
    context.call(
        "find kernel " + entry + " in " + name,
        () -> JCudaDriver.cuModuleGetFunction(function, handle, entry));
    return function;
  }

  /** Unloads it; no kernel of it may be running. May be called again. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.release("unload " + name, () -> JCudaDriver.cuModuleUnload(handle));
    }
  }
}
