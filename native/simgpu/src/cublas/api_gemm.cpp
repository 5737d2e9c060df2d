// The matrix products, checked and queued in the handle's stream.
#include "cublas/cublas_api.h"
#include "cublas/gemm.h"
#include "cublas/handle.h"
#include "library/memory_check.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace simgpu::library;

namespace {

/** A combination of types the library computes. */
struct Combination {
  int compute;
  Type scale;
  Type ab;
  Type c;
};

constexpr int compute16F = 64;
constexpr int compute32F = 68;
constexpr int compute64F = 70;
constexpr int compute32I = 72;
constexpr int compute32FFast16F = 74;
constexpr int compute32FFast16BF = 75;
constexpr int compute32FFastTF32 = 77;

/** The table in the reference of cublasGemmEx, complex types left out; pedantic forms are one more. */
constexpr Combination combinations[] = {
    {compute16F, Type::f16, Type::f16, Type::f16},   {compute32I, Type::s32, Type::s8, Type::s32},
    {compute32F, Type::f32, Type::bf16, Type::bf16}, {compute32F, Type::f32, Type::f16, Type::f16},
    {compute32F, Type::f32, Type::s8, Type::f32},    {compute32F, Type::f32, Type::bf16, Type::f32},
    {compute32F, Type::f32, Type::f16, Type::f32},   {compute32F, Type::f32, Type::f32, Type::f32},
    {compute32FFast16F, Type::f32, Type::f32, Type::f32},
    {compute32FFast16BF, Type::f32, Type::f32, Type::f32},
    {compute32FFastTF32, Type::f32, Type::f32, Type::f32},
    {compute64F, Type::f64, Type::f64, Type::f64},
};

const Combination* findCombination(int compute, Type a, Type b, Type c) {
  const bool pedantic = compute == compute16F + 1 || compute == compute32F + 1 || compute == compute64F + 1 ||
                        compute == compute32I + 1;
  const int plain = pedantic ? compute - 1 : compute;
  for (const Combination& each : combinations) {
    if (each.compute == plain && each.ab == a && each.ab == b && each.c == c) return &each;
  }
  return nullptr;
}

struct Call {
  const char* name = "";
  cublasHandle handle = nullptr;
  Gemm gemm;
  int compute = 0;
  const void* alpha = nullptr;
  const void* beta = nullptr;
};

/** A queued product: everything it needs once its arguments are gone. */
struct Queued {
  Gemm gemm;
  double alpha[1] = {}; // copies of host scalars, as bytes
  double beta[1] = {};
  const void* alphaAt = nullptr;
  const void* betaAt = nullptr;
};

std::string checkShape(const Gemm& gemm) {
  if (gemm.m < 0 || gemm.n < 0 || gemm.k < 0 || gemm.batch < 0) return "a negative size";
  if (!gemm.operationsKnown) return "no such operation on A or B";
  const auto leading = [](const char* name, const Operand& operand, std::int64_t rows) -> std::string {
    const std::int64_t least = std::max<std::int64_t>(1, rows);
    if (operand.ld >= least) return {};
    return std::string(name) + " = " + std::to_string(operand.ld) + " where at least " + std::to_string(least) +
           " rows are stored";
  };
  std::string problem = leading("lda", gemm.a, gemm.a.transposed ? gemm.k : gemm.m);
  if (problem.empty()) problem = leading("ldb", gemm.b, gemm.b.transposed ? gemm.n : gemm.k);
  if (problem.empty()) problem = leading("ldc", gemm.c, gemm.m);
  return problem;
}

/** The matrix of one product of the batch. */
template <class Pointer>
const void* matrixAt(const Operand& operand, const std::vector<Pointer>& batch, std::int64_t index) {
  if (!batch.empty()) return batch[static_cast<std::size_t>(index)];
  if (operand.data == nullptr) return nullptr;
  return bytesAt(operand.data) + index * operand.stride * static_cast<std::int64_t>(bytesOf(operand.type));
}

std::string checkMemory(const Gemm& gemm) {
  for (std::int64_t i = 0; i < gemm.batch; ++i) {
    std::string problem;
    if (gemm.k > 0) {
      problem = rangeProblem("A", matrixAt(gemm.a, gemm.batchA, i), spanBytes(gemm.a, gemm.m, gemm.k));
      if (problem.empty()) {
        problem = rangeProblem("B", matrixAt(gemm.b, gemm.batchB, i), spanBytes(gemm.b, gemm.k, gemm.n));
      }
    }
    if (problem.empty()) {
      problem = rangeProblem("C", matrixAt(gemm.c, gemm.batchC, i), spanBytes(gemm.c, gemm.m, gemm.n));
    }
    if (!problem.empty()) return problem;
  }
  return {};
}

simgpuRange rangeOf(const char* name, const Operand& operand, const void* data, std::int64_t rows,
                    std::int64_t columns, bool written) {
  const std::uint64_t size = bytesOf(operand.type);
  const std::int64_t stored = operand.transposed ? columns : rows;
  const std::int64_t storedColumns = operand.transposed ? rows : columns;
  return {name,
          reinterpret_cast<std::uint64_t>(data),
          static_cast<std::uint64_t>(stored) * size,
          static_cast<std::uint64_t>(storedColumns),
          static_cast<std::uint64_t>(operand.ld) * size,
          written ? 1 : 0};
}

/** What a product reads and writes; `readsC` when beta is known not to be 0. */
std::vector<simgpuRange> rangesOf(const Gemm& gemm, bool readsC) {
  std::vector<simgpuRange> ranges;
  for (std::int64_t i = 0; i < gemm.batch; ++i) {
    if (gemm.k > 0) {
      ranges.push_back(rangeOf("A", gemm.a, matrixAt(gemm.a, gemm.batchA, i), gemm.m, gemm.k, false));
      ranges.push_back(rangeOf("B", gemm.b, matrixAt(gemm.b, gemm.batchB, i), gemm.k, gemm.n, false));
    }
    const void* c = matrixAt(gemm.c, gemm.batchC, i);
    if (readsC) ranges.push_back(rangeOf("C", gemm.c, c, gemm.m, gemm.n, false));
    ranges.push_back(rangeOf("C", gemm.c, c, gemm.m, gemm.n, true));
  }
  return ranges;
}

/** What tensor cores demand of 8-bit operands. */
std::string checkInt8(const Gemm& gemm) {
  if (gemm.accumulator != Type::s32) return {};
  const auto aligned = [](const Operand& operand) {
    return operand.ld % 4 == 0 && reinterpret_cast<std::uint64_t>(operand.data) % 4 == 0;
  };
  return aligned(gemm.a) && aligned(gemm.b)
             ? ""
             : "8-bit matrices need addresses and leading dimensions that are multiples of 4";
}

int runQueued(void* data) {
  const auto& queued = *static_cast<const Queued*>(data);
  constexpr int illegalAddress = 700;
  const std::string problem = checkMemory(queued.gemm);
  if (!problem.empty()) {
    simgpuRefused("a queued matrix product", problem.c_str());
    return illegalAddress;
  }
  multiply(queued.gemm, queued.alphaAt != nullptr ? queued.alphaAt : queued.alpha,
           queued.betaAt != nullptr ? queued.betaAt : queued.beta);
  return 0;
}

void discardQueued(void* data) { delete static_cast<Queued*>(data); }

cublasStatus submit(Call call) {
  const std::shared_ptr<Handle> handle = findHandle(call.handle);
  if (handle == nullptr) {
    return refuse(CUBLAS_STATUS_NOT_INITIALIZED, call.name, "the handle was not created, or destroyed");
  }
  const std::scoped_lock lock(handle->mutex);
  Gemm& gemm = call.gemm;
  const Combination* types = findCombination(call.compute, gemm.a.type, gemm.b.type, gemm.c.type);
  if (types == nullptr) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, call.name,
                  "no product of types " + std::to_string(static_cast<int>(gemm.a.type)) + " and " +
                      std::to_string(static_cast<int>(gemm.b.type)) + " to " +
                      std::to_string(static_cast<int>(gemm.c.type)) + " with compute type " +
                      std::to_string(call.compute));
  }
  gemm.scale = types->scale;
  gemm.accumulator = types->scale == Type::f16 ? Type::f32 : types->scale;
  std::string problem = checkShape(gemm);
  const std::uint64_t scalarBytes = bytesOf(gemm.scale);
  if (problem.empty()) problem = scalarProblem("alpha", call.alpha, scalarBytes, handle->devicePointers);
  if (problem.empty()) problem = scalarProblem("beta", call.beta, scalarBytes, handle->devicePointers);
  if (!problem.empty()) return refuse(CUBLAS_STATUS_INVALID_VALUE, call.name, problem);
  if (gemm.m == 0 || gemm.n == 0 || gemm.batch == 0) return CUBLAS_STATUS_SUCCESS;
  problem = checkInt8(gemm);
  if (!problem.empty()) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, call.name, problem);
  problem = checkMemory(gemm);
  if (problem.empty()) problem = rangeProblem("the handle's workspace", handle->workspace, handle->workspaceBytes);
  if (!problem.empty()) return refuse(CUBLAS_STATUS_EXECUTION_FAILED, call.name, problem);
  if (simgpuStreamIsValid(handle->stream) == 0) {
    return refuse(CUBLAS_STATUS_EXECUTION_FAILED, call.name, "the handle's stream was destroyed");
  }
  auto* queued = new Queued{gemm};
  std::vector<simgpuRange> ranges;
  if (handle->devicePointers) {
    queued->alphaAt = call.alpha;
    queued->betaAt = call.beta;
    ranges = rangesOf(gemm, false);
    for (const auto& [name, at] : {std::pair{"alpha", call.alpha}, {"beta", call.beta}}) {
      ranges.push_back({name, reinterpret_cast<std::uint64_t>(at), scalarBytes, 1, 0, 0});
    }
  } else {
    std::memcpy(queued->alpha, call.alpha, scalarBytes);
    std::memcpy(queued->beta, call.beta, scalarBytes);
    ranges = rangesOf(gemm, load<double>(gemm.scale, bytesAt(queued->beta)) != 0);
  }
  const int result =
      simgpuSubmit(handle->stream, call.name, ranges.data(), ranges.size(), runQueued, queued, discardQueued);
  return result == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool known(cublasOperation op) { return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C; }

