// What a transformer encoder needs beside the 2:4 products of spgemm.cu: attention, normalisation, GELU.
//
//   nvcc -arch=compute_80 -std=c++17 -O3 -ptx forward.cu
#include <cuda_fp16.h>
#include <stdint.h>

constexpr int tokens = 128;
constexpr int hidden = 384;
constexpr int headSize = 32;
constexpr int stride = headSize + 8; // halves; the padding keeps ldmatrix free of bank conflicts
constexpr int keyTiles = tokens / 8;

__device__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
               "{%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ uint32_t packed(float low, float high) {
  const half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

__device__ uint32_t word(const half* from) { return *reinterpret_cast<const uint32_t*>(from); }

/** One head and 64 queries a block, 16 queries a warp: out = softmax(Q K^T / sqrt(headSize)) V. */
extern "C" __global__ void __launch_bounds__(128) attention(const half* qkv, half* out) {
  __shared__ __align__(16) half keys[tokens * stride];
  __shared__ __align__(16) half values[tokens * stride];
  const int lane = threadIdx.x & 31, group = lane >> 2, quad = lane & 3;
  const int row = blockIdx.x * 64 + (threadIdx.x >> 5) * 16 + group;
  const half* const head = qkv + blockIdx.y * headSize;
  for (int i = 0; i < headSize; i += 8) {
    const half* const from = head + static_cast<size_t>(threadIdx.x) * 3 * hidden + i;
    *reinterpret_cast<uint4*>(keys + threadIdx.x * stride + i) = *reinterpret_cast<const uint4*>(from + hidden);
    *reinterpret_cast<uint4*>(values + threadIdx.x * stride + i) = *reinterpret_cast<const uint4*>(from + 2 * hidden);
  }
  __syncthreads();

  float scores[keyTiles][4] = {};
#pragma unroll
  for (int k = 0; k < headSize; k += 16) {
    const half* const upper = head + static_cast<size_t>(row) * 3 * hidden + k + quad * 2;
    const half* const lower = upper + 8 * 3 * hidden;
    const uint32_t queries[4] = {word(upper), word(lower), word(upper + 8), word(lower + 8)};
#pragma unroll
    for (int tile = 0; tile < keyTiles; tile++) {
      const half* const key = keys + (tile * 8 + group) * stride + k + quad * 2;
      multiply(scores[tile], queries, word(key), word(key + 8));
    }
  }

  // rows `group` (0) and `group + 8` (1) lie in the four lanes of a quad
  float sum[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float largest = -INFINITY;
    for (int tile = 0; tile < keyTiles; tile++) {
      largest = fmaxf(largest, fmaxf(scores[tile][half * 2], scores[tile][half * 2 + 1]));
    }
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
    sum[half] = 0;
    for (int tile = 0; tile < keyTiles; tile++) {
      for (int column = 0; column < 2; column++) {
        float& score = scores[tile][half * 2 + column];
        score = __expf((score - largest) * rsqrtf(headSize));
        sum[half] += score;
      }
    }
    sum[half] += __shfl_xor_sync(~0u, sum[half], 1);
    sum[half] += __shfl_xor_sync(~0u, sum[half], 2);
  }

  float sums[headSize / 8][4] = {};
#pragma unroll
  for (int tile = 0; tile < keyTiles; tile += 2) {
    const uint32_t weights[4] = {packed(scores[tile][0], scores[tile][1]), packed(scores[tile][2], scores[tile][3]),
                                 packed(scores[tile + 1][0], scores[tile + 1][1]),
                                 packed(scores[tile + 1][2], scores[tile + 1][3])};
#pragma unroll
    for (int column = 0; column < headSize; column += 8) {
      const half* const from = values + (tile * 8 + (lane & 15)) * stride + column;
      uint32_t b0, b1;
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];\n"
                   : "=r"(b0), "=r"(b1)
                   : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(from))));
      multiply(sums[column / 8], weights, b0, b1);
    }
  }
#pragma unroll
  for (int column = 0; column < headSize; column += 8) {
    const float(&value)[4] = sums[column / 8];
    half* const to = out + static_cast<size_t>(row) * hidden + blockIdx.y * headSize + column + quad * 2;
    *reinterpret_cast<uint32_t*>(to) = packed(value[0] / sum[0], value[1] / sum[0]);
    *reinterpret_cast<uint32_t*>(to + 8 * hidden) = packed(value[2] / sum[1], value[3] / sum[1]);
  }
}

/** x = layer norm of x + residual, one warp a token. */
extern "C" __global__ void add_norm(half* x, const half* residual, const float* gain, const float* bias) {
  constexpr int perLane = hidden / 32;
  const int lane = threadIdx.x & 31;
  const size_t row = static_cast<size_t>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32) * hidden;
  float value[perLane];
  float sum = 0;
#pragma unroll
  for (int i = 0; i < perLane; i++) {
    value[i] = __half2float(x[row + i * 32 + lane]) + __half2float(residual[row + i * 32 + lane]);
    sum += value[i];
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(~0u, sum, offset);
  }
  const float mean = sum / hidden;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < perLane; i++) {
    squares += (value[i] - mean) * (value[i] - mean);
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    squares += __shfl_xor_sync(~0u, squares, offset);
  }
  const float scale = rsqrtf(squares / hidden + 1e-12f);
#pragma unroll
  for (int i = 0; i < perLane; i++) {
    const int column = i * 32 + lane;
    x[row + column] = __float2half_rn((value[i] - mean) * scale * gain[column] + bias[column]);
  }
}

extern "C" __global__ void gelu(int pairs, half2* x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < pairs) {
    const float2 v = __half22float2(x[i]);
    const float root = 0.70710678f;
    x[i] = __floats2half2_rn(0.5f * v.x * (1 + erff(v.x * root)), 0.5f * v.y * (1 + erff(v.y * root)));
  }
}
