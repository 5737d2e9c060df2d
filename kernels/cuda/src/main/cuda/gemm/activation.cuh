// What a layer applies to its result, by the number the launch passes: dev.filigree.kernel.Activation is the twin.
#pragma once

namespace filigree {

enum ActivationKind : int { none = 0, relu = 1, gelu = 2, geluTanh = 3, silu = 4, tangent = 5, sigmoid = 6 };

__device__ inline float logistic(float x) { return 1.0f / (1.0f + __expf(-x)); }

/** tanh by one exponential; its error near 0 is absolute, which a 16-bit result does not see once 1 was added. */
__device__ inline float tanhOf(float x) { return 1.0f - 2.0f / (1.0f + __expf(2.0f * x)); }

template <int kind> __device__ float activate(float x) {
  const bool lowest = x == -INFINITY; // where a factor of 0 would make it not a number
  switch (kind) {
  case relu:
    return x < 0.0f ? 0.0f : x; // keeps what is not a number
  case gelu:
    return lowest ? 0.0f : 0.5f * x * (1.0f + erff(x * 0.70710678f));
  case geluTanh:
    return lowest ? 0.0f : x * logistic(1.5957691f * (x + 0.044715f * x * x * x)); // (1 + tanh u) / 2 = logistic(2u)
  case silu:
    return lowest ? 0.0f : x * logistic(x);
  case tangent:
    return fabsf(x) < 0.03125f ? x - x * x * x * 0.33333333f : tanhOf(x);
  case sigmoid:
    return logistic(x);
  default:
    return x;
  }
}

template <int kind> __device__ void activateAll(float (&v)[4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    v[i] = activate<kind>(v[i]);
  }
}

__device__ inline void activate(float (&v)[4], int kind) {
  switch (kind) {
  case relu:
    return activateAll<relu>(v);
  case gelu:
    return activateAll<gelu>(v);
  case geluTanh:
    return activateAll<geluTanh>(v);
  case silu:
    return activateAll<silu>(v);
  case tangent:
    return activateAll<tangent>(v);
  case sigmoid:
    return activateAll<sigmoid>(v);
  default:
    return;
  }
}

} // namespace filigree
