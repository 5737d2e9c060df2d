// Reductions over the threads that share a row: a warp, or a whole block.
#pragma once

constexpr int warpLanes = 32;
constexpr unsigned allLanes = 0xffffffffu;

struct Sum {
  __device__ static float neutral() { return 0; }
  __device__ static float of(float a, float b) { return a + b; }
};

// A NaN is greater than everything, as in Java's Math.max: it must not get lost on the way.
struct Max {
  __device__ static float neutral() { return -INFINITY; }
  __device__ static float of(float a, float b) { return a != a || a > b ? a : b; }
};

struct Min {
  __device__ static float neutral() { return INFINITY; }
  __device__ static float of(float a, float b) { return a != a || a < b ? a : b; }
};

struct Product {
  __device__ static float neutral() { return 1; }
  __device__ static float of(float a, float b) { return a * b; }
};

template <typename Operation, typename T>
__device__ inline T reduceWarp(T x) {
#pragma unroll
  for (int step = warpLanes / 2; step > 0; step /= 2) {
    x = Operation::of(x, __shfl_xor_sync(allLanes, x, step));
  }
  return x;
}

// THREADS neighbouring threads that work on one row: 32, or all threads of the block.
template <int THREADS>
struct Group {
  static_assert(THREADS % warpLanes == 0 && THREADS <= 1024, "a group is made of whole warps");
  static constexpr int warps = THREADS / warpLanes;

  // The reduction of every thread's x, in all threads. A group of several warps must call it together.
  template <typename Operation, typename T>
  __device__ static T reduce(T x) {
    x = reduceWarp<Operation>(x);
    if constexpr (warps > 1) {
      __shared__ T partial[warps];
      if (threadIdx.x % warpLanes == 0) {
        partial[threadIdx.x / warpLanes] = x;
      }
      __syncthreads();
      x = partial[0];
      for (int warp = 1; warp < warps; warp++) {
        x = Operation::of(x, partial[warp]);
      }
      // the next reduction may overwrite what a slow warp still reads
      __syncthreads();
    }
    return x;
  }
};
