// Each element from one of two tensors, as a tensor of bools says; all three broadcast. Bits are moved, not computed with.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

template <typename T>
__device__ void choose(const uint8_t* condition, const T* a, const T* b, T* y, const Axes& extents,
                       const Axes& stepsCondition, const Axes& stepsA, const Axes& stepsB, int64_t stepCondition,
                       int64_t stepA, int64_t stepB, int rows, int columns, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(8) uint8_t first[perThread];
  alignas(16) T left[perThread];
  alignas(16) T right[perThread];
  loadRow(condition + rowOffset(place.row, extents, stepsCondition), stepCondition, place.column, columns, first);
  loadRow(a + rowOffset(place.row, extents, stepsA), stepA, place.column, columns, left);
  loadRow(b + rowOffset(place.row, extents, stepsB), stepB, place.column, columns, right);
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    left[i] = first[i] != 0 ? left[i] : right[i];
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, left);
}

}  // namespace

#define WHERE(NAME, T)                                                                                               \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                             \
      NAME(const uint8_t* condition, const T* a, const T* b, T* y, Axes extents, Axes stepsCondition, Axes stepsA,   \
           Axes stepsB, int64_t stepCondition, int64_t stepA, int64_t stepB, int rows, int columns, int pitchY) {    \
    KERNEL_FACT("operation where");                                                                                  \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters condition:pointer a:pointer b:pointer y:pointer extents:axes stepsCondition:axes "       \
                "stepsA:axes stepsB:axes stepCondition:i64 stepA:i64 stepB:i64 rows:i32 columns:i32 "                \
                "pitchY:i32");                                                                                       \
    choose(condition, a, b, y, extents, stepsCondition, stepsA, stepsB, stepCondition, stepA, stepB, rows, columns,  \
           pitchY);                                                                                                  \
  }

WHERE(where_b8, uint8_t)
WHERE(where_b16, uint16_t)
WHERE(where_b32, uint32_t)
WHERE(where_b64, uint64_t)
