// cuSPARSE: products with CSR and Blocked-ELL matrices, and the refusals of the real library.
#include "cusparse/cusparse_api.h"
#include "data_types.h"
#include "program.h"

using namespace simgpu::testing;

namespace {

template <class Value> CUdeviceptr put(const std::vector<Value>& values) {
  CUdeviceptr address = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&address, values.size() * sizeof(Value)), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoD_v2(address, values.data(), values.size() * sizeof(Value)), CUDA_SUCCESS);
  return address;
}

template <class Value> std::vector<Value> get(CUdeviceptr from, std::size_t count) {
  std::vector<Value> values(count);
  CHECK_EQUAL(cuMemcpyDtoH_v2(values.data(), from, count * sizeof(Value)), CUDA_SUCCESS);
  return values;
}

void* at(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

class Sparse {
public:
  Sparse() { CHECK_EQUAL(cusparseCreate(&handle), CUSPARSE_STATUS_SUCCESS); }
  ~Sparse() { cusparseDestroy(handle); }

  cusparseDnMat dense(std::int64_t rows, std::int64_t columns, std::int64_t ld, CUdeviceptr values, int type = f32,
                      int order = CUSPARSE_ORDER_COL) const {
    cusparseDnMat matrix = nullptr;
    CHECK_EQUAL(cusparseCreateDnMat(&matrix, rows, columns, ld, at(values), type, order), CUSPARSE_STATUS_SUCCESS);
    return matrix;
  }

  cusparseStatus multiply(cusparseSpMat a, cusparseDnMat b, cusparseDnMat c, float alpha, float beta,
                          cusparseOperation opA = CUSPARSE_NON_TRANSPOSE,
                          cusparseOperation opB = CUSPARSE_NON_TRANSPOSE, int compute = f32) const {
    std::size_t bytes = 0;
    cusparseStatus status =
        cusparseSpMM_bufferSize(handle, opA, opB, &alpha, a, b, &beta, c, compute, 0, &bytes);
    if (status != CUSPARSE_STATUS_SUCCESS) return status;
    CUdeviceptr buffer = 0;
    CHECK_EQUAL(cuMemAlloc_v2(&buffer, bytes), CUDA_SUCCESS);
    status = cusparseSpMM(handle, opA, opB, &alpha, a, b, &beta, c, compute, 0, at(buffer));
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
    CHECK_EQUAL(cuMemFree_v2(buffer), CUDA_SUCCESS);
    return status;
  }

  cusparseHandle handle = nullptr;
};

//        | 1 0 2 |
//    A = | 0 0 0 |   with indices from `base`
//        | 0 3 4 |
template <class Index> cusparseSpMat csr(Index base, int indexType, CUdeviceptr values, int type = f32) {
  cusparseSpMat matrix = nullptr;
  const CUdeviceptr offsets = put(std::vector<Index>{base, static_cast<Index>(2 + base), static_cast<Index>(2 + base),
                                                     static_cast<Index>(4 + base)});
  const CUdeviceptr columns = put(std::vector<Index>{base, static_cast<Index>(2 + base), static_cast<Index>(1 + base),
                                                     static_cast<Index>(2 + base)});
  CHECK_EQUAL(cusparseCreateCsr(&matrix, 3, 3, 4, at(offsets), at(columns), at(values), indexType, indexType,
                                static_cast<int>(base), type),
              CUSPARSE_STATUS_SUCCESS);
  return matrix;
}

} // namespace

TEST("a CSR matrix multiplies a dense one, with indices of 32 and 64 bits from 0 or 1") {
  const Program program;
  const Sparse sparse;
  const CUdeviceptr values = program.upload({1, 2, 3, 4});
  const std::vector<cusparseSpMat> matrices = {
      csr<std::int32_t>(0, CUSPARSE_INDEX_32I, values), csr<std::int32_t>(1, CUSPARSE_INDEX_32I, values),
      csr<std::int64_t>(0, CUSPARSE_INDEX_64I, values), csr<std::int64_t>(1, CUSPARSE_INDEX_64I, values)};
  for (const cusparseSpMat a : matrices) {
    const CUdeviceptr c = program.upload({10, 20, 30, 40, 50, 60});
    const CUdeviceptr b = program.upload({1, 2, 3, 4, 5, 6}); // columns (1 2 3) and (4 5 6)
    CHECK_EQUAL(sparse.multiply(a, sparse.dense(3, 2, 3, b), sparse.dense(3, 2, 3, c), 2, 1), CUSPARSE_STATUS_SUCCESS);
    CHECK(program.download(c, 6) == (std::vector<float>{24, 20, 66, 72, 50, 138}));
  }
}

