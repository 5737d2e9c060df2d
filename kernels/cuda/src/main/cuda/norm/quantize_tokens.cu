// Quantisation of each token to int8 with a scale of its own: x is about y * tokenScale.
//
// tokenScale = max |x| / 127 and y = x * (127 / max |x|), rounded to nearest with ties to even, so the same on every
// device. A token of zeros has scale 0 and codes 0. A token with a NaN has a NaN as its scale, one with an infinity has an
// infinity, and both have codes 0: what multiplies them becomes a NaN, and the trouble stays in its token.
#include "facts.cuh"
#include "norm/normalization.cuh"

namespace {

constexpr float largestCode = 127;
// below it 127 / max |x| may overflow in bf16: such a token counts as zeros
constexpr float smallest = 1e-30f;


template <int THREADS>
constexpr int blockThreads = THREADS < 128 ? 128 : THREADS;

__device__ inline unsigned code(float x, float factor) { return __float2int_rn(x * factor) & 0xff; }

template <typename T, int THREADS, int HELD>
__device__ void quantize(const T* x, int8_t* y, float* tokenScales, int tokens, int columns, int pitchX, int pitchY) {
  static_assert(perAccess<T> == 8, "eight codes are stored at once");
  int64_t token = blockIdx.x * (blockThreads<THREADS> / THREADS) + threadIdx.x / THREADS;
  if (token >= tokens) {
    return;
  }
  auto load = [&](int column, float(&values)[perAccess<T>]) {
    Pack<T> own = Pack<T>::load(x + token * pitchX + column);
#pragma unroll
    for (int i = 0; i < perAccess<T>; i++) {
      values[i] = toFloat(own.at[i]);
    }
  };
  HeldRow<T, THREADS, HELD, decltype(load)> row(columns, load);
  float greatest = 0;
  row.forEach([&](int, float value) { greatest = Max::of(fabsf(value), greatest); });
  greatest = Group<THREADS>::template reduce<Max>(greatest);
  bool finite = greatest < INFINITY;
  bool zero = greatest < smallest;
  float factor = finite && !zero ? largestCode / greatest : 0;
  if (threadIdx.x % THREADS == 0) {
    tokenScales[token] = zero ? 0 : greatest / largestCode;
  }
  int8_t* to = y + token * pitchY;
  row.forEachAccess([&](int column, const float(&values)[perAccess<T>]) {
    unsigned words[2] = {};
#pragma unroll
    for (int i = 0; i < 8; i++) {
      bool exists = finite && column + i < columns;
      words[i / 4] |= (exists ? code(values[i], factor) : 0) << i % 4 * 8;
    }
    *reinterpret_cast<uint2*>(to + column) = make_uint2(words[0], words[1]);
  });
  int covered = ceilDiv(columns, 8) * 8;
  for (int column = covered + threadIdx.x % THREADS * 8; column < pitchY; column += THREADS * 8) {
    *reinterpret_cast<uint2*>(to + column) = make_uint2(0, 0);
  }
}

}  // namespace

#define QUANTIZE(NAME, T, THREADS, HELD, GRID)                                                                              \
  extern "C" __global__ void __launch_bounds__(blockThreads<THREADS>)                                         \
      NAME(const T* x, int8_t* y, float* tokenScales, int tokens, int columns, int pitchX, int pitchY) {              \
    KERNEL_FACT("operation quantizeTokens");                                                                         \
    KERNEL_FACT("grid " GRID "");                                                                                    \
    KERNEL_FACT_1("threads", blockThreads<THREADS>);                                                                 \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer tokenScales:pointer tokens:i32 columns:i32 pitchX:i32 pitchY:i32");  \
    quantize<T, THREADS, HELD>(x, y, tokenScales, tokens, columns, pitchX, pitchY);                                   \
  }

QUANTIZE(quantize_tokens_f16, __half, 32, 3, "warpPerRow")
QUANTIZE(quantize_tokens_f16_wide, __half, 256, 1, "blockPerRow")
QUANTIZE(quantize_tokens_bf16, __nv_bfloat16, 32, 3, "warpPerRow")
QUANTIZE(quantize_tokens_bf16_wide, __nv_bfloat16, 256, 1, "blockPerRow")
