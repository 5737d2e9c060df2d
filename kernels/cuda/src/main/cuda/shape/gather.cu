// Slices of a tensor that indices name along one axis.
#include "common/index.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

// y[outer, index, inner, column] = x[outer, row(index), inner, column]; the columns are what lies side by side. Rows of y
// are written whole, zeros from `columns` up to `pitchY`.
template <typename T>
__device__ void gatherRows(const T* x, const void* indices, int indexBytes, T* y, int64_t rows, int outer, int count,
                           int inner, int columns, int64_t stepOuter, int64_t stepRow, int64_t stepInner, int pitchY,
                           unsigned long long* fault) {
  Place place = Place::of(pitchY);
  int64_t lookup = place.row / inner;
  if (lookup >= static_cast<int64_t>(outer) * count) {
    return;
  }
  int64_t position = lookup % count;
  int64_t index = Indices{indices, indexBytes, 0, 1}.get(0, position);
  int64_t offset = lookup / count * stepOuter + checkedRow(index, rows, fault, position) * stepRow +
                   place.row % inner * stepInner;
  alignas(16) T values[perThread];
  loadRow(x + offset, 1, place.column, columns, values);
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, values);
}

// The last axis: y[outer, index] = x[outer * stepOuter + row(index)]. Without a fault to report to the indices are not a model's
// but ours, and a negative one gives 0: columns are put in another order, with room between them.
template <typename T>
__device__ void gatherElements(const T* x, const void* indices, int indexBytes, T* y, int64_t rows, int outer, int count,
                               int64_t stepOuter, int pitchY, unsigned long long* fault) {
  Place place = Place::of(pitchY);
  if (place.row >= outer) {
    return;
  }
  alignas(16) T values[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    int position = place.column + i;
    values[i] = T();
    if (position < count) {
      int64_t index = Indices{indices, indexBytes, 0, 1}.get(0, position);
      if (fault != nullptr || index >= 0) {
        values[i] = x[place.row * stepOuter + checkedRow(index, rows, fault, position)];
      }
    }
  }
  storeRow(y + place.row * pitchY, place.column, count, pitchY, values);
}

}  // namespace

#define GATHER(BITS, T)                                                                                                \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads) gather_##BITS(                                                 \
      const T* x, const void* indices, int indexBytes, T* y, int64_t rows, int outer, int count, int inner,            \
      int columns, int64_t stepOuter, int64_t stepRow, int64_t stepInner, int pitchY, unsigned long long* fault) {     \
    KERNEL_FACT("operation gather");                                                                                 \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer indices:pointer indexBytes:i32 y:pointer rows:i64 outer:i32 count:i32 "        \
                "inner:i32 columns:i32 stepOuter:i64 stepRow:i64 stepInner:i64 pitchY:i32 "                          \
                "fault:pointer");                                                                                    \
    gatherRows(x, indices, indexBytes, y, rows, outer, count, inner, columns, stepOuter, stepRow, stepInner, pitchY,   \
               fault);                                                                                                 \
  }                                                                                                                    \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                                \
      gather_elements_##BITS(const T* x, const void* indices, int indexBytes, T* y, int64_t rows, int outer,           \
                             int count, int64_t stepOuter, int pitchY, unsigned long long* fault) {                    \
    KERNEL_FACT("operation gatherElements");                                                                         \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer indices:pointer indexBytes:i32 y:pointer rows:i64 outer:i32 count:i32 "        \
                "stepOuter:i64 pitchY:i32 fault:pointer");                                                           \
    gatherElements(x, indices, indexBytes, y, rows, outer, count, stepOuter, pitchY, fault);                           \
  }

GATHER(b8, uint8_t)
GATHER(b16, uint16_t)
GATHER(b32, uint32_t)
GATHER(b64, uint64_t)