TEST("both matrices can be transposed, and dense ones stored by rows") {
  const Program program;
  const Sparse sparse;
  const cusparseSpMat a = csr<std::int32_t>(0, CUSPARSE_INDEX_32I, program.upload({1, 2, 3, 4}));
  const CUdeviceptr b = program.upload({1, 4, 2, 5, 3, 6}); // the same by rows
  const CUdeviceptr c = program.upload(std::vector<float>(6, 9));
  CHECK_EQUAL(sparse.multiply(a, sparse.dense(3, 2, 2, b, f32, CUSPARSE_ORDER_ROW), sparse.dense(3, 2, 3, c), 1, 0),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(c, 6) == (std::vector<float>{7, 0, 18, 16, 0, 39}));
  // as columns it is the transposed of B
  CHECK_EQUAL(sparse.multiply(a, sparse.dense(2, 3, 2, b), sparse.dense(3, 2, 3, c), 1, 0, CUSPARSE_NON_TRANSPOSE,
                              CUSPARSE_TRANSPOSE),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(c, 6) == (std::vector<float>{7, 0, 18, 16, 0, 39}));
  CHECK_EQUAL(sparse.multiply(a, sparse.dense(3, 2, 2, b, f32, CUSPARSE_ORDER_ROW), sparse.dense(3, 2, 3, c), 1, 0,
                              CUSPARSE_TRANSPOSE),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(c, 6) == (std::vector<float>{1, 9, 14, 4, 18, 32}));
}

TEST("eight-bit, half and double values multiply in their compute types") {
  const Program program;
  const Sparse sparse;
  {
    const cusparseSpMat a =
        csr<std::int32_t>(0, CUSPARSE_INDEX_32I, put(std::vector<std::int8_t>{1, 2, 3, 4}), s8);
    const CUdeviceptr b = put(std::vector<std::int8_t>{1, 2, 3});
    const CUdeviceptr c = put(std::vector<std::int32_t>{0, 0, 0});
    std::int32_t one = 1;
    std::int32_t zero = 0;
    std::size_t bytes = 0;
    const cusparseDnMat dense = sparse.dense(3, 1, 3, b, s8);
    const cusparseDnMat result = sparse.dense(3, 1, 3, c, s32);
    CHECK_EQUAL(cusparseSpMM_bufferSize(sparse.handle, CUSPARSE_NON_TRANSPOSE, CUSPARSE_NON_TRANSPOSE, &one, a, dense,
                                        &zero, result, s32, 0, &bytes),
                CUSPARSE_STATUS_SUCCESS);
    const CUdeviceptr buffer = put(std::vector<std::int8_t>(bytes));
    CHECK_EQUAL(cusparseSpMM(sparse.handle, CUSPARSE_NON_TRANSPOSE, CUSPARSE_NON_TRANSPOSE, &one, a, dense, &zero,
                             result, s32, 0, at(buffer)),
                CUSPARSE_STATUS_SUCCESS);
    CHECK(get<std::int32_t>(c, 3) == (std::vector<std::int32_t>{7, 0, 18}));
  }
  const cusparseSpMat half =
      csr<std::int32_t>(0, CUSPARSE_INDEX_32I, put(std::vector<std::uint16_t>{0x3C00, 0x4000, 0x4200, 0x4400}), f16);
  const CUdeviceptr ones = put(std::vector<std::uint16_t>(3, 0x3C00));
  const CUdeviceptr sums = program.upload({0, 0, 0});
  CHECK_EQUAL(sparse.multiply(half, sparse.dense(3, 1, 3, ones, f16), sparse.dense(3, 1, 3, sums), 1, 0),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(sums, 3) == (std::vector<float>{3, 0, 7}));
  CHECK_EQUAL(sparse.multiply(half, sparse.dense(3, 1, 3, ones, f16), sparse.dense(3, 1, 3, sums), 1, 0,
                              CUSPARSE_NON_TRANSPOSE, CUSPARSE_NON_TRANSPOSE, f64),
              CUSPARSE_STATUS_NOT_SUPPORTED);
}

