// cuBLAS: right products in every type it knows, and the refusals of the real library.
#include "cublas/cublas_api.h"
#include "data_types.h"
#include "library/element.h"
#include "program.h"

#include <cstring>

using namespace simgpu::testing;
using simgpu::library::bytesOf;
using simgpu::library::Type;

namespace {

constexpr int compute16F = 64;
constexpr int compute32F = 68;
constexpr int compute64F = 70;
constexpr int compute32I = 72;

/** Small whole numbers, exact in every type. */
int element(int row, int column, int salt) { return (row * 3 + column * 5 + salt) % 7 - 3; }

/** A column-major matrix on the device. */
CUdeviceptr matrix(int type, int rows, int columns, int ld, int salt) {
  const auto kind = static_cast<Type>(type);
  std::vector<std::byte> bytes(static_cast<std::size_t>(ld * columns) * bytesOf(kind));
  for (int column = 0; column < columns; ++column) {
    for (int row = 0; row < rows; ++row) {
      simgpu::library::store(kind, bytes.data() + static_cast<std::size_t>(column * ld + row) * bytesOf(kind),
                             static_cast<double>(element(row, column, salt)));
    }
  }
  CUdeviceptr address = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&address, bytes.size()), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoD_v2(address, bytes.data(), bytes.size()), CUDA_SUCCESS);
  return address;
}

double read(int type, CUdeviceptr from, int index) {
  const auto kind = static_cast<Type>(type);
  std::byte bytes[8];
  CHECK_EQUAL(cuMemcpyDtoH_v2(bytes, from + static_cast<std::size_t>(index) * bytesOf(kind), bytesOf(kind)),
              CUDA_SUCCESS);
  return simgpu::library::load<double>(kind, bytes);
}

const void* pointer(CUdeviceptr address) { return reinterpret_cast<const void*>(address); }
void* target(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

class Blas {
public:
  Blas() { CHECK_EQUAL(cublasCreate_v2(&handle), CUBLAS_STATUS_SUCCESS); }
  ~Blas() { cublasDestroy_v2(handle); }

  cublasHandle handle = nullptr;
};

/** A scalar in the type of alpha and beta. */
struct Scalar {
  Scalar(int type, double value) { simgpu::library::store(static_cast<Type>(type), bytes, value); }
  std::byte bytes[8] = {};
};

constexpr int m = 4;
constexpr int n = 3;
constexpr int k = 8;

/** op(A) op(B) at (row, column), and C's old value. */
double expected(bool transA, bool transB, int row, int column, double alpha, double beta) {
  double sum = 0;
  for (int l = 0; l < k; ++l) {
    sum += element(transA ? l : row, transA ? row : l, 1) * element(transB ? column : l, transB ? l : column, 2);
  }
  return alpha * sum + beta * element(row, column, 3);
}

} // namespace

TEST("every combination of types multiplies, transposed or not, with leading dimensions beyond the rows") {
  struct Types {
    int ab, c, compute, scale;
  };
  for (const Types& types : {Types{f16, f16, compute16F, f16}, Types{f16, f16, compute32F, f32},
                             Types{f16, f32, compute32F, f32}, Types{bf16, bf16, compute32F, f32},
                             Types{bf16, f32, compute32F, f32}, Types{f32, f32, compute32F, f32},
                             Types{f64, f64, compute64F, f64}, Types{s8, s32, compute32I, s32},
                             Types{s8, f32, compute32F, f32}}) {
    const Program program;
    const Blas blas;
    for (int form = 0; form < 4; ++form) {
      const bool transA = (form & 1) != 0;
      const bool transB = (form & 2) != 0;
      const CUdeviceptr a = matrix(types.ab, transA ? k : m, transA ? m : k, 12, 1);
      const CUdeviceptr b = matrix(types.ab, transB ? n : k, transB ? k : n, 8, 2);
      const CUdeviceptr c = matrix(types.c, m, n, 5, 3);
      const Scalar alpha(types.scale, 2);
      const Scalar beta(types.scale, 3);
      CHECK_EQUAL(cublasGemmEx(blas.handle, transA ? CUBLAS_OP_T : CUBLAS_OP_N, transB ? CUBLAS_OP_C : CUBLAS_OP_N, m,
                               n, k, alpha.bytes, pointer(a), types.ab, 12, pointer(b), types.ab, 8, beta.bytes,
                               target(c), types.c, 5, types.compute, -1),
                  CUBLAS_STATUS_SUCCESS);
      CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
      for (int column = 0; column < n; ++column) {
        for (int row = 0; row < m; ++row) {
          CHECK_EQUAL(read(types.c, c, column * 5 + row), expected(transA, transB, row, column, 2, 3));
        }
      }
    }
  }
}

