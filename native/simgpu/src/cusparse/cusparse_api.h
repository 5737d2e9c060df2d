// The cuSPARSE functions that are simulated. Everything else in symbols.txt answers CUSPARSE_STATUS_NOT_SUPPORTED.
#pragma once

#include <cstddef>
#include <cstdint>

enum cusparseStatus : int {
  CUSPARSE_STATUS_SUCCESS = 0,
  CUSPARSE_STATUS_NOT_INITIALIZED = 1,
  CUSPARSE_STATUS_ALLOC_FAILED = 2,
  CUSPARSE_STATUS_INVALID_VALUE = 3,
  CUSPARSE_STATUS_ARCH_MISMATCH = 4,
  CUSPARSE_STATUS_MAPPING_ERROR = 5,
  CUSPARSE_STATUS_EXECUTION_FAILED = 6,
  CUSPARSE_STATUS_INTERNAL_ERROR = 7,
  CUSPARSE_STATUS_MATRIX_TYPE_NOT_SUPPORTED = 8,
  CUSPARSE_STATUS_ZERO_PIVOT = 9,
  CUSPARSE_STATUS_NOT_SUPPORTED = 10,
  CUSPARSE_STATUS_INSUFFICIENT_RESOURCES = 11,
};

enum cusparseFormat : int { CUSPARSE_FORMAT_CSR = 1, CUSPARSE_FORMAT_BLOCKED_ELL = 5 };
enum cusparseOperation : int { CUSPARSE_NON_TRANSPOSE = 0, CUSPARSE_TRANSPOSE = 1, CUSPARSE_CONJUGATE_TRANSPOSE = 2 };
enum cusparseOrder : int { CUSPARSE_ORDER_COL = 1, CUSPARSE_ORDER_ROW = 2 };
enum cusparseIndexType : int { CUSPARSE_INDEX_32I = 2, CUSPARSE_INDEX_64I = 3 };

using cusparseHandle = struct cusparseContext*;
using cusparseSpMat = struct cusparseSpMatDescr*;
using cusparseDnMat = struct cusparseDnMatDescr*;
using cusparseDnVec = struct cusparseDnVecDescr*;

#define SIMGPU_SPMM_ARGUMENTS                                                                                          \
  cusparseHandle handle, cusparseOperation opA, cusparseOperation opB, const void *alpha, cusparseSpMat a,             \
      cusparseDnMat b, const void *beta, cusparseDnMat c, int computeType, int algorithm
#define SIMGPU_SPMV_ARGUMENTS                                                                                          \
  cusparseHandle handle, cusparseOperation opA, const void *alpha, cusparseSpMat a, cusparseDnVec x, const void *beta, \
      cusparseDnVec y, int computeType, int algorithm

extern "C" {
#pragma GCC visibility push(default)
cusparseStatus cusparseCreate(cusparseHandle* handle);
cusparseStatus cusparseDestroy(cusparseHandle handle);
cusparseStatus cusparseGetVersion(cusparseHandle handle, int* version);
cusparseStatus cusparseSetStream(cusparseHandle handle, void* stream);
cusparseStatus cusparseGetStream(cusparseHandle handle, void** stream);
cusparseStatus cusparseSetPointerMode(cusparseHandle handle, int mode);
cusparseStatus cusparseGetPointerMode(cusparseHandle handle, int* mode);
const char* cusparseGetErrorName(cusparseStatus status);
const char* cusparseGetErrorString(cusparseStatus status);

cusparseStatus cusparseCreateCsr(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns, std::int64_t nonzeros,
                                 void* offsets, void* indices, void* values, int offsetType, int indexType, int base,
                                 int valueType);
cusparseStatus cusparseCreateConstCsr(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns,
                                      std::int64_t nonzeros, const void* offsets, const void* indices,
                                      const void* values, int offsetType, int indexType, int base, int valueType);
cusparseStatus cusparseCreateBlockedEll(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns,
                                        std::int64_t blockSize, std::int64_t ellColumns, void* indices, void* values,
                                        int indexType, int base, int valueType);
cusparseStatus cusparseDestroySpMat(cusparseSpMat matrix);
cusparseStatus cusparseSpMatGetSize(cusparseSpMat matrix, std::int64_t* rows, std::int64_t* columns,
                                    std::int64_t* nonzeros);
cusparseStatus cusparseSpMatGetFormat(cusparseSpMat matrix, int* format);
cusparseStatus cusparseSpMatSetValues(cusparseSpMat matrix, void* values);
cusparseStatus cusparseCsrSetPointers(cusparseSpMat matrix, void* offsets, void* indices, void* values);
cusparseStatus cusparseCreateDnMat(cusparseDnMat* matrix, std::int64_t rows, std::int64_t columns, std::int64_t ld,
                                   void* values, int type, int order);
cusparseStatus cusparseCreateConstDnMat(cusparseDnMat* matrix, std::int64_t rows, std::int64_t columns,
                                        std::int64_t ld, const void* values, int type, int order);
cusparseStatus cusparseDestroyDnMat(cusparseDnMat matrix);
cusparseStatus cusparseDnMatSetValues(cusparseDnMat matrix, void* values);
cusparseStatus cusparseCreateDnVec(cusparseDnVec* vector, std::int64_t size, void* values, int type);
cusparseStatus cusparseCreateConstDnVec(cusparseDnVec* vector, std::int64_t size, const void* values, int type);
cusparseStatus cusparseDestroyDnVec(cusparseDnVec vector);
cusparseStatus cusparseDnVecSetValues(cusparseDnVec vector, void* values);

cusparseStatus cusparseSpMM_bufferSize(SIMGPU_SPMM_ARGUMENTS, std::size_t* bytes);
cusparseStatus cusparseSpMM_preprocess(SIMGPU_SPMM_ARGUMENTS, void* buffer);
cusparseStatus cusparseSpMM(SIMGPU_SPMM_ARGUMENTS, void* buffer);
cusparseStatus cusparseSpMV_bufferSize(SIMGPU_SPMV_ARGUMENTS, std::size_t* bytes);
cusparseStatus cusparseSpMV(SIMGPU_SPMV_ARGUMENTS, void* buffer);
#pragma GCC visibility pop
}
