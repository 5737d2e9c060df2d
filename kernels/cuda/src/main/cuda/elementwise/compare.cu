// Comparisons and logic of two tensors that broadcast against each other; the result is a bool, a byte of 0 or 1.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

// The codes of the parameter `operation`; Comparison.java has the same order.
enum class Operation { equal, less, lessOrEqual, greater, greaterOrEqual, both, either, oneOf };

template <typename C>
__device__ void apply(int operation, const C (&a)[perThread], const C (&b)[perThread], uint8_t (&holds)[perThread]) {
  auto each = [&](auto relation) {
#pragma unroll
    for (int i = 0; i < perThread; i++) {
      holds[i] = relation(a[i], b[i]) ? 1 : 0;
    }
  };
  switch (static_cast<Operation>(operation)) {
    case Operation::equal: each([](C x, C y) { return x == y; }); break;
    case Operation::less: each([](C x, C y) { return x < y; }); break;
    case Operation::lessOrEqual: each([](C x, C y) { return x <= y; }); break;
    case Operation::greater: each([](C x, C y) { return x > y; }); break;
    case Operation::greaterOrEqual: each([](C x, C y) { return x >= y; }); break;
    case Operation::both: each([](C x, C y) { return x != 0 && y != 0; }); break;
    case Operation::either: each([](C x, C y) { return x != 0 || y != 0; }); break;
    default: each([](C x, C y) { return (x != 0) != (y != 0); }); break;
  }
}

template <typename T, typename C>
__device__ void compare(int operation, const T* a, const T* b, uint8_t* y, const Axes& extents, const Axes& stepsA,
                        const Axes& stepsB, int64_t stepA, int64_t stepB, int rows, int columns, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T left[perThread];
  alignas(16) T right[perThread];
  loadRow(a + rowOffset(place.row, extents, stepsA), stepA, place.column, columns, left);
  loadRow(b + rowOffset(place.row, extents, stepsB), stepB, place.column, columns, right);
  C x[perThread];
  C other[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    if constexpr (sizeof(T) == 2) {
      x[i] = toFloat(left[i]);
      other[i] = toFloat(right[i]);
    } else {
      x[i] = left[i];
      other[i] = right[i];
    }
  }
  alignas(8) uint8_t holds[perThread];
  apply(operation, x, other, holds);
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, holds);
}

}  // namespace

#define COMPARE(NAME, T, C)                                                                                         \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                            \
      NAME(int operation, const T* a, const T* b, uint8_t* y, Axes extents, Axes stepsA, Axes stepsB, int64_t stepA, \
           int64_t stepB, int rows, int columns, int pitchY) {                                                      \
    KERNEL_FACT("operation compare");                                                                                \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters operation:i32 a:pointer b:pointer y:pointer extents:axes stepsA:axes stepsB:axes "       \
                "stepA:i64 stepB:i64 rows:i32 columns:i32 pitchY:i32");                                              \
    compare<T, C>(operation, a, b, y, extents, stepsA, stepsB, stepA, stepB, rows, columns, pitchY);                \
  }

COMPARE(compare_f16, __half, float)
COMPARE(compare_bf16, __nv_bfloat16, float)
COMPARE(compare_f32, float, float)
COMPARE(compare_i8, int8_t, int)
COMPARE(compare_u8, uint8_t, int)
COMPARE(compare_i32, int32_t, int32_t)
COMPARE(compare_i64, int64_t, int64_t)
