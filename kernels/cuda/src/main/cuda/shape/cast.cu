// Changes of element type, as the scalar reference makes them: floats round to nearest with ties to even; a float becomes
// an integer by truncation, saturated, a NaN 0; integers wrap; anything but 0 is true.
#include "common/walk.cuh"
#include "facts.cuh"

namespace {

// The codes of the parameter `to`, in the order of DType.
enum class Type { f32, f16, bf16, i8, u8, i32, i64, boolean };

template <typename T>
constexpr bool floating = false;
template <>
constexpr bool floating<float> = true;
template <>
constexpr bool floating<__half> = true;
template <>
constexpr bool floating<__nv_bfloat16> = true;

template <typename To, typename From>
__device__ To converted(From x) {
  if constexpr (floating<To> && floating<From>) {
    return fromFloat<To>(toFloat(x));
  } else if constexpr (floating<To>) {
    if constexpr (sizeof(To) == 4) {
      return static_cast<To>(static_cast<int64_t>(x));
    } else if constexpr (sizeof(From) == 1) {
      return fromFloat<To>(static_cast<int>(x));
    } else {
      // f32 may have to round: to odd, so that the second rounding makes it right
      double exact = static_cast<double>(static_cast<int64_t>(x));
      float nearest = __double2float_rz(exact);
      int odd = __float_as_int(nearest) | (nearest != exact ? 1 : 0);
      return fromFloat<To>(__int_as_float(odd));
    }
  } else if constexpr (floating<From>) {
    float value = toFloat(x);
    if constexpr (sizeof(To) == 8) {
      return value != value ? 0 : value >= 9223372036854775808.0f ? INT64_MAX : __float2ll_rz(value);
    } else if constexpr (sizeof(To) == 4) {
      return __float2int_rz(value);
    } else {
      constexpr int least = static_cast<To>(-1) < static_cast<To>(0) ? -128 : 0;
      return static_cast<To>(max(least, min(least + 255, value != value ? 0 : __float2int_rz(value))));
    }
  } else {
    return static_cast<To>(x);
  }
}

template <typename To, typename From>
__device__ void store(To* y, int64_t offset, int column, int columns, int width, const From (&values)[perThread]) {
  alignas(16) To results[perThread];
#pragma unroll
  for (int i = 0; i < perThread; i++) {
    results[i] = converted<To>(values[i]);
  }
  storeRow(y + offset, column, columns, width, results);
}

template <typename From>
__device__ void cast(int to, const From* x, void* y, int rows, int columns, int pitchX, int pitchY) {
  Place place = Place::of(pitchY);
  if (place.row >= rows) {
    return;
  }
  alignas(16) From values[perThread];
  loadRow(x + place.row * pitchX, 1, place.column, columns, values);
  int64_t offset = place.row * pitchY;
  auto storeAs = [&](auto* typed) { store(typed, offset, place.column, columns, pitchY, values); };
  switch (static_cast<Type>(to)) {
    case Type::f32: storeAs(static_cast<float*>(y)); break;
    case Type::f16: storeAs(static_cast<__half*>(y)); break;
    case Type::bf16: storeAs(static_cast<__nv_bfloat16*>(y)); break;
    case Type::i8: storeAs(static_cast<int8_t*>(y)); break;
    case Type::u8: storeAs(static_cast<uint8_t*>(y)); break;
    case Type::i32: storeAs(static_cast<int32_t*>(y)); break;
    case Type::i64: storeAs(static_cast<int64_t*>(y)); break;
    default: {
      alignas(8) uint8_t truths[perThread];
#pragma unroll
      for (int i = 0; i < perThread; i++) {
        if constexpr (floating<From>) {
          truths[i] = toFloat(values[i]) != 0;
        } else {
          truths[i] = values[i] != 0;
        }
      }
      storeRow(static_cast<uint8_t*>(y) + offset, place.column, columns, pitchY, truths);
    }
  }
}

}  // namespace

#define CAST(NAME, FROM)                                                                                             \
  extern "C" __global__ void __launch_bounds__(elementwiseThreads)                                                              \
      NAME(int to, const FROM* x, void* y, int rows, int columns, int pitchX, int pitchY) {                          \
    KERNEL_FACT("operation cast");                                                                                   \
    KERNEL_FACT("grid eightPerThread");                                                                              \
    KERNEL_FACT_1("threads", elementwiseThreads);                                                                    \
    KERNEL_FACT_1("sharedBytes", 0);                                                                                 \
    KERNEL_FACT("parameters to:i32 x:pointer y:pointer rows:i32 columns:i32 pitchX:i32 pitchY:i32");                 \
    cast(to, x, y, rows, columns, pitchX, pitchY);                                                                   \
  }

CAST(cast_f32, float)
CAST(cast_f16, __half)
CAST(cast_bf16, __nv_bfloat16)
CAST(cast_i8, int8_t)
// a bool is a byte of 0 or 1, so it is cast as u8
CAST(cast_u8, uint8_t)
CAST(cast_i32, int32_t)
CAST(cast_i64, int64_t)
