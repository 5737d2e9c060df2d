// SpMM and SpMV, checked and queued in the handle's stream.
#include "cusparse/sparse_product.h"
#include "library/memory_check.h"

#include <algorithm>
#include <cstring>

using namespace simgpu::library;

namespace {

struct Call {
  const char* name = "";
  std::shared_ptr<SparseHandle> handle;
  SparseProduct product;
  const void* alpha = nullptr;
  const void* beta = nullptr;
  std::string problem; // a missing handle or descriptor
  bool algorithmKnown = true; // and for the format of A
};

struct Queued {
  SparseProduct product;
  double alpha[1] = {}; // copies of host scalars, as bytes
  double beta[1] = {};
  const void* alphaAt = nullptr;
  const void* betaAt = nullptr;
  const char* name = "";
};

// cusparseSpMMAlg_t and cusparseSpMVAlg_t, as far as they belong to CSR and Blocked-ELL; none changes a result here.
constexpr int spmmDefault = 0;
constexpr int spmmBlockedEll = 13;
constexpr int spmvDefault = 0;
constexpr int spmvCsr1 = 2;
constexpr int spmvCsr2 = 3;

bool isCsrAlgorithm(int algorithm) { return algorithm == 4 || algorithm == 6 || algorithm == 12; }

bool isOperation(cusparseOperation op) {
  return op == CUSPARSE_NON_TRANSPOSE || op == CUSPARSE_TRANSPOSE || op == CUSPARSE_CONJUGATE_TRANSPOSE;
}

/** Types of A and B, of C, and of the sums, that the library computes; complex types left out. */
bool knownCombination(const SparseProduct& product) {
  const Type ab = product.a.type;
  const Type c = product.c.type;
  if (ab != product.b.type) return false;
  switch (product.compute) {
  case Type::f32:
    if (ab == Type::s8 || ab == Type::f32) return c == Type::f32;
    return (ab == Type::f16 || ab == Type::bf16) && (c == ab || c == Type::f32);
  case Type::f64: return ab == Type::f64 && c == Type::f64;
  case Type::s32: return ab == Type::s8 && c == Type::s32;
  default: return false;
  }
}

/** Bytes of workspace the simulated library asks for, so that programs that forget it are found. */
std::size_t workspaceBytes(const SparseProduct& product) {
  constexpr std::size_t unit = 256;
  return (static_cast<std::size_t>(std::max(product.a.rows, product.a.columns)) * 8 / unit + 1) * unit;
}

cusparseStatus check(const Call& call) {
  const auto refused = [&](cusparseStatus status, const std::string& reason) {
    return refuse(status, call.name, reason);
  };
  if (call.handle == nullptr) {
    return refused(CUSPARSE_STATUS_NOT_INITIALIZED, "the handle was not created, or destroyed");
  }
  if (!call.problem.empty()) return refused(CUSPARSE_STATUS_INVALID_VALUE, call.problem);
  const SparseProduct& product = call.product;
  const std::size_t scalarBytes = bytesOf(product.compute);
  for (const auto& [name, at] : {std::pair{"alpha", call.alpha}, {"beta", call.beta}}) {
    const std::string problem = scalarProblem(name, at, scalarBytes, call.handle->devicePointers);
    if (!problem.empty()) return refused(CUSPARSE_STATUS_INVALID_VALUE, problem);
  }
  const std::int64_t rows = product.transposeA ? product.a.columns : product.a.rows;
  const std::int64_t innerA = product.transposeA ? product.a.rows : product.a.columns;
  const std::int64_t innerB = product.transposeB ? product.b.columns : product.b.rows;
  const std::int64_t columns = product.transposeB ? product.b.rows : product.b.columns;
  if (innerA != innerB || product.c.rows != rows || product.c.columns != columns) {
    const auto size = [](std::int64_t m, std::int64_t n) { return std::to_string(m) + "x" + std::to_string(n); };
    return refused(CUSPARSE_STATUS_INVALID_VALUE, "sizes do not match: " + size(rows, innerA) + " times " +
                                                      size(innerB, columns) + " to " +
                                                      size(product.c.rows, product.c.columns));
  }
  if (product.a.format == CUSPARSE_FORMAT_BLOCKED_ELL && product.transposeA) {
    return refused(CUSPARSE_STATUS_NOT_SUPPORTED, "a Blocked-ELL matrix cannot be transposed");
  }
  if (!knownCombination(product)) return refused(CUSPARSE_STATUS_NOT_SUPPORTED, "no product of these types");
  if (!call.algorithmKnown) return refused(CUSPARSE_STATUS_NOT_SUPPORTED, "no such algorithm for the format of A");
  return CUSPARSE_STATUS_SUCCESS;
}

int runQueued(void* data) {
  const auto& queued = *static_cast<const Queued*>(data);
  constexpr int illegalAddress = 700;
  std::string problem = checkMemory(queued.product);
  if (problem.empty()) {
    problem = multiply(queued.product, queued.alphaAt != nullptr ? queued.alphaAt : queued.alpha,
                       queued.betaAt != nullptr ? queued.betaAt : queued.beta);
  }
  if (problem.empty()) return 0;
  simgpuRefused(queued.name, problem.c_str());
  return illegalAddress;
}

void discardQueued(void* data) { delete static_cast<Queued*>(data); }

cusparseStatus submit(const Call& call, const void* buffer) {
  if (const cusparseStatus bad = check(call)) return bad;
  std::string problem = rangeProblem("the external buffer", buffer, workspaceBytes(call.product));
  if (!problem.empty()) return refuse(CUSPARSE_STATUS_INVALID_VALUE, call.name, problem);
  problem = checkMemory(call.product);
  if (problem.empty() && simgpuStreamIsValid(call.handle->stream) == 0) problem = "the handle's stream was destroyed";
  if (!problem.empty()) return refuse(CUSPARSE_STATUS_EXECUTION_FAILED, call.name, problem);
  auto* queued = new Queued{call.product};
  queued->name = call.name;
  const std::size_t scalarBytes = bytesOf(call.product.compute);
  std::vector<simgpuRange> ranges;
  if (call.handle->devicePointers) {
    queued->alphaAt = call.alpha;
    queued->betaAt = call.beta;
    ranges = rangesOf(call.product, false);
    for (const auto& [name, at] : {std::pair{"alpha", call.alpha}, {"beta", call.beta}}) {
      ranges.push_back({name, reinterpret_cast<std::uint64_t>(at), scalarBytes, 1, 0, 0});
    }
  } else {
    std::memcpy(queued->alpha, call.alpha, scalarBytes);
    std::memcpy(queued->beta, call.beta, scalarBytes);
    ranges = rangesOf(call.product, load<double>(call.product.compute, bytesAt(queued->beta)) != 0);
  }
  const int result =
      simgpuSubmit(call.handle->stream, call.name, ranges.data(), ranges.size(), runQueued, queued, discardQueued);
  return result == 0 ? CUSPARSE_STATUS_SUCCESS : CUSPARSE_STATUS_EXECUTION_FAILED;
}

template <class Dense>
Call makeCall(const char* name, cusparseHandle handle, cusparseSpMat a, const Dense& b, const Dense& c,
              cusparseOperation opA, cusparseOperation opB, const void* alpha, const void* beta, int compute) {
  Call call{name, SparseHandles::instance().find(handle), {}, alpha, beta, {}, true};
  const auto sparse = SparseMatrices::instance().find(a);
  if (sparse == nullptr || b == nullptr || c == nullptr) {
    call.problem = "a descriptor was not created, or destroyed";
    return call;
  }
  if (!isOperation(opA) || !isOperation(opB)) call.problem = "no such operation";
  call.product = {*sparse, *b, *c, opA != CUSPARSE_NON_TRANSPOSE, opB != CUSPARSE_NON_TRANSPOSE,
                  static_cast<Type>(compute)};
  return call;
}

Call spmm(const char* name, SIMGPU_SPMM_ARGUMENTS) {
  Call call = makeCall(name, handle, a, DenseMatrices::instance().find(b), DenseMatrices::instance().find(c), opA, opB,
                       alpha, beta, computeType);
  const bool ell = call.product.a.format == CUSPARSE_FORMAT_BLOCKED_ELL;
  call.algorithmKnown = algorithm == spmmDefault || (ell ? algorithm == spmmBlockedEll : isCsrAlgorithm(algorithm));
  return call;
}

Call spmv(const char* name, SIMGPU_SPMV_ARGUMENTS) {
  Call call = makeCall(name, handle, a, DenseVectors::instance().find(x), DenseVectors::instance().find(y), opA,
                       CUSPARSE_NON_TRANSPOSE, alpha, beta, computeType);
  call.algorithmKnown = algorithm == spmvDefault || algorithm == spmvCsr1 || algorithm == spmvCsr2;
  if (call.product.a.format != CUSPARSE_FORMAT_CSR) call.algorithmKnown = false; // no such product
  return call;
}

cusparseStatus giveSize(const Call& call, std::size_t* bytes) {
  if (const cusparseStatus bad = check(call)) return bad;
  if (bytes == nullptr) return CUSPARSE_STATUS_INVALID_VALUE;
  *bytes = workspaceBytes(call.product);
  return CUSPARSE_STATUS_SUCCESS;
}

} // namespace

