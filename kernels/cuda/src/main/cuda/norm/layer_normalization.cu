// LayerNorm and RMSNorm of rows, after an optional residual: y = normalised(x + residual) * scale + bias.
#include "facts.cuh"
#include "norm/normalization.cuh"

namespace {

// Threads of a block; with a warp for a row it holds several rows.
template <int THREADS>
constexpr int blockThreads = THREADS < 128 ? 128 : THREADS;

// sum, if not null, receives x + residual: the residual stream of a network that normalises first.
template <typename T, int THREADS, int HELD, bool CENTRED>
__device__ void normalise(const T* x, const T* residual, const float* scale, const float* bias, T* sum, T* y,
                          int tokens, int columns, int pitchX, int pitchResidual, int pitchSum, int pitchY,
                          float epsilon) {
  int64_t token = blockIdx.x * (blockThreads<THREADS> / THREADS) + threadIdx.x / THREADS;
  if (token >= tokens) {
    return;
  }
  auto load = [&](int column, float(&values)[perAccess<T>]) {
    Pack<T> own = Pack<T>::load(x + token * pitchX + column);
    Pack<T> other = residual == nullptr ? Pack<T>::zero() : Pack<T>::load(residual + token * pitchResidual + column);
#pragma unroll
    for (int i = 0; i < perAccess<T>; i++) {
      values[i] = toFloat(own.at[i]) + toFloat(other.at[i]);
    }
  };
  HeldRow<T, THREADS, HELD, decltype(load)> row(columns, load);
  if (sum != nullptr) {
    row.forEachReread([&](int column, const float(&values)[perAccess<T>]) {
      storeAccess(sum + token * pitchSum, column, columns, [&](int i) { return values[i]; });
    });
    zeroPadding<T, THREADS>(sum + token * pitchSum, columns, pitchSum);
  }
  storeNormalised<T, THREADS, CENTRED>(row, epsilon, scale, bias, y + token * pitchY, pitchY);
}

}  // namespace

#define NORMALIZATION(NAME, OPERATION, T, THREADS, HELD, CENTRED, GRID)                                                              \
  extern "C" __global__ void __launch_bounds__(blockThreads<THREADS>)                                                     \
      NAME(const T* x, const T* residual, const float* scale, const float* bias, T* sum, T* y, int tokens,          \
           int columns, int pitchX, int pitchResidual, int pitchSum, int pitchY, float epsilon) {                   \
    KERNEL_FACT("operation " OPERATION "");                                                                          \
    KERNEL_FACT("grid " GRID "");                                                                                    \
    KERNEL_FACT_1("threads", blockThreads<THREADS>);                                                                 \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer residual:pointer scale:pointer bias:pointer sum:pointer y:pointer "            \
                "tokens:i32 columns:i32 pitchX:i32 pitchResidual:i32 pitchSum:i32 pitchY:i32 "                       \
                "epsilon:f32");                                                                                      \
    normalise<T, THREADS, HELD, CENTRED>(x, residual, scale, bias, sum, y, tokens, columns, pitchX, pitchResidual, \
                                         pitchSum, pitchY, epsilon);                                                \
  }

NORMALIZATION(layer_normalization_f16, "layerNormalization", __half, 32, 3, true, "warpPerRow")
NORMALIZATION(layer_normalization_f16_wide, "layerNormalization", __half, 256, 1, true, "blockPerRow")
NORMALIZATION(layer_normalization_bf16, "layerNormalization", __nv_bfloat16, 32, 3, true, "warpPerRow")
NORMALIZATION(layer_normalization_bf16_wide, "layerNormalization", __nv_bfloat16, 256, 1, true, "blockPerRow")
NORMALIZATION(rms_normalization_f16, "rmsNormalization", __half, 32, 3, false, "warpPerRow")
NORMALIZATION(rms_normalization_f16_wide, "rmsNormalization", __half, 256, 1, false, "blockPerRow")
NORMALIZATION(rms_normalization_bf16, "rmsNormalization", __nv_bfloat16, 32, 3, false, "warpPerRow")
NORMALIZATION(rms_normalization_bf16_wide, "rmsNormalization", __nv_bfloat16, 256, 1, false, "blockPerRow")