TEST("scalars are read where the pointer mode says, when the product runs") {
  const Program program;
  const Blas blas;
  const CUdeviceptr a = matrix(f32, m, k, m, 1);
  const CUdeviceptr b = matrix(f32, k, n, k, 2);
  const CUdeviceptr c = matrix(f32, m, n, m, 3);
  const CUdeviceptr scalars = program.upload({2, 3});
  const float hostAlpha = 2;
  const auto* deviceAlpha = reinterpret_cast<const float*>(scalars);
  const auto* floatA = reinterpret_cast<const float*>(a);
  const auto* floatB = reinterpret_cast<const float*>(b);
  auto* floatC = reinterpret_cast<float*>(c);
  const auto multiply = [&](const float* alpha, const float* beta) {
    return cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, alpha, floatA, m, floatB, k, beta, floatC, m);
  };
  CHECK_EQUAL(multiply(deviceAlpha, &hostAlpha), CUBLAS_STATUS_INVALID_VALUE);
  CHECK(found("alpha lies in device memory while the pointer mode says host"));
  CHECK_EQUAL(cublasSetPointerMode_v2(blas.handle, 1), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(multiply(deviceAlpha, &hostAlpha), CUBLAS_STATUS_INVALID_VALUE);
  CHECK(found("beta at"));
  CHECK_EQUAL(multiply(deviceAlpha, deviceAlpha + 1), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  CHECK_EQUAL(read(f32, c, 0), expected(false, false, 0, 0, 2, 3));
  CHECK_EQUAL(cublasSetPointerMode_v2(blas.handle, 2), CUBLAS_STATUS_INVALID_VALUE);
}

TEST("batches take their matrices by strides or from arrays on the device") {
  const Program program;
  const Blas blas;
  const float one = 1;
  const float zero = 0;
  const CUdeviceptr a = program.upload({1, 2, 3, 4, 5, 6, 7, 8});
  const CUdeviceptr b = program.upload({1, 0, 0, 1});
  const CUdeviceptr c = program.upload(std::vector<float>(8, -1));
  CHECK_EQUAL(cublasGemmStridedBatchedEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, pointer(a), f32, 2, 4,
                                         pointer(b), f32, 2, 0, &zero, target(c), f32, 2, 4, 2, compute32F, -1),
              CUBLAS_STATUS_SUCCESS);
  CHECK(program.download(c, 8) == (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  const CUdeviceptr lists[] = {a + 16, a, b, b, c, c + 16};
  CUdeviceptr arrays = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&arrays, sizeof lists), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemcpyHtoD_v2(arrays, lists, sizeof lists), CUDA_SUCCESS);
  const auto* pointers = reinterpret_cast<const void* const*>(arrays);
  const auto run = [&](const void* const* arrayOfA) {
    return cublasGemmBatchedEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, arrayOfA, f32, 2, pointers + 2,
                               f32, 2, &zero, const_cast<void* const*>(pointers + 4), f32, 2, 2, compute32F, -1);
  };
  CHECK_EQUAL(run(pointers), CUBLAS_STATUS_SUCCESS);
  CHECK(program.download(c, 8) == (std::vector<float>{5, 6, 7, 8, 1, 2, 3, 4}));
  const void* onHost[] = {pointer(a), pointer(a)};
  CHECK_EQUAL(run(onHost), CUBLAS_STATUS_INVALID_VALUE);
  CHECK(found("the array of A"));
}

