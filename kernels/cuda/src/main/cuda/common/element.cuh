// Element types of activations and their 16-byte accesses.
#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

// Elements of a 16-byte access.
template <typename T>
constexpr int perAccess = 16 / sizeof(T);

__device__ inline float toFloat(float x) { return x; }
__device__ inline float toFloat(__half x) { return __half2float(x); }
__device__ inline float toFloat(__nv_bfloat16 x) { return __bfloat162float(x); }

// Rounds to nearest, ties to even; what is beyond the range becomes an infinity, a NaN stays a NaN.
template <typename T>
__device__ inline T fromFloat(float x);
template <>
__device__ inline float fromFloat<float>(float x) {
  return x;
}
template <>
__device__ inline __half fromFloat<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ inline __nv_bfloat16 fromFloat<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// As many elements as one 16-byte access moves.
template <typename T>
struct alignas(16) Pack {
  T at[perAccess<T>];

  __device__ static Pack load(const T* from) {
    Pack pack;
    *reinterpret_cast<uint4*>(&pack) = *reinterpret_cast<const uint4*>(from);
    return pack;
  }

  __device__ static Pack zero() {
    Pack pack;
    *reinterpret_cast<uint4*>(&pack) = make_uint4(0, 0, 0, 0);
    return pack;
  }

  __device__ void store(T* to) const { *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(this); }
};

__host__ __device__ constexpr int ceilDiv(int a, int b) { return (a + b - 1) / b; }
