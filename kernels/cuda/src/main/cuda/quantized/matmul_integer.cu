// MatMulInteger and QLinearMatMul: y[..., m, n] = sum of (a[..., m, k] - zero a) * (b[..., k, n] - zero b), exact, for any pair of
// matrices that broadcasting pairs up. A block has 64 x 64 results, a thread two rows of eight; codes less their zero points lie in
// shared memory as 16 bits:
//
//   a: [32 of K][64 rows, 2 unused]     the two rows of a thread are one word; 33 words to the next, so that banks differ
//   b: [32 of K][64 columns]            the eight columns of a thread are 16 bytes
#include "facts.cuh"
#include "quantized/sum.cuh"

namespace {

constexpr int tileRows = 64;
constexpr int tileColumns = 64;
constexpr int tileDepth = 32;
constexpr int threads = 256;

struct Matrix {
  Codes codes;
  Lines<int> zeros;
  int64_t first;
  int pitch;
};

__device__ void multiply(const Matrix& a, const Matrix& b, void* y, int64_t firstY, const Requantization& result, int rows,
                         int columns, int depth, int pitchY) {
  __shared__ short ofA[tileDepth][tileRows + 2];
  __shared__ __align__(16) short ofB[tileDepth][tileColumns];
  const int tilesOut = ceilDiv(pitchY, tileColumns);
  const int firstRow = static_cast<int>(blockIdx.x) / tilesOut * tileRows;
  const int firstColumn = static_cast<int>(blockIdx.x) % tilesOut * tileColumns;
  const int thread = static_cast<int>(threadIdx.x);
  const int ownColumn = thread % (tileColumns / perThread) * perThread;
  const int ownRow = thread / (tileColumns / perThread) * 2;
  int sum[2][perThread] = {};
  for (int from = 0; from < depth; from += tileDepth) {
    __syncthreads();
    const int row = firstRow + thread / 4;
    const int zeroOfRow = a.zeros.of(min(row, rows - 1));
    for (int i = 0; i < perThread; i++) {
      const int k = thread % 4 * perThread + i;
      const bool exists = row < rows && from + k < depth;
      ofA[k][thread / 4] =
          static_cast<short>(exists ? a.codes.read(a.first + static_cast<int64_t>(row) * a.pitch + from + k) - zeroOfRow : 0);
    }
    const int k = thread / 8;
    for (int i = 0; i < perThread; i++) {
      const int column = firstColumn + ownColumn + i;
      const bool exists = column < columns && from + k < depth;
      ofB[k][ownColumn + i] = static_cast<short>(
          exists ? b.codes.read(b.first + static_cast<int64_t>(from + k) * b.pitch + column) - b.zeros.of(column) : 0);
    }
    __syncthreads();
#pragma unroll 8
    for (int step = 0; step < tileDepth; step++) {
      alignas(16) short eight[perThread];
      *reinterpret_cast<uint4*>(eight) = *reinterpret_cast<const uint4*>(&ofB[step][ownColumn]);
#pragma unroll
      for (int r = 0; r < 2; r++) {
#pragma unroll
        for (int i = 0; i < perThread; i++) {
          sum[r][i] += ofA[step][ownRow + r] * eight[i];
        }
      }
    }
  }
  const int column = firstColumn + ownColumn;
#pragma unroll
  for (int r = 0; r < 2; r++) {
    const int row = firstRow + ownRow + r;
    if (row < rows && column < pitchY) {
      result.store(y, firstY + static_cast<int64_t>(row) * pitchY, column, columns, pitchY, sum[r], row, column, 1);
    }
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(threads, 2)
    matmul_integer(const uint8_t* a, const uint8_t* b, void* y, Axes extents, Axes stepsA, Axes stepsB, const int* zeroA,
                   int zerosA, const int* zeroB, int zerosB, const float* scaleA, int scalesA, const float* scaleB, int scalesB,
                   const float* scaleY, const int* zeroY, int result, int signedA, int signedB, int rows, int columns, int depth,
                   int pitchA, int pitchB, int pitchY) {
  KERNEL_FACT("operation matmulInteger");
  KERNEL_FACT("grid matrixTiles");
  KERNEL_FACT_1("threads", threads);
  KERNEL_FACT_1("sharedBytes", 0);
  KERNEL_FACT_3("tile", tileColumns, tileRows, tileDepth);
  KERNEL_FACT("parameters a:pointer b:pointer y:pointer extents:axes stepsA:axes stepsB:axes zeroA:pointer zerosA:i32 "
              "zeroB:pointer zerosB:i32 scaleA:pointer scalesA:i32 scaleB:pointer scalesB:i32 scaleY:pointer zeroY:pointer "
              "result:i32 signedA:i32 signedB:i32 rows:i32 columns:i32 depth:i32 pitchA:i32 pitchB:i32 pitchY:i32");
  const Matrix left = {{a, signedA}, {zeroA, zerosA}, rowOffset(blockIdx.y, extents, stepsA), pitchA};
  const Matrix right = {{b, signedB}, {zeroB, zerosB}, rowOffset(blockIdx.y, extents, stepsB), pitchB};
  multiply(left, right, y, static_cast<int64_t>(blockIdx.y) * rows * pitchY,
           {{scaleA, scalesA}, {scaleB, scalesB}, scaleY, zeroY, result}, rows, columns, depth, pitchY);
}
