package dev.filigree.cuda.driver;

import java.util.Optional;
import java.util.function.IntSupplier;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUresult;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/**
 * cuBLAS in a context, where the machine has it. Thread-safe: products of several threads are put
 * into their streams one after the other.
 */
public final class Cublas implements AutoCloseable {
  /**
   * Bytes of workspace that the library's reference recommends before compute capability 9.0. Each
   * product brings its own, because graphs that run at the same time must not share one.
   */
  public static final long WORKSPACE_BYTES = 4 << 20;

  private static final Pointer ONE = Pointer.to(new float[] {1});
  private static final Pointer ZERO = Pointer.to(new float[] {0});

  private final CudaContext context;
  private final cublasHandle handle = new cublasHandle();
  private boolean closed;

  private Cublas(CudaContext context) {
    this.context = context;
    call("start cuBLAS", () -> JCublas2.cublasCreate(handle));
  }

  /** The library's own number for its version. */
  public synchronized int version() {
    int[] version = new int[1];
    call("ask cuBLAS for its version", () -> JCublas2.cublasGetVersion(handle, version));
    return version[0];
  }

  /** The library in a context; empty where the machine lacks it. */
  public static Optional<Cublas> open(CudaContext context) {
    return JCudaLibrary.CUBLAS.optional(() -> new Cublas(context));
  }

  /**
   * A dense matrix on the device.
   *
   * @param address of f16 rows
   * @param rows number of rows
   * @param pitch elements from one row to the next
   */
  public record Matrix(long address, int rows, int pitch) {}

  /**
   * Puts {@code sums = x w^T} into a stream: f16 operands, f32 sums.
   *
   * @param w {@code [rows, columns]}
   * @param x {@code [tokens, columns]}
   * @param sums address of f32 {@code [tokens, pitchSums]}
   * @param workspace address of {@link #WORKSPACE_BYTES} that nothing else uses meanwhile
   */
  public synchronized void multiply(
      Stream stream, Matrix w, Matrix x, int columns, long sums, int pitchSums, long workspace) {
    call(
        "multiply by cuBLAS",
        () -> {
          int status = JCublas2.cublasSetStream(handle, new cudaStream_t(stream.handle()));
          if (status == cublasStatus.CUBLAS_STATUS_SUCCESS) {
            // choosing a stream has put the library's own workspace back
            status = JCublas2.cublasSetWorkspace(handle, Calls.device(workspace), WORKSPACE_BYTES);
          }
          if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            return status;
          }
          // row-major matrices are the library's column-major ones, transposed
          return JCublas2.cublasGemmEx_new(
              handle,
              cublasOperation.CUBLAS_OP_T,
              cublasOperation.CUBLAS_OP_N,
              w.rows(),
              x.rows(),
              columns,
              ONE,
              Calls.device(w.address()),
              cudaDataType.CUDA_R_16F,
              w.pitch(),
              Calls.device(x.address()),
              cudaDataType.CUDA_R_16F,
              x.pitch(),
              ZERO,
              Calls.device(sums),
              cudaDataType.CUDA_R_32F,
              pitchSums,
              cublasComputeType.CUBLAS_COMPUTE_32F,
              cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
        });
  }

  private void call(String operation, IntSupplier call) {
    context.callLibrary(operation, call, cublasStatus::stringFor);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      context.release(
          "end cuBLAS",
          () -> {
            // its status is none of the driver's; what fails here ends with the context
            JCublas2.cublasDestroy(handle);
            return CUresult.CUDA_SUCCESS;
          });
    }
  }
}
