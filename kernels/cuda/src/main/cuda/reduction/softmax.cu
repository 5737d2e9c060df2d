// Softmax, and its logarithm, along one axis.
#include <cmath>

#include "common/walk.cuh"
#include "facts.cuh"
#include "norm/normalization.cuh"
#include "reduction/share.cuh"

namespace {

// The greatest element and the sum of exp(x - greatest). Adding keeps both up to date, so that a row is read once for them
// (M. Milakov, N. Gimelshein: Online normalizer calculation for softmax, 2018).
struct Normalizer {
  float greatest;
  float sum;

  // A NaN is in the sum alone. While all are minus infinity, the difference from it would be NaN although a greater element
  // may follow.
  __device__ static float reference(float greatest) { return greatest == -INFINITY ? 0 : greatest; }

  template <int COUNT>
  __device__ void add(const float (&x)[COUNT]) {
    float before = greatest;
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      greatest = fmaxf(greatest, x[i]);
    }
    float from = reference(greatest);
    sum *= expf(before - from);
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      sum += expf(x[i] - from);
    }
  }

  __device__ static Normalizer of(Normalizer a, Normalizer b) {
    float greatest = fmaxf(a.greatest, b.greatest);
    float from = reference(greatest);
    return {greatest, a.sum * expf(a.greatest - from) + b.sum * expf(b.greatest - from)};
  }

  __device__ float apply(float x, bool logarithm) const {
    return logarithm ? x - greatest - logf(sum) : expf(x - greatest) / sum;
  }
};

template <int THREADS>
constexpr int blockThreads = THREADS < 128 ? 128 : THREADS;

// Rows of neighbouring elements.
template <typename T, int THREADS, int HELD>
__device__ void softmaxRows(const T* x, T* y, int rows, int columns, int pitchX, int pitchY, int logarithm) {
  int64_t at = blockIdx.x * (blockThreads<THREADS> / THREADS) + threadIdx.x / THREADS;
  if (at >= rows) {
    return;
  }
  auto load = [&](int column, float(&values)[perAccess<T>]) {
    Pack<T> pack = Pack<T>::load(x + at * pitchX + column);
#pragma unroll
    for (int i = 0; i < perAccess<T>; i++) {
      values[i] = toFloat(pack.at[i]);
    }
  };
  HeldRow<T, THREADS, HELD, decltype(load)> row(columns, load);
  float greatest = -INFINITY;
  row.forEach([&](int, float value) { greatest = Max::of(value, greatest); });
  greatest = Group<THREADS>::template reduce<Max>(greatest);
  float sum = 0;
  row.forEach([&](int, float value) { sum += expf(value - greatest); });
  Normalizer whole{greatest, Group<THREADS>::template reduce<Sum>(sum)};
  T* to = y + at * pitchY;
  row.forEachAccess([&](int column, const float(&values)[perAccess<T>]) {
    storeAccess(to, column, columns, [&](int i) { return whole.apply(values[i], logarithm != 0); });
  });
  zeroPadding<T, THREADS>(to, columns, pitchY);
}

// Any other axis: a lane is one of the rows of outer axes, and a place in the last axis. Its element j is j * step further.
// Neighbouring threads take neighbouring lanes, and share them with others of their block.
template <typename T>
__device__ void softmaxColumns(const T* x, T* y, const Axes& extents, const Axes& stepsX, const Axes& stepsY,
                               int64_t lanes, int length, int inner, int64_t stepX, int64_t stepY, int logarithm,
                               int share) {
  int width = columnThreads / share;
  int64_t lane = static_cast<int64_t>(blockIdx.x) * width + threadIdx.x % width;
  if (lane < lanes) {
    uint32_t row = lane / inner;
    x += rowOffset(row, extents, stepsX) + lane % inner;
    y += rowOffset(row, extents, stepsY) + lane % inner;
  } else {
    length = 0;
  }
  // what lies beyond the end adds nothing
  auto load = [&](int64_t j, float(&values)[readAhead]) {
#pragma unroll
    for (int k = 0; k < readAhead; k++) {
      int64_t at = j + k * share;
      values[k] = at < length ? toFloat(x[at * stepX]) : -INFINITY;
    }
  };
  Normalizer part{-INFINITY, 0};
  for (int64_t j = threadIdx.x / width; j < length; j += readAhead * share) {
    float values[readAhead];
    load(j, values);
    part.add(values);
  }
  Normalizer whole = gathered(part, width, Normalizer::of);
  // a difference of infinities is in the sum
  if (isinf(whole.greatest)) {
    whole.sum = NAN;
  }
  for (int64_t j = threadIdx.x / width; j < length; j += readAhead * share) {
    float values[readAhead];
    load(j, values);
#pragma unroll
    for (int k = 0; k < readAhead; k++) {
      int64_t at = j + k * share;
      if (at < length) {
        y[at * stepY] = fromFloat<T>(whole.apply(values[k], logarithm != 0));
      }
    }
  }
}

}  // namespace

#define SOFTMAX(NAME, T, THREADS, HELD, GRID)                                                                           \
  extern "C" __global__ void __launch_bounds__(blockThreads<THREADS>)                                     \
      NAME(const T* x, T* y, int rows, int columns, int pitchX, int pitchY, int logarithm) {                      \
    KERNEL_FACT("operation softmax");                                                                                \
    KERNEL_FACT("grid " GRID "");                                                                                    \
    KERNEL_FACT_1("threads", blockThreads<THREADS>);                                                                 \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer rows:i32 columns:i32 pitchX:i32 pitchY:i32 logarithm:i32");          \
    softmaxRows<T, THREADS, HELD>(x, y, rows, columns, pitchX, pitchY, logarithm);                                \
  }

SOFTMAX(softmax_f16, __half, 32, 2, "warpPerRow")
SOFTMAX(softmax_f16_wide, __half, 256, 1, "blockPerRow")
SOFTMAX(softmax_bf16, __nv_bfloat16, 32, 2, "warpPerRow")
SOFTMAX(softmax_bf16_wide, __nv_bfloat16, 256, 1, "blockPerRow")
SOFTMAX(softmax_f32, float, 32, 4, "warpPerRow")
SOFTMAX(softmax_f32_wide, float, 256, 1, "blockPerRow")

#define SOFTMAX_COLUMNS(NAME, T)                                                                                     \
  extern "C" __global__ void __launch_bounds__(columnThreads)                                                        \
      NAME(const T* x, T* y, Axes extents, Axes stepsX, Axes stepsY, int64_t lanes, int length, int inner,           \
           int64_t stepX, int64_t stepY, int logarithm, int share) {                                                 \
    KERNEL_FACT("operation softmaxColumns");                                                                         \
    KERNEL_FACT("grid shares");                                                                                      \
    KERNEL_FACT_1("threads", columnThreads);                                                                         \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer extents:axes stepsX:axes stepsY:axes lanes:i64 length:i32 "          \
                "inner:i32 stepX:i64 stepY:i64 logarithm:i32 share:i32");                                            \
    softmaxColumns(x, y, extents, stepsX, stepsY, lanes, length, inner, stepX, stepY, logarithm, share);             \
  }

SOFTMAX_COLUMNS(softmax_columns_f16, __half)
SOFTMAX_COLUMNS(softmax_columns_bf16, __nv_bfloat16)
SOFTMAX_COLUMNS(softmax_columns_f32, float)