TEST("a Blocked-ELL matrix multiplies, and its missing blocks are nothing") {
  const Program program;
  const Sparse sparse;
  // 4x4 in blocks of 2, one stored block in each block row: columns 2-3, then 0-1 (NVIDIA's sample of spmm_blockedell)
  const CUdeviceptr values = program.upload({1, 2, 3, 4, 5, 6, 7, 8});
  const CUdeviceptr b = program.upload({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const CUdeviceptr c = program.upload(std::vector<float>(12, 0));
  const auto make = [&](const std::vector<std::int32_t>& blocks) {
    cusparseSpMat a = nullptr;
    CHECK_EQUAL(cusparseCreateBlockedEll(&a, 4, 4, 2, 2, at(put(blocks)), at(values), CUSPARSE_INDEX_32I, 0, f32),
                CUSPARSE_STATUS_SUCCESS);
    return a;
  };
  const cusparseDnMat dense = sparse.dense(4, 3, 4, b);
  const cusparseDnMat result = sparse.dense(4, 3, 4, c);
  CHECK_EQUAL(sparse.multiply(make({1, 0}), dense, result, 1, 0), CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(c, 12) == (std::vector<float>{11, 25, 17, 23, 23, 53, 61, 83, 35, 81, 105, 143}));
  CHECK_EQUAL(sparse.multiply(make({1, -1}), dense, result, 1, 0), CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(c, 4) == (std::vector<float>{11, 25, 0, 0}));
  CHECK_EQUAL(sparse.multiply(make({1, 0}), dense, result, 1, 0, CUSPARSE_TRANSPOSE), CUSPARSE_STATUS_NOT_SUPPORTED);
  cusparseSpMat wrong = nullptr;
  CHECK_EQUAL(cusparseCreateBlockedEll(&wrong, 5, 4, 2, 2, at(b), at(values), CUSPARSE_INDEX_32I, 0, f32),
              CUSPARSE_STATUS_INVALID_VALUE);
}

TEST("a CSR matrix multiplies a vector") {
  const Program program;
  const Sparse sparse;
  const cusparseSpMat a = csr<std::int32_t>(0, CUSPARSE_INDEX_32I, program.upload({1, 2, 3, 4}));
  cusparseDnVec x = nullptr;
  cusparseDnVec y = nullptr;
  const CUdeviceptr result = program.upload({1, 1, 1});
  CHECK_EQUAL(cusparseCreateDnVec(&x, 3, at(program.upload({1, 2, 3})), f32), CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cusparseCreateDnVec(&y, 3, at(result), f32), CUSPARSE_STATUS_SUCCESS);
  const float alpha = 1;
  const float beta = 10;
  std::size_t bytes = 0;
  CHECK_EQUAL(cusparseSpMV_bufferSize(sparse.handle, CUSPARSE_NON_TRANSPOSE, &alpha, a, x, &beta, y, f32, 0, &bytes),
              CUSPARSE_STATUS_SUCCESS);
  const CUdeviceptr buffer = put(std::vector<std::int8_t>(bytes));
  CHECK_EQUAL(cusparseSpMV(sparse.handle, CUSPARSE_NON_TRANSPOSE, &alpha, a, x, &beta, y, f32, 0, at(buffer)),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(program.download(result, 3) == (std::vector<float>{17, 10, 28}));
  CHECK_EQUAL(cusparseSpMV(sparse.handle, CUSPARSE_NON_TRANSPOSE, &alpha, a, x, &beta, y, f32, 9, at(buffer)),
              CUSPARSE_STATUS_NOT_SUPPORTED);
}

TEST("the buffer must be as large as the library asked for") {
  const Program program;
  const Sparse sparse;
  const cusparseSpMat a = csr<std::int32_t>(0, CUSPARSE_INDEX_32I, program.upload({1, 2, 3, 4}));
  const cusparseDnMat b = sparse.dense(3, 1, 3, program.upload({1, 2, 3}));
  const cusparseDnMat c = sparse.dense(3, 1, 3, program.upload({0, 0, 0}));
  const float one = 1;
  std::size_t bytes = 0;
  const auto n = CUSPARSE_NON_TRANSPOSE;
  CHECK_EQUAL(cusparseSpMM_bufferSize(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, nullptr),
              CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseSpMM_bufferSize(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, &bytes),
              CUSPARSE_STATUS_SUCCESS);
  CHECK(bytes > 0);
  const CUdeviceptr small = put(std::vector<std::int8_t>(bytes - 1));
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, nullptr), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, at(small)), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK(found("the external buffer"));
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, &bytes), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseSpMM_preprocess(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, nullptr),
              CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cusparseSpMM_bufferSize(sparse.handle, n, n, &one, a, b, &one, c, f32, 13, &bytes),
              CUSPARSE_STATUS_NOT_SUPPORTED); // an algorithm of Blocked-ELL
  CHECK_EQUAL(cusparseSpMM_bufferSize(sparse.handle, static_cast<cusparseOperation>(7), n, &one, a, b, &one, c, f32, 0,
                                      &bytes),
              CUSPARSE_STATUS_INVALID_VALUE);
}

