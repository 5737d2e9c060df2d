// Activations that recurrent layers name in their attributes.
#pragma once

#include "common/activation.cuh"

namespace {

// The codes of the rows of activations; CellActivation.Function (Java) has the same order.
enum class Activation {
  sigmoid, tanh, relu, softsign, softplus, affine, leakyRelu, thresholdedRelu, scaledTanh, hardSigmoid, elu
};

// One of them with its parameters, applied to what is cut to [-limit, limit].
struct Function {
  Activation code;
  float alpha;
  float beta;
  float limit;

  // A row: | code | alpha | beta | - |
  __device__ static Function of(float4 row, float limit) {
    return {static_cast<Activation>(static_cast<int>(row.x)), row.y, row.z, limit};
  }

  __device__ float operator()(float value) const {
    const float x = lesser(limit, greater(-limit, value));
    switch (code) {
      case Activation::tanh: return tanhf(x);
      case Activation::relu: return relu(x);
      case Activation::softsign: return x / (1 + fabsf(x));
      case Activation::softplus: return softplus(x);
      case Activation::affine: return alpha * x + beta;
      case Activation::leakyRelu: return x < 0 ? alpha * x : x;
      case Activation::thresholdedRelu: return x >= alpha ? x : 0;
      case Activation::scaledTanh: return alpha * tanhf(beta * x);
      case Activation::hardSigmoid: return lesser(1, greater(0, alpha * x + beta));
      case Activation::elu: return x < 0 ? alpha * expm1f(x) : x;
      default: return sigmoid(x);
    }
  }
};

}  // namespace
