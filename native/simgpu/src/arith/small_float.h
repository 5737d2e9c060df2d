// Floats of eight bits: E4M3, which has no infinities, and E5M2, the upper half of an f16 (OCP 8-bit Floating Point
// Specification, tables 1 and 2).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace simgpu::arith {

struct SmallFormat {
  int mantissaBits = 0;
  int bias = 0;
  bool infinities = false;
  std::uint8_t largest = 0; // finite
};

inline constexpr SmallFormat e4m3{3, 7, false, 0x7e};
inline constexpr SmallFormat e5m2{2, 15, true, 0x7b};

inline constexpr std::uint8_t smallNotANumber = 0x7f;

inline float smallToFloat(const SmallFormat& format, std::uint8_t bits) {
  const int magnitude = bits & 0x7f;
  const float sign = bits != magnitude ? -1.0F : 1.0F;
  if (magnitude > format.largest) {
    const bool infinite = format.infinities && magnitude == format.largest + 1;
    return infinite ? sign * std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  }
  const int exponent = magnitude >> format.mantissaBits;
  const int mantissa = magnitude & ((1 << format.mantissaBits) - 1);
  const int hidden = exponent != 0 ? 1 << format.mantissaBits : 0;
  const int lastPlace = std::max(exponent, 1) - format.bias - format.mantissaBits;
  return sign * std::ldexp(static_cast<float>(hidden + mantissa), lastPlace);
}

/** To the nearest, ties to even; what is too large becomes the largest finite value (.satfinite). */
inline std::uint8_t floatToSmall(const SmallFormat& format, float value, bool relu) {
  if (std::isnan(value)) {
    return smallNotANumber;
  }
  if (relu && std::signbit(value)) {
    return 0;
  }
  const auto sign = static_cast<std::uint8_t>(std::signbit(value) ? 0x80 : 0);
  const float magnitude = std::abs(value);
  if (magnitude >= smallToFloat(format, format.largest)) {
    return sign | format.largest;
  }
  const int least = 1 - format.bias;
  const int exponent = magnitude == 0 ? least : std::max(std::ilogb(magnitude), least);
  // a multiple of the last place, exactly: only the exponent changes
  const float scaled = std::ldexp(magnitude, format.mantissaBits - exponent);
  const float below = std::floor(scaled);
  const auto whole = static_cast<int>(below);
  const bool up = scaled - below > 0.5F || (scaled - below == 0.5F && whole % 2 == 1);
  // a carry goes into the exponent, as it should
  const int code =
      ((exponent + format.bias) << format.mantissaBits) + whole + (up ? 1 : 0) - (1 << format.mantissaBits);
  return static_cast<std::uint8_t>(sign | std::min<int>(code, format.largest));
}

} // namespace simgpu::arith