TEST("descriptors refuse what no matrix can be, and destroyed ones are refused") {
  const Program program;
  const Sparse sparse;
  const CUdeviceptr data = program.upload({1, 2, 3, 4});
  cusparseSpMat a = nullptr;
  const auto create = [&](std::int64_t rows, std::int64_t columns, std::int64_t stored, int offsetType, int indexType,
                          int base, int type, void* values) {
    return cusparseCreateCsr(&a, rows, columns, stored, at(data), at(data), values, offsetType, indexType, base, type);
  };
  CHECK_EQUAL(create(-1, 3, 4, 2, 2, 0, f32, at(data)), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(create(3, 3, 4, 2, 2, 0, f32, nullptr), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(create(3, 3, 4, 9, 2, 0, f32, at(data)), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(create(3, 3, 4, 2, 2, 2, f32, at(data)), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(create(3, 3, 4, 2, 3, 0, f32, at(data)), CUSPARSE_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(create(3, 3, 4, 2, 2, 0, 77, at(data)), CUSPARSE_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(create(3, 3, 0, 2, 2, 0, f32, nullptr), CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cusparseCreateCsr(nullptr, 3, 3, 4, at(data), at(data), at(data), 2, 2, 0, f32),
              CUSPARSE_STATUS_INVALID_VALUE);
  cusparseDnMat b = nullptr;
  CHECK_EQUAL(cusparseCreateDnMat(&b, 4, 2, 3, at(data), f32, CUSPARSE_ORDER_COL), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseCreateDnMat(&b, 4, 2, 4, at(data), f32, 3), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseCreateDnMat(&b, 4, 2, 4, nullptr, f32, CUSPARSE_ORDER_COL), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseDestroySpMat(a), CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cusparseDestroySpMat(a), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseDestroySpMat(nullptr), CUSPARSE_STATUS_SUCCESS);
  const cusparseDnMat good = sparse.dense(1, 1, 1, data);
  CHECK_EQUAL(sparse.multiply(a, good, good, 1, 0), CUSPARSE_STATUS_INVALID_VALUE);
  CHECK_EQUAL(cusparseDestroy(reinterpret_cast<cusparseHandle>(&a)), CUSPARSE_STATUS_NOT_INITIALIZED);
}

TEST("structures that lead out of the matrix, freed and unwritten arrays are found") {
  const Program program;
  const Sparse sparse;
  const float one = 1;
  const auto n = CUSPARSE_NON_TRANSPOSE;
  const cusparseDnMat b = sparse.dense(3, 1, 3, program.upload({1, 2, 3}));
  const cusparseDnMat c = sparse.dense(3, 1, 3, program.upload({5, 5, 5}));
  const CUdeviceptr buffer = put(std::vector<std::int8_t>(4096));
  CUdeviceptr values = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&values, 16), CUDA_SUCCESS);
  const cusparseSpMat a = csr<std::int32_t>(0, CUSPARSE_INDEX_32I, values);
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, at(buffer)), CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  CHECK(found("cusparseSpMM reads the values of A, of which nobody wrote"));
  CHECK_EQUAL(cuMemFree_v2(values), CUDA_SUCCESS);
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, a, b, &one, c, f32, 0, at(buffer)),
              CUSPARSE_STATUS_EXECUTION_FAILED);
  CHECK(found("lies in memory that was freed"));
  cusparseSpMat broken = nullptr;
  const CUdeviceptr offsets = put(std::vector<std::int32_t>{0, 1, 2, 3});
  const CUdeviceptr columns = put(std::vector<std::int32_t>{0, 3, 1});
  CHECK_EQUAL(cusparseCreateCsr(&broken, 3, 3, 3, at(offsets), at(columns), at(program.upload({1, 2, 3})), 2, 2, 0,
                                f32),
              CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cusparseSpMM(sparse.handle, n, n, &one, broken, b, &one, c, f32, 0, at(buffer)), CUSPARSE_STATUS_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK(found("names column 3 of 3"));
}
