// cvt between every pair of sm_80 types. `convert` handles any form and is the reference; the inline functions below it
// are the forms that matter for speed, written so that loops over lanes vectorise.
#pragma once

#include "arith/half_arithmetic.h"
#include "arith/integer.h"

#include <limits>

namespace simgpu::arith {

/** The scalar types an instruction can name, as far as values differ. */
enum class ScalarType : std::uint8_t { u8, s8, u16, s16, u32, s32, u64, s64, f16, bf16, tf32, f32, f64 };

constexpr bool isFloat(ScalarType type) { return type >= ScalarType::f16; }
constexpr bool isSignedInteger(ScalarType type) {
  return type == ScalarType::s8 || type == ScalarType::s16 || type == ScalarType::s32 || type == ScalarType::s64;
}
constexpr int bitsOfType(ScalarType type) {
  constexpr int bits[] = {8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 32, 64};
  return bits[static_cast<int>(type)];
}

/** One cvt instruction without its operands. The packed forms (f16x2, bf16x2) are two conversions. */
struct Conversion {
  ScalarType to;
  ScalarType from;
  Rounding rounding = Rounding::nearestEven; // .rn .rz .rm .rp .rna, or .rni .rzi .rmi .rpi when `integral`
  bool integral = false;                     // float to float of one type, rounded to an integral value
  bool flush = false;                        // .ftz
  bool saturate = false;                     // .sat: [0, 1] for floats, the type's range for integers
  bool relu = false;
  bool satfinite = false;
};

/**
 * Converts the low bits of `bits`. The result is extended to 64 bits by the destination's signedness, so that cutting
 * it to any register width gives what the instruction leaves there. A tf32 result has its low 13 bits clear.
 */
std::uint64_t convert(const Conversion& conversion, std::uint64_t bits);

/** A float rounded to an integral value. */
template <std::floating_point F> F roundToIntegral(F value, Rounding rounding) {
  switch (rounding) {
  case Rounding::towardZero:
    return std::trunc(value);
  case Rounding::towardNegative:
    return std::floor(value);
  case Rounding::towardPositive:
    return std::ceil(value);
  case Rounding::nearestAway:
    return std::round(value);
  case Rounding::nearestEven:
    break;
  }
  return std::nearbyint(value);
}

/**
 * Float to integer: out-of-range values clamp. NaN becomes zero, or the top bit alone when the source is f64 or the
 * destination has 64 bits.
 */
template <std::integral I, std::floating_point F> I toInteger(F value, Rounding rounding) {
  constexpr I smallest = std::numeric_limits<I>::min();
  constexpr I largest = std::numeric_limits<I>::max();
  constexpr F low = static_cast<F>(smallest);
  // The first float beyond the range: max + 1 is a power of two, while max itself may not be representable.
  constexpr F beyond = static_cast<F>(largest / 2 + 1) * F(2);
  const F integral = roundToIntegral(value, rounding);
  const bool over = integral >= beyond;
  const bool under = !(integral >= low); // also NaN
  const I converted = static_cast<I>(over || under ? F(0) : integral);
  constexpr bool nanIsTopBit = sizeof(F) == 8 || sizeof(I) == 8;
  constexpr auto topBit = static_cast<I>(Unsigned<I>{1} << (bitsIn<I> - 1));
  const I ofNan = nanIsTopBit ? topBit : I{0};
  const I clamped = over ? largest : under ? smallest : converted;
  return value != value ? ofNan : clamped;
}

/** Integer to float. */
template <std::floating_point F, std::integral I> F fromInteger(I value, Rounding rounding) {
  if (rounding == Rounding::nearestEven) {
    return static_cast<F>(value);
  }
  const bool negative = value < 0;
  const auto magnitude = static_cast<std::uint64_t>(negative ? negate(value) : value);
  constexpr std::uint64_t widthMask = sizeof(I) == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * (sizeof(I) & 7))) - 1;
  constexpr Format format = sizeof(F) == 8 ? f64Format : f32Format;
  const std::uint64_t bits = softFromInteger(format, negative, magnitude & widthMask, rounding);
  if constexpr (sizeof(F) == 8) {
    return doubleOf(bits);
  } else {
    return floatOf(static_cast<std::uint32_t>(bits));
  }
}

/** f64 to f32. */
inline float narrowToFloat(double value, Rounding rounding) {
  const float nearest = static_cast<float>(value);
  if (rounding == Rounding::nearestEven || !std::isfinite(value)) {
    return canonical(nearest);
  }
  return direct(nearest, value - static_cast<double>(nearest), rounding);
}

/** f32 to f16 or bf16. */
template <class H> std::uint16_t narrowToHalf(float value, Rounding rounding) {
  return rounding == Rounding::nearestEven
             ? H::narrow(value)
             : static_cast<std::uint16_t>(softConvert(f32Format, H::format, bitsOf(value), rounding));
}

/** cvt.rna.tf32.f32: 10 fraction bits, ties away from zero, in the place of an f32. */
inline std::uint32_t floatToTf32(float value) {
  const std::uint32_t bits = bitsOf(value);
  const bool special = (bits & 0x7f800000) == 0x7f800000;
  const std::uint32_t rounded = (bits + 0x1000) & 0xffffe000;
  return value != value ? canonicalNanF32 & 0xffffe000 : special ? bits : rounded;
}

/** What the tensor core reads of a tf32 operand: the low 13 bits of the register are ignored. */
inline float tf32ToFloat(std::uint32_t bits) { return floatOf(bits & 0xffffe000); }

} // namespace simgpu::arith
