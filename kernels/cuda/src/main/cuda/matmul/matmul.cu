// Products of two matrices that are both computed, [batch] of them: y = a b, on tensor cores, with sums in f32.
//
// A block takes 64 rows and 64 columns of y and walks along K 32 at a time. Rows lie in shared memory 8 elements further
// apart than they are long, so that the eight rows ldmatrix reads at once begin in different banks:
//
//   a  [64 rows][32 of K + 8]       b  [32 of K][64 columns + 8], read transposed
//
// The next step's elements are on their way in registers while this one's are multiplied.
#include "common/element.cuh"
#include "common/group.cuh"
#include "common/instruction.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

constexpr int tileRows = 64;
constexpr int tileColumns = 64;
constexpr int tileDepth = 32;
constexpr int apart = 8;
constexpr int warps = 4;
constexpr int threads = warps * warpLanes;

template <typename T>
struct Matrices {
  const T* a;
  const T* b;
  void* y;
  int rows;
  int columns;
  int depth;
  int pitchA;
  int pitchB;
  int pitchY;
  int exact;  // y is f32
};

// A tile of a matrix, [ROWS][COLUMNS], in 16-byte pieces dealt to the threads; zeros where the matrix has ended.
template <typename T, int ROWS, int COLUMNS>
struct Piecewise {
  static constexpr int ofRow = COLUMNS / perAccess<T>;
  static constexpr int count = ROWS * ofRow / threads;
  Pack<T> pieces[count];

  __device__ static int row(int i) { return (threadIdx.x + i * threads) / ofRow; }
  __device__ static int column(int i) { return (threadIdx.x + i * threads) % ofRow * perAccess<T>; }

  __device__ void load(const T* from, int pitch, int firstRow, int firstColumn, int rows) {
#pragma unroll
    for (int i = 0; i < count; i++) {
      int r = firstRow + row(i);
      int c = firstColumn + column(i);
      // between the last column and the pitch lie zeros
      pieces[i] = r < rows && c < pitch ? Pack<T>::load(from + static_cast<int64_t>(r) * pitch + c) : Pack<T>::zero();
    }
  }

  __device__ void store(T (*to)[COLUMNS + apart]) const {
#pragma unroll
    for (int i = 0; i < count; i++) {
      pieces[i].store(&to[row(i)][column(i)]);
    }
  }
};

template <typename T>
__device__ void multiply(const Matrices<T>& m) {
  __shared__ __align__(16) T a[tileRows][tileDepth + apart];
  __shared__ __align__(16) T b[tileDepth][tileColumns + apart];
  int lane = threadIdx.x % warpLanes;
  int warp = threadIdx.x / warpLanes;
  int tilesOfRow = ceilDiv(m.pitchY, tileColumns);
  int firstRow = blockIdx.x / tilesOfRow * tileRows;
  int firstColumn = blockIdx.x % tilesOfRow * tileColumns;
  Piecewise<T, tileRows, tileDepth> nextA;
  Piecewise<T, tileDepth, tileColumns> nextB;
  nextA.load(m.a, m.pitchA, firstRow, 0, m.rows);
  nextB.load(m.b, m.pitchB, 0, firstColumn, m.depth);
  float sums[tileColumns / 8][4] = {};
#pragma unroll 1
  for (int k = 0; k < m.depth; k += tileDepth) {
    nextA.store(a);
    nextB.store(b);
    __syncthreads();
    if (k + tileDepth < m.depth) {
      nextA.load(m.a, m.pitchA, firstRow, k + tileDepth, m.rows);
      nextB.load(m.b, m.pitchB, k + tileDepth, firstColumn, m.depth);
    }
#pragma unroll
    for (int step = 0; step < tileDepth; step += 16) {
      unsigned left[4];
      loadMatrices(left, &a[warp * 16 + lane % 16][step + lane / 16 * 8]);
#pragma unroll
      for (int j = 0; j < tileColumns / 16; j++) {
        unsigned right[4];
        loadTransposed(right, &b[step + lane % 16][j * 16 + lane / 16 * 8]);
        multiplyAdd<T>(sums[2 * j], left, right[0], right[1]);
        multiplyAdd<T>(sums[2 * j + 1], left, right[2], right[3]);
      }
    }
    __syncthreads();
  }
  // a lane has two neighbours of a row; those behind the last column are sums of zeros
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int row = firstRow + warp * 16 + half * 8 + lane / 4;
    if (row >= m.rows) {
      continue;
    }
#pragma unroll
    for (int j = 0; j < tileColumns / 8; j++) {
      int column = firstColumn + j * 8 + lane % 4 * 2;
      if (column >= m.pitchY) {
        continue;
      }
      int64_t at = static_cast<int64_t>(row) * m.pitchY + column;
      float first = column < m.columns ? sums[j][2 * half] : 0;
      float second = column + 1 < m.columns ? sums[j][2 * half + 1] : 0;
      if (m.exact != 0) {
        *reinterpret_cast<float2*>(static_cast<float*>(m.y) + at) = make_float2(first, second);
      } else {
        *reinterpret_cast<unsigned*>(static_cast<T*>(m.y) + at) = pair<T>(first, second);
      }
    }
  }
}

}  // namespace

// Along x the tiles of a product, along y the products: extents of up to five axes, with a step of each operand along
// them, 0 where it repeats. y is row-major.
#define MATMUL(NAME, T)                                                                                              \
  extern "C" __global__ void __launch_bounds__(threads)                                                              \
      NAME(const T* a, const T* b, void* y, Axes extents, Axes stepsA, Axes stepsB, int rows, int columns, int depth, \
           int pitchA, int pitchB, int pitchY, int exact) {                                                          \
    KERNEL_FACT("operation matmul");                                                                                 \
    KERNEL_FACT_3("tile", tileColumns, tileRows, tileDepth);                                                         \
    KERNEL_FACT("grid matrixTiles");                                                                                 \
    KERNEL_FACT_1("threads", threads);                                                                               \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters a:pointer b:pointer y:pointer extents:axes stepsA:axes stepsB:axes rows:i32 "            \
                "columns:i32 depth:i32 pitchA:i32 pitchB:i32 pitchY:i32 exact:i32");                                 \
    int64_t ofMatrix = static_cast<int64_t>(rows) * pitchY * (exact != 0 ? sizeof(float) : sizeof(T));               \
    multiply<T>({a + rowOffset(blockIdx.y, extents, stepsA), b + rowOffset(blockIdx.y, extents, stepsB),             \
                 static_cast<char*>(y) + blockIdx.y * ofMatrix, rows, columns, depth, pitchA, pitchB, pitchY,        \
                 exact});                                                                                            \
  }

MATMUL(matmul_f16, __half)
MATMUL(matmul_bf16, __nv_bfloat16)
