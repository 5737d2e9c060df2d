// What a layer applies to its result, by the number the launch passes: dev.filigree.kernel.Activation is the twin.
#pragma once

#include "common/activation.cuh"

namespace filigree {

enum ActivationKind : int { noActivation = 0, rectified = 1, gaussian = 2, gaussianTanh = 3, swish = 4, tangent = 5, logistic = 6, hardSwishKind = 7 };

template <int kind> __device__ float activate(float x) {
  switch (kind) {
  case rectified:
    return relu(x);
  case gaussian:
    return geluErf(x);
  case gaussianTanh:
    return geluTanh(x);
  case swish:
    return silu(x);
  case tangent:
    return tanhf(x);
  case logistic:
    return sigmoid(x);
  case hardSwishKind:
    return hardSwish(x);
  default:
    return x;
  }
}

__device__ inline float activate(float x, int kind) {
  switch (kind) {
  case rectified:
    return activate<rectified>(x);
  case gaussian:
    return activate<gaussian>(x);
  case gaussianTanh:
    return activate<gaussianTanh>(x);
  case swish:
    return activate<swish>(x);
  case tangent:
    return activate<tangent>(x);
  case logistic:
    return activate<logistic>(x);
  case hardSwishKind:
    return activate<hardSwishKind>(x);
  default:
    return x;
  }
}

template <int kind, int count> __device__ void activateAll(float (&v)[count]) {
#pragma unroll
  for (int i = 0; i < count; i++) {
    v[i] = activate<kind>(v[i]);
  }
}

template <int count> __device__ void activate(float (&v)[count], int kind) {
  switch (kind) {
  case rectified:
    return activateAll<rectified>(v);
  case gaussian:
    return activateAll<gaussian>(v);
  case gaussianTanh:
    return activateAll<gaussianTanh>(v);
  case swish:
    return activateAll<swish>(v);
  case tangent:
    return activateAll<tangent>(v);
  case logistic:
    return activateAll<logistic>(v);
  case hardSwishKind:
    return activateAll<hardSwishKind>(v);
  default:
    return;
  }
}

} // namespace filigree
