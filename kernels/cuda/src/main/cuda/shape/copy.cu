// Moves elements of any type from where steps say to where steps say: Slice, Concat, Expand, Split, Identity and changes
// of pitch. A transposition is faster with transpose.cu.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

// Elements from `columns` up to `width` of each row of y become zeros, those beyond are left alone.
template <typename T>
__device__ void copy(const T* x, T* y, const Axes& extents, const Axes& stepsX, const Axes& stepsY, int64_t stepX,
                     int rows, int columns, int width) {
  Place place = Place::of(width);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T values[perThread];
  loadRow(x + rowOffset(place.row, extents, stepsX), stepX, place.column, columns, values);
  storeRow(y + rowOffset(place.row, extents, stepsY), place.column, columns, width, values);
}

}  // namespace

#define COPY(NAME, T)                                                                                                 \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                               \
      NAME(const T* x, T* y, Axes extents, Axes stepsX, Axes stepsY, int64_t stepX, int rows, int columns,            \
           int width) {                                                                                               \
    KERNEL_FACT("operation copy");                                                                                   \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer extents:axes stepsX:axes stepsY:axes stepX:i64 rows:i32 "            \
                "columns:i32 width:i32");                                                                            \
    copy(x, y, extents, stepsX, stepsY, stepX, rows, columns, width);                                                 \
  }

COPY(copy_b8, uint8_t)
COPY(copy_b16, uint16_t)
COPY(copy_b32, uint32_t)
COPY(copy_b64, uint64_t)
