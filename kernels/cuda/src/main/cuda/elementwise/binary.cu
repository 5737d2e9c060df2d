// Functions of two tensors that broadcast against each other. Half-precision floats are computed in f32 and rounded once;
// integers wrap, and division by an integer zero gives zero.
#include "common/activation.cuh"
#include "common/walk.cuh"
#include "facts.cuh"

namespace elementwise {

// As C's, and ONNX Runtime's: 1 to the power of anything is 1, and so is -1 to that of infinity.
__device__ __noinline__ inline float power(float a, float b) {
  return powf(a, b);
}

// Whether a product leaves 64 bits; wrapped where it does.
__device__ inline bool overflows(int64_t a, int64_t b, int64_t& product) {
  int64_t high = __mul64hi(a, b);
  product = static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  return high != product >> 63;
}

// As a Java cast of Math.pow: the power as the nearest double, truncated and saturated. It is computed in whole numbers,
// because pow may miss a whole result by its last place.
template <typename T>
__device__ __noinline__ inline T power(T a, T b) {
  constexpr T most = sizeof(T) == 8 ? static_cast<T>(INT64_MAX) : static_cast<T>(INT32_MAX);
  // doubles from 2^53 on are even
  bool odd = b % 2 != 0 && llabs(b) < int64_t{1} << 53;
  if (a == 1 || a == -1) {
    return a < 0 && odd ? -1 : 1;
  }
  if (b < 0) {
    return a == 0 ? most : 0;
  }
  const T saturated = a < 0 && odd ? -most - 1 : most;
  int64_t result = 1;
  int64_t base = a;
  for (T left = b; left > 0; left /= 2) {
    if (left % 2 != 0) {
      if (overflows(result, base, result)) {
        return saturated;
      }
    }
    if (left > 1 && overflows(base, base, base)) {
      return saturated;
    }
  }
  double nearest = static_cast<double>(result);
  constexpr double limit = sizeof(T) == 8 ? 9223372036854775808.0 : 2147483648.0;
  return nearest >= limit ? most : nearest < -limit ? -most - 1 : static_cast<T>(nearest);
}

}  // namespace elementwise

namespace {

// The codes of the parameter `operation`; BinaryOperation.java has the same order.
enum class Operation { add, subtract, multiply, divide, power, minimum, maximum, pRelu };

template <typename T>
struct Arithmetic;

template <>
struct Arithmetic<float> {
  __device__ static float divide(float a, float b) { return a / b; }
  __device__ static float minimum(float a, float b) { return lesser(a, b); }
  __device__ static float maximum(float a, float b) { return greater(a, b); }
};

// The least number divided by -1 wraps to itself.
template <typename T>
struct Arithmetic {
  __device__ static T divide(T a, T b) { return b == 0 ? 0 : b == -1 ? static_cast<T>(0 - static_cast<uint64_t>(a)) : a / b; }
  __device__ static T minimum(T a, T b) { return a < b ? a : b; }
  __device__ static T maximum(T a, T b) { return a > b ? a : b; }
};

template <int COUNT, typename C>
__device__ void apply(int operation, C (&a)[COUNT], const C (&b)[COUNT]) {
  auto each = [&](auto function) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      a[i] = function(a[i], b[i]);
    }
  };
  switch (static_cast<Operation>(operation)) {
    case Operation::add: each([](C x, C y) { return x + y; }); break;
    case Operation::subtract: each([](C x, C y) { return x - y; }); break;
    case Operation::multiply: each([](C x, C y) { return x * y; }); break;
    case Operation::divide: each([](C x, C y) { return Arithmetic<C>::divide(x, y); }); break;
    case Operation::power: each([](C x, C y) { return elementwise::power(x, y); }); break;
    case Operation::minimum: each([](C x, C y) { return Arithmetic<C>::minimum(x, y); }); break;
    case Operation::maximum: each([](C x, C y) { return Arithmetic<C>::maximum(x, y); }); break;
    default: each([](C x, C y) { return x < 0 ? x * y : x; }); break;
  }
}

// C is the type that T is computed in.
template <typename T, typename C>
__device__ void binary(int operation, const T* a, const T* b, T* y, const Axes& extents, const Axes& stepsA,
                       const Axes& stepsB, int64_t stepA, int64_t stepB, int rows, int columns, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) T left[perThread];
  alignas(16) T right[perThread];
  loadRow(a + rowOffset(place.row, extents, stepsA), stepA, place.column, columns, left);
  loadRow(b + rowOffset(place.row, extents, stepsB), stepB, place.column, columns, right);
  C x[perThread];
  C other[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    if constexpr (sizeof(T) == 2) {
      x[i] = toFloat(left[i]);
      other[i] = toFloat(right[i]);
    } else {
      x[i] = left[i];
      other[i] = right[i];
    }
  }
  apply(operation, x, other);
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    if constexpr (sizeof(T) == 2) {
      left[i] = fromFloat<T>(x[i]);
    } else {
      left[i] = x[i];
    }
  }
  storeRow(y + place.row * pitchY, place.column, columns, pitchY, left);
}

}  // namespace

#define BINARY(NAME, T, C)                                                                                          \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                            \
      NAME(int operation, const T* a, const T* b, T* y, Axes extents, Axes stepsA, Axes stepsB, int64_t stepA,      \
           int64_t stepB, int rows, int columns, int pitchY) {                                                      \
    KERNEL_FACT("operation binary");                                                                                 \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters operation:i32 a:pointer b:pointer y:pointer extents:axes stepsA:axes stepsB:axes "       \
                "stepA:i64 stepB:i64 rows:i32 columns:i32 pitchY:i32");                                              \
    binary<T, C>(operation, a, b, y, extents, stepsA, stepsB, stepA, stepB, rows, columns, pitchY);                 \
  }

BINARY(binary_f16, __half, float)
BINARY(binary_bf16, __nv_bfloat16, float)
BINARY(binary_f32, float, float)
BINARY(binary_i32, int32_t, int32_t)
BINARY(binary_i64, int64_t, int64_t)