Operand operand(const void* data, int type, std::int64_t ld, cublasOperation op, std::int64_t stride = 0) {
  return {data, static_cast<Type>(type), ld, op != CUBLAS_OP_N, stride};
}

template <class Int> cublasStatus gemmEx(const char* name, SIMGPU_GEMM_EX(Int)) {
  (void)algorithm; // a hint that changes no result
  Call call{name, handle, {}, compute, alpha, beta};
  call.gemm.m = m, call.gemm.n = n, call.gemm.k = k;
  call.gemm.operationsKnown = known(opA) && known(opB);
  call.gemm.a = operand(a, typeA, lda, opA);
  call.gemm.b = operand(b, typeB, ldb, opB);
  call.gemm.c = operand(c, typeC, ldc, CUBLAS_OP_N);
  return submit(std::move(call));
}

template <class Int> cublasStatus gemmStridedEx(const char* name, SIMGPU_GEMM_STRIDED_EX(Int)) {
  (void)algorithm;
  Call call{name, handle, {}, compute, alpha, beta};
  call.gemm.m = m, call.gemm.n = n, call.gemm.k = k, call.gemm.batch = batch;
  call.gemm.operationsKnown = known(opA) && known(opB);
  call.gemm.a = operand(a, typeA, lda, opA, strideA);
  call.gemm.b = operand(b, typeB, ldb, opB, strideB);
  call.gemm.c = operand(c, typeC, ldc, CUBLAS_OP_N, strideC);
  return submit(std::move(call));
}

