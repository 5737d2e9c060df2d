// Functions of single elements. Half-precision floats are computed in f32 and rounded once.
#include "common/activation.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

// The codes of the parameter `operation`; UnaryOperation.java has the same order. alpha, beta and gamma are the
// operator's attributes.
enum class Operation {
  // what networks apply between their layers: computed for all elements of an access at once
  relu, gelu, geluTanh, silu, sigmoid, tanh, exp, sqrt, reciprocal, negate, absolute, clip, leakyRelu, erf,
  // the others: one after the other, which keeps the code small
  acos, acosh, asin, asinh, atan, atanh, ceil, celu, cos, cosh, elu, floor, hardSigmoid, hardSwish, log,
  mish, round, selu, shrink, sign, sin, sinh, softplus, softsign, tan, thresholdedRelu
};

struct Attributes {
  float alpha;
  float beta;
  float gamma;
};

__device__ float rare(int operation, float x, Attributes with) {
  switch (static_cast<Operation>(operation)) {
    case Operation::acos: return acosf(x);
    case Operation::acosh: return acoshf(x);
    case Operation::asin: return asinf(x);
    case Operation::asinh: return asinhf(x);
    case Operation::atan: return atanf(x);
    case Operation::atanh: return atanhf(x);
    case Operation::ceil: return ceilf(x);
    case Operation::celu: return greater(0, x) + lesser(0, with.alpha * expm1f(x / with.alpha));
    case Operation::cos: return cosf(x);
    case Operation::cosh: return coshf(x);
    case Operation::elu: return x < 0 ? with.alpha * expm1f(x) : x;
    case Operation::floor: return floorf(x);
    case Operation::hardSigmoid: return greater(0, lesser(1, with.alpha * x + with.beta));
    case Operation::hardSwish: return hardSwish(x);
    case Operation::log: return logf(x);
    case Operation::mish: return x * tanhf(softplus(x));
    case Operation::round: return rintf(x);
    case Operation::selu: return with.gamma * (x > 0 ? x : with.alpha * expm1f(x));
    case Operation::shrink: return x < -with.beta ? x + with.alpha : x > with.beta ? x - with.alpha : 0;
    // a zero keeps its sign and a NaN stays one
    case Operation::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Operation::sin: return sinf(x);
    case Operation::sinh: return sinhf(x);
    case Operation::softplus: return softplus(x);
    case Operation::softsign: return x / (1 + fabsf(x));
    case Operation::tan: return tanf(x);
    default: return x > with.alpha ? x : 0;
  }
}

template <int COUNT>
__device__ void apply(int operation, float (&x)[COUNT], Attributes with) {
  auto each = [&](auto function) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      x[i] = function(x[i]);
    }
  };
  switch (static_cast<Operation>(operation)) {
    case Operation::relu: each(relu); return;
    case Operation::gelu: each(geluErf); return;
    case Operation::geluTanh: each(geluTanh); return;
    case Operation::silu: each(silu); return;
    case Operation::sigmoid: each(sigmoid); return;
    case Operation::tanh: each([](float v) { return tanhf(v); }); return;
    case Operation::exp: each([](float v) { return expf(v); }); return;
    case Operation::sqrt: each([](float v) { return sqrtf(v); }); return;
    case Operation::reciprocal: each([](float v) { return 1 / v; }); return;
    case Operation::negate: each([](float v) { return -v; }); return;
    case Operation::absolute: each([](float v) { return fabsf(v); }); return;
    case Operation::clip: each([&](float v) { return lesser(with.beta, greater(with.alpha, v)); }); return;
    case Operation::leakyRelu: each([&](float v) { return v < 0 ? with.alpha * v : v; }); return;
    case Operation::erf: each([](float v) { return erff(v); }); return;
    default: break;
  }
  // the elements pass through the first place in turn: an index that varies would put the array into local memory
#pragma unroll 1
  for (int i = 0; i < COUNT; i++) {
    float y = rare(operation, x[0], with);
#pragma unroll
    for (int j = 0; j + 1 < COUNT; j++) {
      x[j] = x[j + 1];
    }
    x[COUNT - 1] = y;
  }
}

template <typename T>
__device__ void unary(int operation, const T* x, T* y, Attributes with, int rows, int columns, int pitchX, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T values[perThread];
  loadRow(x + place.row * pitchX, 1, place.column, columns, values);
  float computed[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    computed[i] = toFloat(values[i]);
  }
  apply(operation, computed, with);
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    values[i] = fromFloat<T>(computed[i]);
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, values);
}

// Relu, Neg, Abs, Sign and Clip of integers; the bounds of Clip are whole numbers that f32 may not hold.
template <typename T>
__device__ void unaryInteger(int operation, const T* x, T* y, int64_t low, int64_t high, int rows, int columns,
                             int pitchX, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T values[perThread];
  loadRow(x + place.row * pitchX, 1, place.column, columns, values);
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    T value = values[i];
    // the least number has no opposite and stays as it is
    T opposite = static_cast<T>(0 - static_cast<uint64_t>(value));
    switch (static_cast<Operation>(operation)) {
      case Operation::relu: values[i] = value > 0 ? value : 0; break;
      case Operation::negate: values[i] = opposite; break;
      case Operation::absolute: values[i] = value < 0 ? opposite : value; break;
      case Operation::clip: values[i] = min(static_cast<int64_t>(high), max(static_cast<int64_t>(low), static_cast<int64_t>(value))); break;
      default: values[i] = (value > 0) - (value < 0); break;
    }
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, values);
}

}  // namespace

#define UNARY(NAME, T)                                                                                                 \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads) NAME(int operation, const T* x, T* y, float alpha, float beta, \
                                                              float gamma, int rows, int columns, int pitchX,         \
                                                              int pitchY) {                                           \
    KERNEL_FACT("operation unary");                                                                                  \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters operation:i32 x:pointer y:pointer alpha:f32 beta:f32 gamma:f32 rows:i32 columns:i32 "    \
                "pitchX:i32 pitchY:i32");                                                                            \
    unary(operation, x, y, {alpha, beta, gamma}, rows, columns, pitchX, pitchY);                                      \
  }

UNARY(unary_f16, __half)
UNARY(unary_bf16, __nv_bfloat16)
UNARY(unary_f32, float)

#define UNARY_INTEGER(NAME, T)                                                                                        \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads) NAME(int operation, const T* x, T* y, int64_t low,           \
                                                              int64_t high, int rows, int columns, int pitchX,        \
                                                              int pitchY) {                                           \
    KERNEL_FACT("operation unary");                                                                                  \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters operation:i32 x:pointer y:pointer low:i64 high:i64 rows:i32 columns:i32 pitchX:i32 "     \
                "pitchY:i32");                                                                                       \
    unaryInteger(operation, x, y, low, high, rows, columns, pitchX, pitchY);                                          \
  }

UNARY_INTEGER(unary_i32, int32_t)
UNARY_INTEGER(unary_i64, int64_t)
