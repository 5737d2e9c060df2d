// From tokens to one vector a sequence: the mean of the tokens a mask keeps, and rows of length 1.
#include <cmath>

#include "facts.cuh"
#include "norm/normalization.cuh"

namespace {

// Mean of the kept tokens of one sequence, in f32. A block has eight warps; each sums every eighth token for 256 features:
//
//   features    0..7   8..15   ...  248..255          16 bytes a lane
//   lane         0      1      ...     31
//   tokens      warp 0: 0, 8, 16 ...   warp 1: 1, 9, ...   then the warps' sums are added in order
constexpr int warps = 8;
constexpr int threads = warps * warpLanes;
constexpr int skew = 4;

template <typename T>
__device__ void meanPooling(const T* x, const void* mask, int maskBytes, float* y, int sequence, int columns, int pitchX,
                            int pitchY) {
  constexpr int P = perAccess<T>;
  // written by lanes side by side, read by features side by side: the skew makes both use 32 banks
  __shared__ float partial[warps][P][warpLanes + skew];
  __shared__ float kept[warps];
  int warp = threadIdx.x / warpLanes;
  int lane = threadIdx.x % warpLanes;
  int parts = ceilDiv(pitchY, warpLanes * P);
  int64_t batch = blockIdx.x / parts;
  int part = blockIdx.x % parts;
  int column = (part * warpLanes + lane) * P;
  float sum[P] = {};
  float count = 0;
  for (int token = warp; token < sequence; token += warps) {
    int64_t at = batch * sequence + token;
    float weight = mask == nullptr ? 1.0f
                   : maskBytes == 8 ? static_cast<float>(static_cast<const int64_t*>(mask)[at])
                                    : static_cast<float>(static_cast<const int32_t*>(mask)[at]);
    count += weight;
    if (weight != 0 && column < columns) {
      Pack<T> pack = Pack<T>::load(x + at * pitchX + column);
#pragma unroll
      for (int i = 0; i < P; i++) {
        sum[i] += weight * toFloat(pack.at[i]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < P; i++) {
    partial[warp][i][lane] = sum[i];
  }
  if (lane == 0) {
    kept[warp] = count;
  }
  __syncthreads();
  count = 0;
  for (int w = 0; w < warps; w++) {
    count += kept[w];
  }
  for (int i = threadIdx.x; i < warpLanes * P; i += threads) {
    int feature = part * warpLanes * P + i;
    if (feature < pitchY) {
      float total = 0;
      for (int w = 0; w < warps; w++) {
        total += partial[w][i % P][i / P];
      }
      // a sequence without tokens has the mean 0
      y[batch * pitchY + feature] = feature < columns && count != 0 ? total / count : 0;
    }
  }
}

// y = x / max(|x|, epsilon), a warp for each row.
template <typename From, typename To>
__device__ void normalizeLength(const From* x, To* y, int tokens, int columns, int pitchX, int pitchY, float epsilon) {
  int64_t token = blockIdx.x * (128 / warpLanes) + threadIdx.x / warpLanes;
  if (token >= tokens) {
    return;
  }
  const From* from = x + token * pitchX;
  To* to = y + token * pitchY;
  float squares = 0;
  for (int column = threadIdx.x % warpLanes * perAccess<From>; column < columns; column += warpLanes * perAccess<From>) {
    Pack<From> pack = Pack<From>::load(from + column);
#pragma unroll
    for (int i = 0; i < perAccess<From>; i++) {
      float value = column + i < columns ? toFloat(pack.at[i]) : 0;
      squares += value * value;
    }
  }
  float length = sqrtf(reduceWarp<Sum>(squares));
  // written so that a NaN stays one
  float divisor = length < epsilon ? epsilon : length;
  for (int column = threadIdx.x % warpLanes; column < pitchY; column += warpLanes) {
    to[column] = fromFloat<To>(column < columns ? toFloat(from[column]) / divisor : 0);
  }
}

}  // namespace

#define MEAN_POOLING(NAME, T)                                                                                       \
  extern "C" __global__ void __launch_bounds__(threads)                                                            \
      NAME(const T* x, const void* mask, int maskBytes, float* y, int sequence, int columns, int pitchX, int pitchY) { \
    KERNEL_FACT("operation meanPooling");                                                                            \
    KERNEL_FACT("grid sequences");                                                                                   \
    KERNEL_FACT_1("threads", threads);                                                                               \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer mask:pointer maskBytes:i32 y:pointer sequence:i32 columns:i32 pitchX:i32 "     \
                "pitchY:i32");                                                                                       \
    meanPooling(x, mask, maskBytes, y, sequence, columns, pitchX, pitchY);                                          \
  }

MEAN_POOLING(mean_pooling_f16, __half)
MEAN_POOLING(mean_pooling_bf16, __nv_bfloat16)

#define NORMALIZE_LENGTH(NAME, FROM, TO)                                                                           \
  extern "C" __global__ void __launch_bounds__(128)                                                                \
      NAME(const FROM* x, TO* y, int tokens, int columns, int pitchX, int pitchY, float epsilon) {                 \
    KERNEL_FACT("operation normalizeLength");                                                                        \
    KERNEL_FACT("grid warpPerRow");                                                                                  \
    KERNEL_FACT_1("threads", 128);                                                                                   \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer tokens:i32 columns:i32 pitchX:i32 pitchY:i32 epsilon:f32");          \
    normalizeLength(x, y, tokens, columns, pitchX, pitchY, epsilon);                                               \
  }

NORMALIZE_LENGTH(normalize_length_f32, float, float)
NORMALIZE_LENGTH(normalize_length_f16, __half, __half)
NORMALIZE_LENGTH(normalize_length_bf16, __nv_bfloat16, __nv_bfloat16)
