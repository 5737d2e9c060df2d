package dev.filigree.simgpu;

import static jcuda.driver.JCudaDriver.cuCtxCreate;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoH;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoD;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** cuBLAS and cuSPARSE, called by JCuda. */
@SimulatedGpu(failOnFindings = false)
class MathLibrariesTest {
  @BeforeEach
  void createContext() {
    JCudaDriver.setExceptionsEnabled(true);
    JCublas2.setExceptionsEnabled(false);
    JCusparse.setExceptionsEnabled(false);
    cuInit(0);
    CUdevice device = new CUdevice();
    cuDeviceGet(device, 0);
    cuCtxCreate(new CUcontext(), 0, device);
  }

  private static CUdeviceptr upload(Pointer values, long bytes) {
    CUdeviceptr address = new CUdeviceptr();
    cuMemAlloc(address, bytes);
    cuMemcpyHtoD(address, values, bytes);
    return address;
  }

  private static CUdeviceptr upload(float... values) {
    return upload(Pointer.to(values), 4L * values.length);
  }

  private static short[] halves(float... values) {
    short[] halves = new short[values.length];
    for (int i = 0; i < values.length; i++) {
      halves[i] = Float.floatToFloat16(values[i]);
    }
    return halves;
  }

  private static float[] download(CUdeviceptr from, int count) {
    float[] values = new float[count];
    cuMemcpyDtoH(Pointer.to(values), from, 4L * count);
    return values;
  }

  @Test
  void multipliesHalfPrecisionMatrices() {
    cublasHandle handle = new cublasHandle();
    assertEquals(cublasStatus.CUBLAS_STATUS_SUCCESS, JCublas2.cublasCreate(handle));
    // column-major: A = [1 3; 2 4], B = [5 7; 6 8]
    CUdeviceptr a = upload(Pointer.to(halves(1, 2, 3, 4)), 8);
    CUdeviceptr b = upload(Pointer.to(halves(5, 6, 7, 8)), 8);
    CUdeviceptr c = upload(100, 100, 100, 100);
    int status = gemm(handle, a, b, c, 2);
    assertEquals(cublasStatus.CUBLAS_STATUS_SUCCESS, status);
    assertArrayEquals(new float[] {23, 34, 31, 46}, download(c, 4));
    assertEquals(cublasStatus.CUBLAS_STATUS_SUCCESS, JCublas2.cublasDestroy(handle));
  }

  private static int gemm(
      cublasHandle handle, CUdeviceptr a, CUdeviceptr b, CUdeviceptr c, int lda) {
    return JCublas2.cublasGemmEx_new(
        handle,
        cublasOperation.CUBLAS_OP_N,
        cublasOperation.CUBLAS_OP_N,
        2,
        2,
        2,
        Pointer.to(new float[] {1}),
        a,
        cudaDataType.CUDA_R_16F,
        lda,
        b,
        cudaDataType.CUDA_R_16F,
        2,
        Pointer.to(new float[] {0}),
        c,
        cudaDataType.CUDA_R_32F,
        2,
        cublasComputeType.CUBLAS_COMPUTE_32F,
        -1);
  }

  @Test
  void refusesWrongLeadingDimensionsAndFreedMatrices(SimulatedDevice device) {
    cublasHandle handle = new cublasHandle();
    JCublas2.cublasCreate(handle);
    CUdeviceptr a = upload(Pointer.to(halves(1, 2, 3, 4)), 8);
    CUdeviceptr c = upload(0, 0, 0, 0);
    assertEquals(cublasStatus.CUBLAS_STATUS_INVALID_VALUE, gemm(handle, a, a, c, 1));
    CUdeviceptr freed = upload(Pointer.to(halves(1, 2, 3, 4)), 8);
    cuMemFree(freed);
    assertEquals(cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED, gemm(handle, freed, a, c, 2));
    assertEquals(cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED, gemm(handle, a, a, a, 2));
    assertTrue(device.findings().get(0).text().contains("lda = 1"));
    assertTrue(device.findings().get(1).text().contains("memory that was freed"));
  }

  @Test
  void multipliesASparseMatrixInCsr() {
    cusparseHandle handle = new cusparseHandle();
    assertEquals(cusparseStatus.CUSPARSE_STATUS_SUCCESS, JCusparse.cusparseCreate(handle));
    // A = [1 0 2; 0 0 3]
    CUdeviceptr offsets = upload(Pointer.to(new int[] {0, 2, 3}), 12);
    CUdeviceptr columns = upload(Pointer.to(new int[] {0, 2, 2}), 12);
    CUdeviceptr values = upload(1, 2, 3);
    CUdeviceptr b = upload(1, 2, 3, 4, 5, 6); // 3 x 2, row-major
    CUdeviceptr c = upload(1, 1, 1, 1);
    cusparseSpMatDescr sparse = new cusparseSpMatDescr();
    JCusparse.cusparseCreateCsr(
        sparse,
        2,
        3,
        3,
        offsets,
        columns,
        values,
        cusparseIndexType.CUSPARSE_INDEX_32I,
        cusparseIndexType.CUSPARSE_INDEX_32I,
        cusparseIndexBase.CUSPARSE_INDEX_BASE_ZERO,
        cudaDataType.CUDA_R_32F);
    cusparseDnMatDescr dense = new cusparseDnMatDescr();
    JCusparse.cusparseCreateDnMat(
        dense, 3, 2, 2, b, cudaDataType.CUDA_R_32F, cusparseOrder.CUSPARSE_ORDER_ROW);
    cusparseDnMatDescr result = new cusparseDnMatDescr();
    JCusparse.cusparseCreateDnMat(
        result, 2, 2, 2, c, cudaDataType.CUDA_R_32F, cusparseOrder.CUSPARSE_ORDER_ROW);
    Pointer alpha = Pointer.to(new float[] {1});
    Pointer beta = Pointer.to(new float[] {10});
    long[] bytes = new long[1];
    JCusparse.cusparseSpMM_bufferSize(
        handle,
        cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
        cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
        alpha,
        sparse.asConst(),
        dense.asConst(),
        beta,
        result,
        cudaDataType.CUDA_R_32F,
        cusparseSpMMAlg.CUSPARSE_SPMM_ALG_DEFAULT,
        bytes);
    assertTrue(bytes[0] > 0);
    CUdeviceptr buffer = new CUdeviceptr();
    cuMemAlloc(buffer, bytes[0]);
    int status =
        JCusparse.cusparseSpMM(
            handle,
            cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
            cusparseOperation.CUSPARSE_OPERATION_NON_TRANSPOSE,
            alpha,
            sparse.asConst(),
            dense.asConst(),
            beta,
            result,
            cudaDataType.CUDA_R_32F,
            cusparseSpMMAlg.CUSPARSE_SPMM_ALG_DEFAULT,
            buffer);
    assertEquals(cusparseStatus.CUSPARSE_STATUS_SUCCESS, status);
    assertArrayEquals(new float[] {21, 24, 25, 28}, download(c, 4));
  }
}