TEST("sizes, leading dimensions, operations and types that cannot be are refused as the library does") {
  const Program program;
  const Blas blas;
  const CUdeviceptr data = program.upload(std::vector<float>(64, 1));
  const float one = 1;
  struct Try {
    int opA, m, n, k, lda, ldb, ldc;
    cublasStatus status;
  };
  for (const Try& each :
       {Try{0, 4, 4, 4, 4, 4, 4, CUBLAS_STATUS_SUCCESS}, Try{0, 4, 4, 4, 3, 4, 4, CUBLAS_STATUS_INVALID_VALUE},
        Try{0, 4, 4, 4, 4, 3, 4, CUBLAS_STATUS_INVALID_VALUE}, Try{0, 4, 4, 4, 4, 4, 3, CUBLAS_STATUS_INVALID_VALUE},
        Try{1, 4, 4, 8, 4, 8, 4, CUBLAS_STATUS_INVALID_VALUE}, Try{1, 4, 4, 8, 8, 8, 4, CUBLAS_STATUS_SUCCESS},
        Try{0, -1, 4, 4, 4, 4, 4, CUBLAS_STATUS_INVALID_VALUE}, Try{0, 4, 4, 4, 0, 4, 4, CUBLAS_STATUS_INVALID_VALUE},
        Try{9, 4, 4, 4, 4, 4, 4, CUBLAS_STATUS_INVALID_VALUE}, Try{0, 0, 4, 4, 1, 4, 1, CUBLAS_STATUS_SUCCESS},
        Try{0, 4, 4, 16, 4, 16, 4, CUBLAS_STATUS_SUCCESS},
        Try{0, 4, 4, 17, 4, 17, 4, CUBLAS_STATUS_EXECUTION_FAILED}}) {
    CHECK_EQUAL(cublasGemmEx(blas.handle, static_cast<cublasOperation>(each.opA), CUBLAS_OP_N, each.m, each.n, each.k,
                             &one, pointer(data), f32, each.lda, pointer(data), f32, each.ldb, &one, target(data), f32,
                             each.ldc, compute32F, -1),
                each.status);
  }
  const auto ofTypes = [&](int ab, int c, int compute) {
    return cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, pointer(data), ab, 4, pointer(data), ab,
                        4, &one, target(data), c, 4, compute, -1);
  };
  CHECK_EQUAL(ofTypes(f32, f16, compute32F), CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(ofTypes(f64, f64, compute32F), CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(ofTypes(s8, s32, compute32F), CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(ofTypes(99, f32, compute32F), CUBLAS_STATUS_NOT_SUPPORTED);
  // 8-bit products need multiples of four
  CHECK_EQUAL(cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, pointer(data), s8, 5, pointer(data),
                           s8, 4, &one, target(data), s32, 4, compute32I, -1),
              CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK_EQUAL(cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, nullptr, pointer(data), f32, 2,
                           pointer(data), f32, 2, &one, target(data), f32, 2, compute32F, -1),
              CUBLAS_STATUS_INVALID_VALUE);
}

TEST("freed and foreign matrices are refused, and freed ones are found when the product runs") {
  const Program program;
  const Blas blas;
  const float one = 1;
  CUdeviceptr a = program.upload(std::vector<float>(4, 1));
  const CUdeviceptr c = program.upload(std::vector<float>(4, 1));
  const auto multiply = [&](const void* left) {
    return cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, left, f32, 2, pointer(c), f32, 2, &one,
                        target(c), f32, 2, compute32F, -1);
  };
  CHECK_EQUAL(multiply(&one), CUBLAS_STATUS_EXECUTION_FAILED);
  CHECK(found("A at"));
  const CUstream stream = program.stream(CU_STREAM_NON_BLOCKING);
  CHECK_EQUAL(cublasSetStream_v2(blas.handle, stream), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(cuMemFreeAsync(a, stream), CUDA_SUCCESS);
  CHECK_EQUAL(multiply(pointer(a)), CUBLAS_STATUS_SUCCESS);
  CHECK_EQUAL(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  CHECK(found("lies in memory that was freed"));
}

TEST("inputs nobody wrote are found, and what a product writes counts as written") {
  const Program program;
  const Blas blas;
  const float one = 1;
  const float zero = 0;
  const CUdeviceptr b = program.upload(std::vector<float>(4, 1));
  CUdeviceptr empty = 0;
  CUdeviceptr c = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&empty, 16), CUDA_SUCCESS);
  CHECK_EQUAL(cuMemAlloc_v2(&c, 16), CUDA_SUCCESS);
  const auto multiply = [&](CUdeviceptr left, const float* beta) {
    CHECK_EQUAL(cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, pointer(left), f32, 2, pointer(b),
                             f32, 2, beta, target(c), f32, 2, compute32F, -1),
                CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
  };
  multiply(b, &zero); // C is not read
  CHECK(!found("nobody wrote"));
  multiply(b, &one);
  CHECK(!found("nobody wrote"));
  multiply(empty, &zero);
  CHECK(found("cublasGemmEx reads A, of which nobody wrote the byte at"));
  const CUdeviceptr kept = program.upload(std::vector<float>(32));
  CHECK_EQUAL(launch(program.function(keepKernel, "keep"), 32, nullptr, {const_cast<CUdeviceptr*>(&kept)}),
              CUDA_SUCCESS);
  multiply(kept, &zero);
  CHECK(found("uninitialised read: nobody wrote this shared byte; line "));
  simgpuClear();
  CHECK_EQUAL(cuMemAlloc_v2(&c, 16), CUDA_SUCCESS);
  multiply(b, &one);
  CHECK(found("reads C"));
}

