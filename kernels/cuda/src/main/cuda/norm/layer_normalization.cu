// LayerNorm and RMSNorm of rows, after an optional residual: y = normalised(x + residual) * scale + bias.
#include "facts.cuh"
#include "norm/normalization.cuh"

namespace {

// Threads of a block; with a warp for a row it holds several rows.
template <int THREADS>
constexpr int blockThreads = THREADS < 128 ? 128 : THREADS;

// sum, if not null, receives x + residual: the residual stream of a network that normalises first. exact, if not null,
// receives y in f32: the residual stream of one that normalises last. In and the residual are of one type.
template <typename In, typename T, int THREADS, int HELD, bool CENTRED>
__device__ void normalise(const In* x, const In* residual, const float* scale, const float* bias, In* sum, T* y,
                          float* exact, int tokens, int columns, int pitchX, int pitchResidual, int pitchSum, int pitchY,
                          int pitchExact, float epsilon) {
  int64_t token = blockIdx.x * (blockThreads<THREADS> / THREADS) + threadIdx.x / THREADS;
  if (token >= tokens) {
    return;
  }
  auto load = [&](int column, float(&values)[perAccess<In>]) {
    Pack<In> own = Pack<In>::load(x + token * pitchX + column);
    Pack<In> other = residual == nullptr ? Pack<In>::zero() : Pack<In>::load(residual + token * pitchResidual + column);
#pragma unroll
    for (int i = 0; i < perAccess<In>; i++) {
      values[i] = toFloat(own.at[i]) + toFloat(other.at[i]);
    }
  };
  HeldRow<In, THREADS, HELD, decltype(load)> row(columns, load);
  if (sum != nullptr) {
    row.forEachReread([&](int column, const float(&values)[perAccess<In>]) {
      storeAccess(sum + token * pitchSum, column, columns, [&](int i) { return values[i]; });
    });
    zeroPadding<In, THREADS>(sum + token * pitchSum, columns, pitchSum);
  }
  storeNormalised<In, THREADS, CENTRED>(row, epsilon, scale, bias, y == nullptr ? y : y + token * pitchY, pitchY,
                                        exact == nullptr ? exact : exact + token * pitchExact, pitchExact);
}

}  // namespace

#define NORMALIZATION(NAME, OPERATION, IN, T, THREADS, HELD, CENTRED, GRID)                                           \
  extern "C" __global__ void __launch_bounds__(blockThreads<THREADS>)                                                 \
      NAME(const IN* x, const IN* residual, const float* scale, const float* bias, IN* sum, T* y, float* exact,       \
           int tokens, int columns, int pitchX, int pitchResidual, int pitchSum, int pitchY, int pitchExact,          \
           float epsilon) {                                                                                           \
    KERNEL_FACT("operation " OPERATION "");                                                                           \
    KERNEL_FACT("grid " GRID "");                                                                                     \
    KERNEL_FACT_1("threads", blockThreads<THREADS>);                                                                  \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                  \
    KERNEL_FACT("parameters x:pointer residual:pointer scale:pointer bias:pointer sum:pointer y:pointer "             \
                "exact:pointer tokens:i32 columns:i32 pitchX:i32 pitchResidual:i32 pitchSum:i32 pitchY:i32 "          \
                "pitchExact:i32 epsilon:f32");                                                                        \
    normalise<IN, T, THREADS, HELD, CENTRED>(x, residual, scale, bias, sum, y, exact, tokens, columns, pitchX,        \
                                             pitchResidual, pitchSum, pitchY, pitchExact, epsilon);                   \
  }

NORMALIZATION(layer_normalization_f16, "layerNormalization", __half, __half, 32, 3, true, "warpPerRow")
NORMALIZATION(layer_normalization_f16_wide, "layerNormalization", __half, __half, 256, 1, true, "blockPerRow")
NORMALIZATION(layer_normalization_bf16, "layerNormalization", __nv_bfloat16, __nv_bfloat16, 32, 3, true, "warpPerRow")
NORMALIZATION(layer_normalization_bf16_wide, "layerNormalization", __nv_bfloat16, __nv_bfloat16, 256, 1, true, "blockPerRow")
NORMALIZATION(rms_normalization_f16, "rmsNormalization", __half, __half, 32, 3, false, "warpPerRow")
NORMALIZATION(rms_normalization_f16_wide, "rmsNormalization", __half, __half, 256, 1, false, "blockPerRow")
NORMALIZATION(rms_normalization_bf16, "rmsNormalization", __nv_bfloat16, __nv_bfloat16, 32, 3, false, "warpPerRow")
NORMALIZATION(rms_normalization_bf16_wide, "rmsNormalization", __nv_bfloat16, __nv_bfloat16, 256, 1, false, "blockPerRow")
NORMALIZATION(layer_normalization_f32, "layerNormalization", float, __half, 32, 6, true, "warpPerRow")
NORMALIZATION(layer_normalization_f32_wide, "layerNormalization", float, __half, 256, 2, true, "blockPerRow")
NORMALIZATION(rms_normalization_f32, "rmsNormalization", float, __half, 32, 6, false, "warpPerRow")
NORMALIZATION(rms_normalization_f32_wide, "rmsNormalization", float, __half, 256, 2, false, "blockPerRow")
