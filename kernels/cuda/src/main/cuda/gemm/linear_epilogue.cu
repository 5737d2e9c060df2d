// What follows a matrix product of a library, which knows no epilogue: y = activation(sums + bias + residual), rounded once.
#include "common/element.cuh"
#include "facts.cuh"
#include "gemm/activation.cuh"
#include "gemm/wide.cuh"

namespace {

constexpr int threads = 256;
constexpr int perThread = 8;

// Called, not inlined: once for each result, and half of the code otherwise.
__device__ __noinline__ float activated(float x, int kind) { return filigree::activate(x, kind); }

}  // namespace

// sums is [tokens][pitchSums] in f32. A thread takes eight neighbours; those behind the last row become zeros.
extern "C" __global__ void __launch_bounds__(threads)
    linear_epilogue_f16(const float* sums, const float* bias, const void* residual, void* y, int tokens, int rows,
                        int pitchSums, int pitchY, int pitchResidual, int activationKind, int wide) {
  KERNEL_FACT("operation linearEpilogue");
  KERNEL_FACT("grid eightPerThread");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT("parameters sums:pointer bias:pointer residual:pointer y:pointer tokens:i32 rows:i32 pitchSums:i32 "
              "pitchY:i32 pitchResidual:i32 activationKind:i32 wide:i32");
  int perRow = ceilDiv(pitchY, perThread);
  int64_t item = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  int64_t token = item / perRow;
  if (token >= tokens) {
    return;
  }
  int first = static_cast<int>(item % perRow) * perThread;
  float results[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    int row = first + i;
    float result = 0;
    if (row < rows) {
      result = sums[token * pitchSums + row];
      result += bias == nullptr ? 0 : bias[row];
      if (residual != nullptr) {
        int64_t at = token * pitchResidual + row;
        result += wide & filigree::wideResidual ? static_cast<const float*>(residual)[at]
                                                : __half2float(static_cast<const __half*>(residual)[at]);
      }
      result = activationKind == filigree::noActivation ? result : activated(result, activationKind);
    }
    results[i] = result;
  }
  if (wide & filigree::wideResult) {
    float* to = static_cast<float*>(y) + token * pitchY + first;
#pragma unroll
    for (int i = 0; i < perThread; i += 4) {
      if (first + i < pitchY) {
        *reinterpret_cast<float4*>(to + i) = make_float4(results[i], results[i + 1], results[i + 2], results[i + 3]);
      }
    }
    return;
  }
  Pack<__half> pack;
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    pack.at[i] = __float2half_rn(results[i]);
  }
  pack.store(static_cast<__half*>(y) + token * pitchY + first);
}
