// Reductions over any axes of tensors of any type the scalar reference reduces. Floats are summed in f32, in an order that
// depends on the shape alone; integers in 64 bits, and stored wrapped.
//
// Element o of the result folds the elements at keptOffset(o) + foldedOffset(i) for every i. Two ways to share the work:
//   rows      neighbouring threads take neighbouring i, up to a whole block for each result: where the last axis is folded
//   columns   neighbouring threads take neighbouring o, and share a result with others of their block: where it is kept
#include <cmath>
#include <type_traits>

#include "common/activation.cuh"
#include "common/group.cuh"
#include "common/walk.cuh"
#include "facts.cuh"
#include "reduction/share.cuh"

namespace {

constexpr int rowThreads = 256;

// The codes of the parameter `operation`; Reduction.java has the same order.
enum class Operation { sum, mean, max, min, product, l1, l2, sumSquares, logSum, logSumExp };

// What is gathered on the way: one number, or for logSumExp the greatest and the sum relative to it.
struct Folded {
  float value;
  float greatest;
};

__device__ inline Folded neutral(Operation operation) {
  switch (operation) {
    case Operation::max: return {-INFINITY, 0};
    case Operation::min: return {INFINITY, 0};
    case Operation::product: return {1, 0};
    default: return {0, -INFINITY};
  }
}

__device__ inline Folded single(Operation operation, float x) {
  switch (operation) {
    case Operation::l1: return {fabsf(x), 0};
    case Operation::l2:
    case Operation::sumSquares: return {x * x, 0};
    case Operation::logSumExp: return {1, x};
    default: return {x, 0};
  }
}

__device__ inline Folded folded(Operation operation, Folded a, Folded b) {
  switch (operation) {
    case Operation::max: return {greater(a.value, b.value), 0};
    case Operation::min: return {lesser(a.value, b.value), 0};
    case Operation::product: return {a.value * b.value, 0};
    case Operation::logSumExp: {
      float greatest = greater(a.greatest, b.greatest);
      // an infinite or NaN greatest is the result; differences from it would be NaN
      if (!(fabsf(greatest) < INFINITY)) {
        return {1, greatest};
      }
      return {a.value * expf(a.greatest - greatest) + b.value * expf(b.greatest - greatest), greatest};
    }
    default: return {a.value + b.value, 0};
  }
}

__device__ inline float finished(Operation operation, Folded all, int64_t count) {
  switch (operation) {
    case Operation::mean: return all.value / count;
    case Operation::l2: return sqrtf(all.value);
    case Operation::logSum: return logf(all.value);
    case Operation::logSumExp: return fabsf(all.greatest) < INFINITY ? all.greatest + logf(all.value) : all.greatest;
    default: return all.value;
  }
}

// Integers: all operations but the last three of floats.
struct Whole {
  int64_t value;
};

template <typename T>
__device__ Whole neutralWhole(Operation operation) {
  constexpr bool isSigned = static_cast<T>(-1) < static_cast<T>(0);
  constexpr int64_t least = !isSigned ? 0 : sizeof(T) == 8 ? INT64_MIN : -(int64_t{1} << (sizeof(T) * 8 - 1));
  constexpr int64_t most = !isSigned ? 255 : -(least + 1);
  switch (operation) {
    case Operation::max: return {least};
    case Operation::min: return {most};
    case Operation::product: return {1};
    default: return {0};
  }
}

__device__ inline Whole single(Operation operation, int64_t x) {
  switch (operation) {
    case Operation::l1: return {x < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x};
    case Operation::sumSquares: return {x * x};
    default: return {x};
  }
}

__device__ inline Whole folded(Operation operation, Whole a, Whole b) {
  switch (operation) {
    case Operation::max: return {max(a.value, b.value)};
    case Operation::min: return {min(a.value, b.value)};
    case Operation::product: return {a.value * b.value};
    default: return {a.value + b.value};
  }
}

__device__ inline int64_t finished(Operation operation, Whole all, int64_t count) {
  return operation == Operation::mean ? (count == 0 ? 0 : all.value / count) : all.value;
}

__device__ inline Folded shuffled(Folded x, int step) {
  return {__shfl_xor_sync(allLanes, x.value, step), __shfl_xor_sync(allLanes, x.greatest, step)};
}

__device__ inline Whole shuffled(Whole x, int step) { return {__shfl_xor_sync(allLanes, x.value, step)}; }

template <typename T>
constexpr bool isFloat = sizeof(T) == 2;
template <>
constexpr bool isFloat<float> = true;

template <typename T>
using Part = std::conditional_t<isFloat<T>, Folded, Whole>;

// A tensor whose elements are kept apart and folded together along these axes.
template <typename T>
struct Source {
  const T* x;
  Axes keptExtents;
  Axes keptSteps;
  Axes foldedExtents;
  Axes foldedSteps;

  __device__ Part<T> start(Operation operation) const {
    if constexpr (isFloat<T>) {
      return neutral(operation);
    } else {
      return neutralWhole<T>(operation);
    }
  }

  __device__ T load(int64_t base, uint32_t i) const {
    // most often a single axis is folded, or several that are one after the other: nothing to divide
    bool along = i < foldedExtents.at[outerAxes - 1];
    return x[base + (along ? i * foldedSteps.at[outerAxes - 1] : rowOffset(i, foldedExtents, foldedSteps))];
  }