template <class Int> cublasStatus gemmBatchedEx(const char* name, SIMGPU_GEMM_BATCHED_EX(Int)) {
  (void)algorithm;
  Call call{name, handle, {}, compute, alpha, beta};
  call.gemm.m = m, call.gemm.n = n, call.gemm.k = k, call.gemm.batch = batch;
  call.gemm.operationsKnown = known(opA) && known(opB);
  call.gemm.a = operand(nullptr, typeA, lda, opA);
  call.gemm.b = operand(nullptr, typeB, ldb, opB);
  call.gemm.c = operand(nullptr, typeC, ldc, CUBLAS_OP_N);
  if (batch > 0) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(batch) * sizeof(void*);
    for (const auto& [which, list] : {std::pair{"the array of A", static_cast<const void*>(a)},
                                      {"the array of B", b}, {"the array of C", c}}) {
      const std::string problem = rangeProblem(which, list, bytes);
      if (!problem.empty()) return refuse(CUBLAS_STATUS_INVALID_VALUE, name, problem);
    }
    call.gemm.batchA.assign(a, a + batch);
    call.gemm.batchB.assign(b, b + batch);
    call.gemm.batchC.assign(c, c + batch);
  }
  return submit(std::move(call));
}

template <class Int, class Element> cublasStatus gemm(const char* name, SIMGPU_GEMM(Int, Element)) {
  constexpr bool wide = sizeof(Element) == 8;
  constexpr int type = static_cast<int>(wide ? Type::f64 : Type::f32);
  return gemmEx<Int>(name, handle, opA, opB, m, n, k, alpha, a, type, lda, b, type, ldb, beta, c, type, ldc,
                     wide ? compute64F : compute32F, 0);
}

