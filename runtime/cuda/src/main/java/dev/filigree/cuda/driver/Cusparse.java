package dev.filigree.cuda.driver;

import java.util.Optional;
import java.util.function.IntSupplier;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUresult;
import jcuda.jcusparse.JCusparse;
import jcuda.jcusparse.cusparseDnMatDescr;
import jcuda.jcusparse.cusparseHandle;
import jcuda.jcusparse.cusparseIndexBase;
import jcuda.jcusparse.cusparseIndexType;
import jcuda.jcusparse.cusparseOperation;
import jcuda.jcusparse.cusparseOrder;
import jcuda.jcusparse.cusparseSpMMAlg;
import jcuda.jcusparse.cusparseSpMatDescr;
import jcuda.jcusparse.cusparseStatus;
import jcuda.runtime.cudaStream_t;

/**
 * cuSPARSE in a context, where the machine has it. Thread-safe: products of several threads are put
 * into their streams one after the other.
 */
public final class Cusparse implements AutoCloseable {
  private static final Pointer ONE = Pointer.to(new float[] {1});
  private static final Pointer ZERO = Pointer.to(new float[] {0});

  /** Gives the same sums each time, which the library's default does not promise. */
  private static final int ALGORITHM = cusparseSpMMAlg.CUSPARSE_SPMM_CSR_ALG2;

  private final CudaContext context;
  private final cusparseHandle handle = new cusparseHandle();
  private boolean closed;

  private Cusparse(CudaContext context) {
    this.context = context;
    call("start cuSPARSE", () -> JCusparse.cusparseCreate(handle));
  }

  /** The library's own number for its version. */
  public synchronized int version() {
    int[] version = new int[1];
    call("ask cuSPARSE for its version", () -> JCusparse.cusparseGetVersion(handle, version));
    return version[0];
  }

  /** The library in a context; empty where the machine lacks it. */
  public static Optional<Cusparse> open(CudaContext context) {
    return JCudaLibrary.CUSPARSE.optional(() -> new Cusparse(context));
  }

  /**
   * A product {@code sums = x w^T} of f16 operands with f32 sums.
   *
   * @param values address of the kept f16 weights of {@code w [rows, columns]}
   * @param columnOf address of their columns, i32
   * @param rowOffsets address of i32 {@code [rows + 1]}
   * @param kept how many
   * @param x address of f16 {@code [tokens, pitchX]}
   * @param sums address of f32 {@code [tokens, pitchSums]}
   */
  public record Product(
      long values,
      long columnOf,
      long rowOffsets,
      long kept,
      int rows,
      int columns,
      int tokens,
      long x,
      int pitchX,
      long sums,
      int pitchSums) {}

  /** The library's view of a product, which must be ended. */
  private final class Descriptors implements AutoCloseable {
    final cusparseSpMatDescr w = new cusparseSpMatDescr();
    final cusparseDnMatDescr x = new cusparseDnMatDescr();
    final cusparseDnMatDescr sums = new cusparseDnMatDescr();
    private int made;

    Descriptors(Product product) {
      try {
        make(
            () ->
                JCusparse.cusparseCreateCsr(
                    w,
                    product.rows,
                    product.columns,
                    product.kept,
                    Calls.device(product.rowOffsets),
                    Calls.device(product.columnOf),
                    Calls.device(product.values),
                    cusparseIndexType.CUSPARSE_INDEX_32I,
                    cusparseIndexType.CUSPARSE_INDEX_32I,
                    cusparseIndexBase.CUSPARSE_INDEX_BASE_ZERO,
                    cudaDataType.CUDA_R_16F));
        // rows of tokens are columns of the transposed matrices
        make(
            () ->
                JCusparse.cusparseCreateDnMat(
                    x,
                    product.columns,
                    product.tokens,
                    product.pitchX,
                    Calls.device(product.x),
                    cudaDataType.CUDA_R_16F,
                    cusparseOrder.CUSPARSE_ORDER_COL));
        make(
            () ->
                JCusparse.cusparseCreateDnMat(
                    sums,
                    product.rows,
                    product.tokens,
                    product.pitchSums,
                    Calls.device(product.sums),
                    cudaDataType.CUDA_R_32F,
                    cusparseOrder.CUSPARSE_ORDER_COL));
      } catch (RuntimeException failed) {
        close();
        throw failed;
      }
    }

    private void make(IntSupplier descriptor) {
      call("describe a sparse product", descriptor);
      made++;
    }

    @Override
    public void close() {
      // a descriptor is memory of the process: ending it fails only if it was never made
      if (made > 0) {
        JCusparse.cusparseDestroySpMat(w.asConst());
      }
      if (made > 1) {
        JCusparse.cusparseDestroyDnMat(x.asConst());
      }
      if (made > 2) {
        JCusparse.cusparseDestroyDnMat(sums.asConst());
      }
    }
  }

  /** Bytes of workspace that a product needs; its x and sums may be any addresses. */
  public synchronized long workspaceBytes(Product product) {
    long[] bytes = new long[1];
    try (Descriptors descriptors = new Descriptors(product)) {
      call(
          "size a sparse product",
          () ->
              JCusparse.cusparseSpMM_bufferSize(
                  handle,
                  cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
                  cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
                  ONE,
                  descriptors.w.asConst(),
                  descriptors.x.asConst(),
                  ZERO,
                  descriptors.sums,
                  cudaDataType.CUDA_R_32F,
                  ALGORITHM,
                  bytes));
    }
    return bytes[0];
  }

  /**
   * Puts a product into a stream.
   *
   * @param workspace address of {@link #workspaceBytes} that nothing else uses meanwhile
   */
  public synchronized void multiply(Stream stream, Product product, long workspace) {
    try (Descriptors descriptors = new Descriptors(product)) {
      call(
          "multiply by cuSPARSE",
          () -> {
            int status = JCusparse.cusparseSetStream(handle, new cudaStream_t(stream.handle()));
            return status != cusparseStatus.CUSPARSE_STATUS_SUCCESS
                ? status
                : JCusparse.cusparseSpMM(
                    handle,
                    cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
                    cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
                    ONE,
                    descriptors.w.asConst(),
                    descriptors.x.asConst(),
                    ZERO,
                    descriptors.sums,
                    cudaDataType.CUDA_R_32F,
                    ALGORITHM,
                    Calls.device(workspace));
          });
    }
  }

  private void call(String operation, IntSupplier call) {
    context.callLibrary(operation, call, cusparseStatus::stringFor);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      context.release(
          "end cuSPARSE",
          () -> {
            // its status is none of the driver's; what fails here ends with the context
            JCusparse.cusparseDestroy(handle);
            return CUresult.CUDA_SUCCESS;
          });
    }
  }
}
