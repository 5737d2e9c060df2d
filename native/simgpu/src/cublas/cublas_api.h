// The cuBLAS functions that are simulated. Everything else in symbols.txt answers CUBLAS_STATUS_NOT_SUPPORTED.
#pragma once

#include <cstddef>
#include <cstdint>

enum cublasStatus : int {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_ARCH_MISMATCH = 8,
  CUBLAS_STATUS_MAPPING_ERROR = 11,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_INTERNAL_ERROR = 14,
  CUBLAS_STATUS_NOT_SUPPORTED = 15,
  CUBLAS_STATUS_LICENSE_ERROR = 16,
};

enum cublasOperation : int { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2 };

using cublasHandle = struct cublasContext*;

/** The arguments all products have, as (type, name) pairs of 32-bit and 64-bit forms. */
#define SIMGPU_GEMM_EX(Int)                                                                                            \
  cublasHandle handle, cublasOperation opA, cublasOperation opB, Int m, Int n, Int k, const void *alpha,               \
      const void *a, int typeA, Int lda, const void *b, int typeB, Int ldb, const void *beta, void *c, int typeC,      \
      Int ldc, int compute, int algorithm
#define SIMGPU_GEMM_STRIDED_EX(Int)                                                                                    \
  cublasHandle handle, cublasOperation opA, cublasOperation opB, Int m, Int n, Int k, const void *alpha,               \
      const void *a, int typeA, Int lda, long long strideA, const void *b, int typeB, Int ldb, long long strideB,      \
      const void *beta, void *c, int typeC, Int ldc, long long strideC, Int batch, int compute, int algorithm
#define SIMGPU_GEMM_BATCHED_EX(Int)                                                                                    \
  cublasHandle handle, cublasOperation opA, cublasOperation opB, Int m, Int n, Int k, const void *alpha,               \
      const void *const *a, int typeA, Int lda, const void *const *b, int typeB, Int ldb, const void *beta,            \
      void *const *c, int typeC, Int ldc, Int batch, int compute, int algorithm
#define SIMGPU_GEMM(Int, Element)                                                                                      \
  cublasHandle handle, cublasOperation opA, cublasOperation opB, Int m, Int n, Int k, const Element *alpha,            \
      const Element *a, Int lda, const Element *b, Int ldb, const Element *beta, Element *c, Int ldc
#define SIMGPU_GEMM_STRIDED(Int, Element)                                                                              \
  cublasHandle handle, cublasOperation opA, cublasOperation opB, Int m, Int n, Int k, const Element *alpha,            \
      const Element *a, Int lda, long long strideA, const Element *b, Int ldb, long long strideB, const Element *beta, \
      Element *c, Int ldc, long long strideC, Int batch

extern "C" {
#pragma GCC visibility push(default)
cublasStatus cublasCreate_v2(cublasHandle* handle);
cublasStatus cublasDestroy_v2(cublasHandle handle);
cublasStatus cublasGetVersion_v2(cublasHandle handle, int* version);
std::size_t cublasGetCudartVersion();
cublasStatus cublasSetStream_v2(cublasHandle handle, void* stream);
cublasStatus cublasGetStream_v2(cublasHandle handle, void** stream);
cublasStatus cublasSetWorkspace_v2(cublasHandle handle, void* workspace, std::size_t bytes);
cublasStatus cublasSetPointerMode_v2(cublasHandle handle, int mode);
cublasStatus cublasGetPointerMode_v2(cublasHandle handle, int* mode);
cublasStatus cublasSetMathMode(cublasHandle handle, int mode);
cublasStatus cublasGetMathMode(cublasHandle handle, int* mode);
cublasStatus cublasSetAtomicsMode(cublasHandle handle, int mode);
cublasStatus cublasGetAtomicsMode(cublasHandle handle, int* mode);
const char* cublasGetStatusName(cublasStatus status);
const char* cublasGetStatusString(cublasStatus status);

cublasStatus cublasGemmEx(SIMGPU_GEMM_EX(int));
cublasStatus cublasGemmEx_64(SIMGPU_GEMM_EX(std::int64_t));
cublasStatus cublasGemmStridedBatchedEx(SIMGPU_GEMM_STRIDED_EX(int));
cublasStatus cublasGemmStridedBatchedEx_64(SIMGPU_GEMM_STRIDED_EX(std::int64_t));
cublasStatus cublasGemmBatchedEx(SIMGPU_GEMM_BATCHED_EX(int));
cublasStatus cublasGemmBatchedEx_64(SIMGPU_GEMM_BATCHED_EX(std::int64_t));
cublasStatus cublasSgemm_v2(SIMGPU_GEMM(int, float));
cublasStatus cublasSgemm_v2_64(SIMGPU_GEMM(std::int64_t, float));
cublasStatus cublasDgemm_v2(SIMGPU_GEMM(int, double));
cublasStatus cublasDgemm_v2_64(SIMGPU_GEMM(std::int64_t, double));
cublasStatus cublasSgemmStridedBatched(SIMGPU_GEMM_STRIDED(int, float));
cublasStatus cublasSgemmStridedBatched_64(SIMGPU_GEMM_STRIDED(std::int64_t, float));
cublasStatus cublasDgemmStridedBatched(SIMGPU_GEMM_STRIDED(int, double));
cublasStatus cublasDgemmStridedBatched_64(SIMGPU_GEMM_STRIDED(std::int64_t, double));
#pragma GCC visibility pop
}