cusparseStatus cusparseSpMM_bufferSize(SIMGPU_SPMM_ARGUMENTS, std::size_t* bytes) {
  return giveSize(spmm("cusparseSpMM_bufferSize", handle, opA, opB, alpha, a, b, beta, c, computeType, algorithm),
                  bytes);
}

cusparseStatus cusparseSpMM_preprocess(SIMGPU_SPMM_ARGUMENTS, void*) {
  return check(spmm("cusparseSpMM_preprocess", handle, opA, opB, alpha, a, b, beta, c, computeType, algorithm));
}

cusparseStatus cusparseSpMM(SIMGPU_SPMM_ARGUMENTS, void* buffer) {
  return submit(spmm("cusparseSpMM", handle, opA, opB, alpha, a, b, beta, c, computeType, algorithm), buffer);
}

cusparseStatus cusparseSpMV_bufferSize(SIMGPU_SPMV_ARGUMENTS, std::size_t* bytes) {
  return giveSize(spmv("cusparseSpMV_bufferSize", handle, opA, alpha, a, x, beta, y, computeType, algorithm), bytes);
}

cusparseStatus cusparseSpMV(SIMGPU_SPMV_ARGUMENTS, void* buffer) {
  return submit(spmv("cusparseSpMV", handle, opA, alpha, a, x, beta, y, computeType, algorithm), buffer);
}
