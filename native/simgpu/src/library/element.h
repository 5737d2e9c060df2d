// Elements of matrices in the types the math libraries know, read and written one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace simgpu::library {

/** cudaDataType, as far as it is simulated. */
enum class Type : int { f32 = 0, f64 = 1, f16 = 2, s8 = 3, s32 = 10, bf16 = 14 };

inline bool known(Type type) {
  switch (type) {
  case Type::f32:
  case Type::f64:
  case Type::f16:
  case Type::s8:
  case Type::s32:
  case Type::bf16: return true;
  }
  return false;
}

inline std::size_t bytesOf(Type type) {
  switch (type) {
  case Type::f64: return 8;
  case Type::f32:
  case Type::s32: return 4;
  case Type::f16:
  case Type::bf16: return 2;
  case Type::s8: return 1;
  }
  return 0;
}

template <class Value> Value loadRaw(const std::byte* at) {
  Value value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/** The element, converted; every value of the types but f64 and large s32 is exact in float. */
template <class Number> Number load(Type type, const std::byte* at) {
  switch (type) {
  case Type::f32: return static_cast<Number>(loadRaw<float>(at));
  case Type::f64: return static_cast<Number>(loadRaw<double>(at));
  case Type::f16: return static_cast<Number>(_cvtsh_ss(loadRaw<std::uint16_t>(at)));
  case Type::s8: return static_cast<Number>(loadRaw<std::int8_t>(at));
  case Type::s32: return static_cast<Number>(loadRaw<std::int32_t>(at));
  case Type::bf16: {
    const std::uint32_t bits = std::uint32_t{loadRaw<std::uint16_t>(at)} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<Number>(value);
  }
  }
  return Number{};
}

inline std::uint16_t roundToBf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 0x40); // stays a not-a-number
  // to nearest, ties to even
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <class Value> void storeRaw(std::byte* at, Value value) { std::memcpy(at, &value, sizeof value); }

/** Writes the number, rounded to the type. */
template <class Number> void store(Type type, std::byte* at, Number number) {
  switch (type) {
  case Type::f32: storeRaw(at, static_cast<float>(number)); break;
  case Type::f64: storeRaw(at, static_cast<double>(number)); break;
  case Type::f16:
    storeRaw(at, static_cast<std::uint16_t>(_cvtss_sh(static_cast<float>(number), _MM_FROUND_TO_NEAREST_INT)));
    break;
  case Type::s8: storeRaw(at, static_cast<std::int8_t>(number)); break;
  case Type::s32: storeRaw(at, static_cast<std::int32_t>(number)); break;
  case Type::bf16: storeRaw(at, roundToBf16(static_cast<float>(number))); break;
  }
}

} // namespace simgpu::library