  __device__ static Part<T> part(Operation operation, T element) {
    if constexpr (isFloat<T>) {
      return single(operation, toFloat(element));
    } else {
      return single(operation, static_cast<int64_t>(element));
    }
  }

  // The elements first, first + step ... together.
  __device__ Part<T> all(Operation operation, int64_t base, uint32_t first, uint32_t step, uint32_t count) const {
    Part<T> found = start(operation);
    for (uint32_t i = first; i < count; i += readAhead * step) {
      T elements[readAhead];
#pragma unroll
      for (int k = 0; k < readAhead; k++) {
        if (i + k * step < count) {
          elements[k] = load(base, i + k * step);
        }
      }
#pragma unroll
      for (int k = 0; k < readAhead; k++) {
        if (i + k * step < count) {
          found = folded(operation, found, part(operation, elements[k]));
        }
      }
    }
    return found;
  }

  __device__ static T result(Operation operation, Part<T> all, int64_t count) {
    if constexpr (isFloat<T>) {
      return fromFloat<T>(finished(operation, all, count));
    } else {
      return static_cast<T>(finished(operation, all, count));
    }
  }
};

// Result o is in row o / columns of y; a row is padded with zeros up to the pitch. As many threads as given share a result:
// a power of two, up to a warp, or the whole block.
template <typename T>
__device__ void reduceRows(Operation operation, const Source<T>& source, T* y, int64_t count, int rows, int columns,
                           int pitchY, int share) {
  __shared__ Part<T> partial[rowThreads / warpLanes];
  int64_t o = static_cast<int64_t>(blockIdx.x) * (rowThreads / share) + threadIdx.x / share;
  bool present = o < static_cast<int64_t>(rows) * columns;
  int lane = threadIdx.x % share;
  int64_t base = rowOffset(o, source.keptExtents, source.keptSteps);
  Part<T> all = source.all(operation, base, lane, share, present ? count : 0);
  for (int step = min(share, warpLanes) / 2; step > 0; step /= 2) {
    all = folded(operation, all, shuffled(all, step));
  }
  if (share > warpLanes) {
    if (threadIdx.x % warpLanes == 0) {
      partial[threadIdx.x / warpLanes] = all;
    }
    __syncthreads();
    all = partial[0];
    for (int warp = 1; warp < rowThreads / warpLanes; warp++) {
      all = folded(operation, all, partial[warp]);
    }
  }
  if (!present) {
    return;
  }
  T* row = y + o / columns * pitchY;
  int column = o % columns;
  if (lane == 0) {
    row[column] = Source<T>::result(operation, all, count);
  }
  if (column == columns - 1) {
    for (column = columns + lane; column < pitchY; column += share) {
      row[column] = T();
    }
  }
}

template <typename T>
__device__ void reduceColumns(Operation operation, const Source<T>& source, T* y, int64_t count, int rows, int columns,
                              int pitchY, int share) {
  int width = columnThreads / share;
  int64_t at = static_cast<int64_t>(blockIdx.x) * width + threadIdx.x % width;
  int64_t row = at / pitchY;
  int column = at % pitchY;
  bool present = row < rows && column < columns;
  int64_t base = present ? rowOffset(row * columns + column, source.keptExtents, source.keptSteps) : 0;
  Part<T> all = source.all(operation, base, threadIdx.x / width, share, present ? count : 0);
  all = gathered(all, width, [&](Part<T> a, Part<T> b) { return folded(operation, a, b); });
  if (row < rows && threadIdx.x < width) {
    y[at] = present ? Source<T>::result(operation, all, count) : T();
  }
}

}  // namespace

#define REDUCE_ALONG(NAME, OPERATION, THREADS, T, BODY)                                                               \
  extern "C" __global__ void __launch_bounds__(THREADS)                                                               \
      NAME(int operation, const T* x, T* y, Axes keptExtents, Axes keptSteps, Axes foldedExtents, Axes foldedSteps,   \
           int64_t count, int rows, int columns, int pitchY, int share) {                                             \
    KERNEL_FACT("operation " OPERATION "");                                                                           \
    KERNEL_FACT("grid shares");                                                                                       \
    KERNEL_FACT_1("threads", THREADS);                                                                                \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                  \
    KERNEL_FACT("parameters operation:i32 x:pointer y:pointer keptExtents:axes keptSteps:axes foldedExtents:axes "    \
                "foldedSteps:axes count:i64 rows:i32 columns:i32 pitchY:i32 share:i32");                              \
    BODY<T>(static_cast<Operation>(operation), {x, keptExtents, keptSteps, foldedExtents, foldedSteps}, y, count, rows,\
            columns, pitchY, share);                                                                                  \
  }

#define REDUCE(TYPE, T)                                                                                               \
  REDUCE_ALONG(reduce_rows_##TYPE, "reduceRows", rowThreads, T, reduceRows)                                           \
  REDUCE_ALONG(reduce_columns_##TYPE, "reduceColumns", columnThreads, T, reduceColumns)

REDUCE(f16, __half)
REDUCE(bf16, __nv_bfloat16)
REDUCE(f32, float)
REDUCE(i8, int8_t)
REDUCE(u8, uint8_t)
REDUCE(i32, int32_t)
REDUCE(i64, int64_t)
