#include "arith/conversion.h"

#include <algorithm>

namespace simgpu::arith {
namespace {

constexpr int tf32Padding = 13; // a tf32 value occupies the top 19 bits of a register

constexpr Format formatOf(ScalarType type) {
  switch (type) {
  case ScalarType::f16:
    return f16Format;
  case ScalarType::bf16:
    return bf16Format;
  case ScalarType::tf32:
    return tf32Format;
  case ScalarType::f32:
    return f32Format;
  default:
    return f64Format;
  }
}

std::uint64_t lowBits(std::uint64_t value, int bits) {
  return bits == 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
}

std::uint64_t extend(std::uint64_t value, ScalarType type) {
  const int unused = 64 - bitsOfType(type);
  return isSignedInteger(type) ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused)
                               : lowBits(value, bitsOfType(type));
}

/** Clamps (-1)^negative * magnitude to the range of an integer type. */
std::uint64_t clampInteger(bool negative, std::uint64_t magnitude, bool overflow, ScalarType type) {
  const int bits = bitsOfType(type);
  if (!isSignedInteger(type)) {
    const std::uint64_t largest = lowBits(~std::uint64_t{0}, bits);
    return negative ? 0 : overflow ? largest : std::min(magnitude, largest);
  }
  const std::uint64_t limit = (std::uint64_t{1} << (bits - 1)) - (negative ? 0 : 1);
  const std::uint64_t clamped = overflow ? limit : std::min(magnitude, limit);
  return negative ? 0 - clamped : clamped;
}

std::uint64_t flushBits(Format format, std::uint64_t bits) {
  return (bits & format.infinity()) == 0 ? bits & format.signBit() : bits;
}

std::uint64_t finishFloat(const Conversion& conversion, std::uint64_t bits) {
  const Format format = formatOf(conversion.to);
  const bool negative = (bits & format.signBit()) != 0;
  const bool nan = isNan(format, bits);
  if (conversion.flush && conversion.to == ScalarType::f32) {
    bits = flushBits(format, bits);
  }
  if (conversion.satfinite && (bits & ~format.signBit()) == format.infinity()) {
    bits = format.largestFinite() | (bits & format.signBit());
  }
  if (conversion.relu && negative && !nan) {
    bits = 0;
  }
  if (conversion.saturate) {
    const std::uint64_t one = static_cast<std::uint64_t>(format.bias()) << format.fractionBits;
    bits = nan || negative ? 0 : std::min(bits, one);
  }
  return conversion.to == ScalarType::tf32 ? bits << tf32Padding : bits;
}

std::uint64_t fromIntegerSource(const Conversion& conversion, std::uint64_t bits) {
  const std::uint64_t extended = extend(bits, conversion.from);
  const bool negative = isSignedInteger(conversion.from) && static_cast<std::int64_t>(extended) < 0;
  const std::uint64_t magnitude = negative ? 0 - extended : extended;
  if (isFloat(conversion.to)) {
    return finishFloat(conversion, softFromInteger(formatOf(conversion.to), negative, magnitude, conversion.rounding));
  }
  return extend(conversion.saturate ? clampInteger(negative, magnitude, false, conversion.to) : extended, conversion.to);
}

std::uint64_t toIntegerTarget(const Conversion& conversion, std::uint64_t bits) {
  const IntegerValue value = softToInteger(formatOf(conversion.from), bits, conversion.rounding);
  if (value.nan) {
    const bool wide = conversion.from == ScalarType::f64 || bitsOfType(conversion.to) == 64;
    return extend(wide ? std::uint64_t{1} << (bitsOfType(conversion.to) - 1) : 0, conversion.to);
  }
  return extend(clampInteger(value.negative, value.magnitude, value.overflow, conversion.to), conversion.to);
}

} // namespace

std::uint64_t convert(const Conversion& conversion, std::uint64_t bits) {
  if (!isFloat(conversion.from)) {
    return fromIntegerSource(conversion, bits);
  }
  const Format from = formatOf(conversion.from);
  bits = conversion.from == ScalarType::tf32 ? lowBits(bits, 32) >> tf32Padding : lowBits(bits, from.bits());
  if (conversion.flush && conversion.from == ScalarType::f32) {
    bits = flushBits(from, bits);
  }
  if (!isFloat(conversion.to)) {
    return toIntegerTarget(conversion, bits);
  }
  const bool sameType = conversion.to == conversion.from;
  if (sameType && conversion.integral) {
    return finishFloat(conversion, softRoundToIntegral(from, bits, conversion.rounding));
  }
  return finishFloat(conversion, softConvert(from, formatOf(conversion.to), bits, conversion.rounding));
}

} // namespace simgpu::arith
