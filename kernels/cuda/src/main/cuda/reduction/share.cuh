// Threads that share what is folded along an axis. Columns are shared by the warps of a block, so that neighbouring threads
// read neighbouring columns and still many of them walk along one:
//
//   thread    0 ... width - 1   takes elements 0, share, 2 share ... of `width` neighbouring columns
//   thread    width ...         takes elements 1, share + 1 ... of the same, and so on: share = columnThreads / width
//
// The launch chooses the share, a power of two, by the shape alone (Sharing.java): the order of sums never depends on time.
#pragma once

constexpr int columnThreads = 512;

// Elements that a thread reads before it folds the first of them: their latencies pass together.
constexpr int readAhead = 4;

// What all threads of this one's column have found together. Every thread of the block must call it.
template <typename Part, typename Fold>
__device__ Part gathered(Part found, int width, Fold fold) {
  __shared__ Part parts[columnThreads];
  parts[threadIdx.x] = found;
  for (int half = columnThreads / 2; half >= width; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      parts[threadIdx.x] = fold(parts[threadIdx.x], parts[threadIdx.x + half]);
    }
  }
  __syncthreads();
  return parts[threadIdx.x % width];
}