TEST("products are ordered by their streams like everything else") {
  const Program program;
  const Blas blas;
  const float one = 1;
  const CUdeviceptr a = program.upload(std::vector<float>(4, 1));
  const CUdeviceptr c = program.upload(std::vector<float>(4, 0));
  const CUstream first = program.stream(CU_STREAM_NON_BLOCKING);
  const CUstream second = program.stream(CU_STREAM_NON_BLOCKING);
  const CUevent event = program.event();
  CHECK_EQUAL(cublasSetStream_v2(blas.handle, first), CUBLAS_STATUS_SUCCESS);
  for (const bool ordered : {true, false}) {
    CHECK_EQUAL(cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, pointer(a), f32, 2, pointer(a), f32,
                             2, &one, target(c), f32, 2, compute32F, -1),
                CUBLAS_STATUS_SUCCESS);
    if (ordered) {
      CHECK_EQUAL(cuEventRecord(event, first), CUDA_SUCCESS);
      CHECK_EQUAL(cuStreamWaitEvent(second, event, 0), CUDA_SUCCESS);
    }
    CHECK_EQUAL(cuMemsetD32Async(c, 0, 4, second), CUDA_SUCCESS);
    CHECK_EQUAL(cuCtxSynchronize(), CUDA_SUCCESS);
    CHECK_EQUAL(found("cublasGemmEx on stream 0x"), !ordered);
  }
}

TEST("handles, streams and workspaces obey the library's rules") {
  cublasHandle handle = nullptr;
  {
    const Program program;
    const Blas blas;
    CUstream stream = program.stream();
    CUdeviceptr workspace = 0;
    CHECK_EQUAL(cuMemAlloc_v2(&workspace, 1024), CUDA_SUCCESS);
    CHECK_EQUAL(cublasSetStream_v2(blas.handle, &handle), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_EQUAL(cublasSetWorkspace_v2(blas.handle, target(workspace + 8), 512), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_EQUAL(cublasSetWorkspace_v2(blas.handle, target(workspace), 2048), CUBLAS_STATUS_INVALID_VALUE);
    CHECK_EQUAL(cublasSetWorkspace_v2(blas.handle, target(workspace), 1024), CUBLAS_STATUS_SUCCESS);
    const CUdeviceptr data = program.upload({1, 1, 1, 1});
    const float one = 1;
    const auto multiply = [&] {
      return cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, reinterpret_cast<float*>(data), 1,
                            reinterpret_cast<float*>(data), 1, &one, reinterpret_cast<float*>(data), 1);
    };
    CHECK_EQUAL(cuMemFree_v2(workspace), CUDA_SUCCESS);
    CHECK_EQUAL(multiply(), CUBLAS_STATUS_EXECUTION_FAILED);
    CHECK(found("the handle's workspace"));
    CHECK_EQUAL(cublasSetStream_v2(blas.handle, stream), CUBLAS_STATUS_SUCCESS); // forgets the workspace
    CHECK_EQUAL(multiply(), CUBLAS_STATUS_SUCCESS);
    CHECK_EQUAL(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    CHECK_EQUAL(multiply(), CUBLAS_STATUS_EXECUTION_FAILED);
    handle = blas.handle;
  }
  const float one = 1;
  CHECK_EQUAL(cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, &one, 1, &one, 1, &one, nullptr, 1),
              CUBLAS_STATUS_NOT_INITIALIZED);
  CHECK_EQUAL(cublasDestroy_v2(handle), CUBLAS_STATUS_NOT_INITIALIZED);
  CHECK_EQUAL(cublasCreate_v2(&handle), CUBLAS_STATUS_NOT_INITIALIZED); // no context is current
}
