// Handles and descriptors. A descriptor only notes where things are; the pointers are checked when they are used.
#include "cusparse/descriptor.h"
#include "library/memory_check.h"

using namespace simgpu::library;

namespace {

constexpr int libraryVersion = 12501;

cusparseStatus invalid(const char* function, const std::string& reason) {
  return refuse(CUSPARSE_STATUS_INVALID_VALUE, function, reason);
}

bool knownIndex(int type) { return type == CUSPARSE_INDEX_32I || type == CUSPARSE_INDEX_64I; }

cusparseStatus createCsr(cusparseSpMat* matrix, const SparseMatrix& wanted) {
  const char* name = "cusparseCreateCsr";
  if (matrix == nullptr) return invalid(name, "the descriptor's place is null");
  if (wanted.rows < 0 || wanted.columns < 0 || wanted.nonzeros < 0) return invalid(name, "a negative size");
  if (wanted.offsets == nullptr && wanted.rows > 0) return invalid(name, "the row offsets are null");
  if (wanted.nonzeros > 0 && (wanted.indices == nullptr || wanted.values == nullptr)) {
    return invalid(name, "the column indices or values are null");
  }
  if (!knownIndex(wanted.offsetType) || !knownIndex(wanted.indexType) || wanted.base < 0 || wanted.base > 1) {
    return invalid(name, "no such index type or base");
  }
  if (wanted.indexType == CUSPARSE_INDEX_64I && wanted.offsetType == CUSPARSE_INDEX_32I) {
    return refuse(CUSPARSE_STATUS_NOT_SUPPORTED, name, "64-bit column indices need 64-bit row offsets");
  }
  if (!known(wanted.type)) return refuse(CUSPARSE_STATUS_NOT_SUPPORTED, name, "a type that is not simulated");
  *matrix = SparseMatrices::instance().add(wanted);
  return CUSPARSE_STATUS_SUCCESS;
}

template <class Table, class Key>
cusparseStatus createDense(const char* name, Key* matrix, const DenseMatrix& wanted, int order) {
  if (matrix == nullptr) return invalid(name, "the descriptor's place is null");
  if (wanted.rows < 0 || wanted.columns < 0) return invalid(name, "a negative size");
  if (order != CUSPARSE_ORDER_COL && order != CUSPARSE_ORDER_ROW) return invalid(name, "no such order");
  const std::int64_t least = wanted.rowMajor ? wanted.columns : wanted.rows;
  if (wanted.ld < least) {
    return invalid(name, "a leading dimension of " + std::to_string(wanted.ld) + " where at least " +
                             std::to_string(least) + " are stored");
  }
  if (wanted.values == nullptr && wanted.bytes() > 0) return invalid(name, "the values are null");
  if (!known(wanted.type)) return refuse(CUSPARSE_STATUS_NOT_SUPPORTED, name, "a type that is not simulated");
  *matrix = Table::instance().add(wanted);
  return CUSPARSE_STATUS_SUCCESS;
}

template <class Table, class Key> cusparseStatus destroy(Key key) {
  if (key == nullptr || Table::instance().remove(key)) return CUSPARSE_STATUS_SUCCESS;
  return invalid("a cusparseDestroy function", "the descriptor was not created, or destroyed already");
}

template <class Table, class Key> cusparseStatus setValues(Key key, const void* values) {
  const auto found = Table::instance().find(key);
  if (found == nullptr || values == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
  found->values = values;
  return CUSPARSE_STATUS_SUCCESS;
}

template <class Body> cusparseStatus withHandle(cusparseHandle handle, Body body) {
  const auto found = SparseHandles::instance().find(handle);
  return found == nullptr ? CUSPARSE_STATUS_NOT_INITIALIZED : body(*found);
}

} // namespace

cusparseStatus cusparseCreate(cusparseHandle* handle) {
  if (handle == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
  if (simgpuStreamIsValid(nullptr) == 0) {
    return refuse(CUSPARSE_STATUS_NOT_INITIALIZED, "cusparseCreate", "no context is current to the calling thread");
  }
  *handle = SparseHandles::instance().add({});
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus cusparseDestroy(cusparseHandle handle) {
  return SparseHandles::instance().remove(handle) ? CUSPARSE_STATUS_SUCCESS : CUSPARSE_STATUS_NOT_INITIALIZED;
}

cusparseStatus cusparseGetVersion(cusparseHandle handle, int* version) {
  return withHandle(handle, [&](SparseHandle&) {
    if (version == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
    *version = libraryVersion;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus cusparseSetStream(cusparseHandle handle, void* stream) {
  return withHandle(handle, [&](SparseHandle& found) {
    if (simgpuStreamIsValid(stream) == 0) return invalid("cusparseSetStream", "no such stream");
    found.stream = stream;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus cusparseGetStream(cusparseHandle handle, void** stream) {
  return withHandle(handle, [&](SparseHandle& found) {
    if (stream == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
    *stream = found.stream;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus cusparseSetPointerMode(cusparseHandle handle, int mode) {
  return withHandle(handle, [&](SparseHandle& found) {
    if (mode != 0 && mode != 1) return CUSPARSE_STATUS_INVALID_VALUE;
    found.devicePointers = mode == 1;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

cusparseStatus cusparseGetPointerMode(cusparseHandle handle, int* mode) {
  return withHandle(handle, [&](SparseHandle& found) {
    if (mode == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
    *mode = found.devicePointers ? 1 : 0;
    return CUSPARSE_STATUS_SUCCESS;
  });
}

#define STATUS_CASE(name, text)                                                                                        \
  case name: return wantName ? #name : text;

static const char* describe(cusparseStatus status, bool wantName) {
  switch (status) {
    STATUS_CASE(CUSPARSE_STATUS_SUCCESS, "success")
    STATUS_CASE(CUSPARSE_STATUS_NOT_INITIALIZED, "initialization error")
    STATUS_CASE(CUSPARSE_STATUS_ALLOC_FAILED, "insufficient resources")
    STATUS_CASE(CUSPARSE_STATUS_INVALID_VALUE, "invalid value")
    STATUS_CASE(CUSPARSE_STATUS_ARCH_MISMATCH, "architecture mismatch")
    STATUS_CASE(CUSPARSE_STATUS_MAPPING_ERROR, "texture mapping error")
    STATUS_CASE(CUSPARSE_STATUS_EXECUTION_FAILED, "kernel launch failure")
    STATUS_CASE(CUSPARSE_STATUS_INTERNAL_ERROR, "internal error")
    STATUS_CASE(CUSPARSE_STATUS_MATRIX_TYPE_NOT_SUPPORTED, "matrix type not supported")
    STATUS_CASE(CUSPARSE_STATUS_ZERO_PIVOT, "zero pivot")
    STATUS_CASE(CUSPARSE_STATUS_NOT_SUPPORTED, "operation not supported")
    STATUS_CASE(CUSPARSE_STATUS_INSUFFICIENT_RESOURCES, "insufficient resources")
  }
  return "unrecognized error code";
}

const char* cusparseGetErrorName(cusparseStatus status) { return describe(status, true); }

const char* cusparseGetErrorString(cusparseStatus status) { return describe(status, false); }

cusparseStatus cusparseCreateConstCsr(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns,
                                      std::int64_t nonzeros, const void* offsets, const void* indices,
                                      const void* values, int offsetType, int indexType, int base, int valueType) {
  return createCsr(matrix, {CUSPARSE_FORMAT_CSR, rows, columns, nonzeros, offsets, indices, values, offsetType,
                            indexType, base, static_cast<Type>(valueType), 0, 0});
}

cusparseStatus cusparseCreateCsr(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns, std::int64_t nonzeros,
                                 void* offsets, void* indices, void* values, int offsetType, int indexType, int base,
                                 int valueType) {
  return cusparseCreateConstCsr(matrix, rows, columns, nonzeros, offsets, indices, values, offsetType, indexType, base,
                                valueType);
}

cusparseStatus cusparseCreateBlockedEll(cusparseSpMat* matrix, std::int64_t rows, std::int64_t columns,
                                        std::int64_t blockSize, std::int64_t ellColumns, void* indices, void* values,
                                        int indexType, int base, int valueType) {
  const char* name = "cusparseCreateBlockedEll";
  if (matrix == nullptr) return invalid(name, "the descriptor's place is null");
  if (rows < 0 || columns < 0 || ellColumns < 0 || blockSize <= 0) return invalid(name, "no such sizes");
  if (rows % blockSize != 0 || columns % blockSize != 0 || ellColumns % blockSize != 0 || ellColumns > columns) {
    return invalid(name, "rows, columns and stored columns must be multiples of the block size " +
                             std::to_string(blockSize) + ", stored columns no more than columns");
  }
  if (rows * ellColumns > 0 && (indices == nullptr || values == nullptr)) {
    return invalid(name, "the block indices or values are null");
  }
  if (!knownIndex(indexType) || base < 0 || base > 1) return invalid(name, "no such index type or base");
  const auto type = static_cast<Type>(valueType);
  if (!known(type)) return refuse(CUSPARSE_STATUS_NOT_SUPPORTED, name, "a type that is not simulated");
  *matrix = SparseMatrices::instance().add({CUSPARSE_FORMAT_BLOCKED_ELL, rows, columns, rows * ellColumns, nullptr,
                                            indices, values, indexType, indexType, base, type, blockSize, ellColumns});
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus cusparseDestroySpMat(cusparseSpMat matrix) { return destroy<SparseMatrices>(matrix); }

cusparseStatus cusparseSpMatGetSize(cusparseSpMat matrix, std::int64_t* rows, std::int64_t* columns,
                                    std::int64_t* nonzeros) {
  const auto found = SparseMatrices::instance().find(matrix);
  if (found == nullptr || rows == nullptr || columns == nullptr || nonzeros == nullptr) {
    return CUSPARSE_STATUS_INVALID_VALUE;
  }
  *rows = found->rows;
  *columns = found->columns;
  *nonzeros = found->nonzeros;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus cusparseSpMatGetFormat(cusparseSpMat matrix, int* format) {
  const auto found = SparseMatrices::instance().find(matrix);
  if (found == nullptr || format == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
  *format = found->format;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus cusparseSpMatSetValues(cusparseSpMat matrix, void* values) {
  return setValues<SparseMatrices>(matrix, values);
}

cusparseStatus cusparseCsrSetPointers(cusparseSpMat matrix, void* offsets, void* indices, void* values) {
  const auto found = SparseMatrices::instance().find(matrix);
  if (found == nullptr || offsets == nullptr || found->format != CUSPARSE_FORMAT_CSR) {
    return CUSPARSE_STATUS_INVALID_VALUE;
  }
  found->offsets = offsets;
  found->indices = indices;
  found->values = values;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus cusparseCreateConstDnMat(cusparseDnMat* matrix, std::int64_t rows, std::int64_t columns,
                                        std::int64_t ld, const void* values, int type, int order) {
  return createDense<DenseMatrices>("cusparseCreateDnMat", matrix,
                                    {rows, columns, ld, values, static_cast<Type>(type), order == CUSPARSE_ORDER_ROW},
                                    order);
}

cusparseStatus cusparseCreateDnMat(cusparseDnMat* matrix, std::int64_t rows, std::int64_t columns, std::int64_t ld,
                                   void* values, int type, int order) {
  return cusparseCreateConstDnMat(matrix, rows, columns, ld, values, type, order);
}

cusparseStatus cusparseDestroyDnMat(cusparseDnMat matrix) { return destroy<DenseMatrices>(matrix); }

cusparseStatus cusparseDnMatSetValues(cusparseDnMat matrix, void* values) {
  return setValues<DenseMatrices>(matrix, values);
}

cusparseStatus cusparseCreateConstDnVec(cusparseDnVec* vector, std::int64_t size, const void* values, int type) {
  return createDense<DenseVectors>("cusparseCreateDnVec", vector,
                                   {size, 1, size, values, static_cast<Type>(type), false}, CUSPARSE_ORDER_COL);
}

cusparseStatus cusparseCreateDnVec(cusparseDnVec* vector, std::int64_t size, void* values, int type) {
  return cusparseCreateConstDnVec(vector, size, values, type);
}

cusparseStatus cusparseDestroyDnVec(cusparseDnVec vector) { return destroy<DenseVectors>(vector); }

cusparseStatus cusparseDnVecSetValues(cusparseDnVec vector, void* values) {
  return setValues<DenseVectors>(vector, values);
}
