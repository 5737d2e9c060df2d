// Functions of one number in f32, with the limits of the scalar reference at infinities, zeros and NaN.
#pragma once

#include <cmath>

// As Java's Math.max and Math.min: a NaN stays, and zero is greater than minus zero.
__device__ inline float greater(float a, float b) { return a != a ? a : b != b ? b : fmaxf(a, b); }
__device__ inline float lesser(float a, float b) { return a != a ? a : b != b ? b : fminf(a, b); }

__device__ inline float relu(float x) { return greater(x, 0); }

__device__ inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }

__device__ inline float softplus(float x) { return greater(x, 0) + log1pf(expf(-fabsf(x))); }

// x * sigmoid(x); minus infinity times zero would be NaN.
__device__ inline float silu(float x) { return x == -INFINITY ? 0 : x * sigmoid(x); }

__device__ inline float hardSwish(float x) { return x * lesser(1, greater(0, x / 6 + 0.5f)); }

__device__ inline float geluErf(float x) {
  constexpr float rootHalf = 0.70710678118654752f;
  if (isinf(x)) {
    return x > 0 ? x : 0;
  }
  // erfc keeps what 1 + erf(x) loses for a negative x
  return 0.5f * x * erfcf(-x * rootHalf);
}

__device__ inline float geluTanh(float x) {
  constexpr float rootEightOverPi = 1.59576912160573071f;
  // (1 + tanh(u)) / 2 is the sigmoid of 2u, which loses nothing for a negative u
  float y = x / (1 + expf(-rootEightOverPi * (x + 0.044715f * x * x * x)));
  return x == -INFINITY ? 0 : y;
}