template <class Int, class Element> cublasStatus gemmStrided(const char* name, SIMGPU_GEMM_STRIDED(Int, Element)) {
  constexpr bool wide = sizeof(Element) == 8;
  constexpr int type = static_cast<int>(wide ? Type::f64 : Type::f32);
  return gemmStridedEx<Int>(name, handle, opA, opB, m, n, k, alpha, a, type, lda, strideA, b, type, ldb, strideB, beta,
                            c, type, ldc, strideC, batch, wide ? compute64F : compute32F, 0);
}

} // namespace

#define GEMM_EX(name, Int)                                                                                             \
  cublasStatus name(SIMGPU_GEMM_EX(Int)) {                                                                             \
    return gemmEx<Int>(#name, handle, opA, opB, m, n, k, alpha, a, typeA, lda, b, typeB, ldb, beta, c, typeC, ldc,     \
                       compute, algorithm);                                                                            \
  }
#define GEMM_STRIDED_EX(name, Int)                                                                                     \
  cublasStatus name(SIMGPU_GEMM_STRIDED_EX(Int)) {                                                                     \
    return gemmStridedEx<Int>(#name, handle, opA, opB, m, n, k, alpha, a, typeA, lda, strideA, b, typeB, ldb, strideB, \
                              beta, c, typeC, ldc, strideC, batch, compute, algorithm);                                \
  }
#define GEMM_BATCHED_EX(name, Int)                                                                                     \
  cublasStatus name(SIMGPU_GEMM_BATCHED_EX(Int)) {                                                                     \
    return gemmBatchedEx<Int>(#name, handle, opA, opB, m, n, k, alpha, a, typeA, lda, b, typeB, ldb, beta, c, typeC,   \
                              ldc, batch, compute, algorithm);                                                         \
  }
#define GEMM(name, Int, Element)                                                                                       \
  cublasStatus name(SIMGPU_GEMM(Int, Element)) {                                                                       \
    return gemm<Int, Element>(#name, handle, opA, opB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                  \
  }
#define GEMM_STRIDED(name, Int, Element)                                                                               \
  cublasStatus name(SIMGPU_GEMM_STRIDED(Int, Element)) {                                                               \
    return gemmStrided<Int, Element>(#name, handle, opA, opB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta,  \
                                     c, ldc, strideC, batch);                                                          \
  }

GEMM_EX(cublasGemmEx, int)
GEMM_EX(cublasGemmEx_64, std::int64_t)
GEMM_STRIDED_EX(cublasGemmStridedBatchedEx, int)
GEMM_STRIDED_EX(cublasGemmStridedBatchedEx_64, std::int64_t)
GEMM_BATCHED_EX(cublasGemmBatchedEx, int)
GEMM_BATCHED_EX(cublasGemmBatchedEx_64, std::int64_t)
GEMM(cublasSgemm_v2, int, float)
GEMM(cublasSgemm_v2_64, std::int64_t, float)
GEMM(cublasDgemm_v2, int, double)
GEMM(cublasDgemm_v2_64, std::int64_t, double)
GEMM_STRIDED(cublasSgemmStridedBatched, int, float)
GEMM_STRIDED(cublasSgemmStridedBatched_64, std::int64_t, float)
GEMM_STRIDED(cublasDgemmStridedBatched, int, double)
GEMM_STRIDED(cublasDgemmStridedBatched_64, std::int64_t, double)
