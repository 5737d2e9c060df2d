// Transpositions that move the last axis: y[outer..., i, j] = x[outer..., j, i], where x's neighbours lie along i and y's
// along j. Any permutation of axes that moves the last one is such a transposition under some outer axes.
//
// A block moves a square through shared memory, so that both reading and writing touch neighbours:
//
//   x   j -> rows      [32 rows j][32 neighbours i]      a warp reads a row
//   shared             [32 j][32 i + 1]                  the skew of one word puts a column into 32 banks
//   y                  [32 rows i][32 neighbours j]      a warp writes a row
//
// For elements of 2 bytes the square is 64 x 64, for single bytes 128 x 128, so that a row of it is 128 bytes or more.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

constexpr int lanes = 32;
constexpr int warps = 8;

template <typename T>
struct Neighbours {
  static constexpr int count = sizeof(T) < 4 ? 4 / sizeof(T) : 1;
  static constexpr int edge = lanes * count;
  // elements of a row in shared memory: the skew is one word
  static constexpr int pitch = edge + (sizeof(T) < 4 ? count : 1);
};

// x: element (i, j) at i + j * stepX; y: at j + i * stepY, zeros from `columns` (extent of j) up to `width`.
template <typename T>
__device__ void transpose(const T* x, T* y, const Axes& extents, const Axes& stepsX, const Axes& stepsY, int64_t stepX,
                          int64_t stepY, int rows, int columns, int width) {
  using N = Neighbours<T>;
  __shared__ T square[N::edge * N::pitch];
  int lane = threadIdx.x % lanes;
  int warp = threadIdx.x / lanes;
  // along a row of x first, so that blocks that run together read whole lines
  int across = ceilDiv(rows, N::edge);
  int down = ceilDiv(width, N::edge);
  int row = blockIdx.x % across * N::edge;
  int column = blockIdx.x / across % down * N::edge;
  uint32_t outer = blockIdx.x / across / down;
  x += rowOffset(outer, extents, stepsX);
  y += rowOffset(outer, extents, stepsY);
  for (int j = warp; j < N::edge; j += warps) {
#pragma unroll
    for (int n = 0; n < N::count; n++) {
      // neighbours are a warp apart, so every access of the warp is to consecutive elements
      int i = lane + n * lanes;
      bool exists = row + i < rows && column + j < columns;
      square[j * N::pitch + i] = exists ? x[(column + j) * stepX + row + i] : T();
    }
  }
  __syncthreads();
  for (int i = warp; i < N::edge && row + i < rows; i += warps) {
#pragma unroll
    for (int n = 0; n < N::count; n++) {
      int j = lane + n * lanes;
      if (column + j < width) {
        y[(row + i) * stepY + column + j] = square[j * N::pitch + i];
      }
    }
  }
}

}  // namespace

#define TRANSPOSE(NAME, T)                                                                                            \
  extern "C" __global__ void __launch_bounds__(lanes * warps)                                                         \
      NAME(const T* x, T* y, Axes extents, Axes stepsX, Axes stepsY, int64_t stepX, int64_t stepY, int rows,          \
           int columns, int width) {                                                                                  \
    KERNEL_FACT("operation transpose");                                                                              \
    KERNEL_FACT("grid squares");                                                                                     \
    KERNEL_FACT_1("threads", lanes * warps);                                                                         \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters x:pointer y:pointer extents:axes stepsX:axes stepsY:axes stepX:i64 stepY:i64 "           \
                "rows:i32 columns:i32 width:i32");                                                                   \
    transpose(x, y, extents, stepsX, stepsY, stepX, stepY, rows, columns, width);                                     \
  }

TRANSPOSE(transpose_b8, uint8_t)
TRANSPOSE(transpose_b16, uint16_t)
TRANSPOSE(transpose_b32, uint32_t)
TRANSPOSE(transpose_b64, uint64_t)
