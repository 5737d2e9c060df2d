// Binary floating point computed with integers only: the oracle for every faster path, and the way rare rounding
// modes are executed. It depends on nothing but the definition of the formats, so it is right for a reader's reasons.
#pragma once

#include "arith/rounding.h"

#include <cstdint>

namespace simgpu::arith {

/** A binary interchange format: sign, biased exponent, fraction, from the top bit down. */
struct Format {
  int exponentBits;
  int fractionBits;

  constexpr int bits() const { return 1 + exponentBits + fractionBits; }
  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  constexpr int smallestExponent() const { return 1 - bias(); }
  constexpr std::uint64_t signBit() const { return std::uint64_t{1} << (bits() - 1); }
  constexpr std::uint64_t infinity() const { return ((std::uint64_t{1} << exponentBits) - 1) << fractionBits; }
  constexpr std::uint64_t largestFinite() const { return infinity() - 1; }
  constexpr bool operator==(const Format&) const = default;

  /** The NaN an operation delivers: all ones below the sign for the formats up to 32 bits, the default NaN of f64. */
  constexpr std::uint64_t nan() const {
    return bits() == 64 ? std::uint64_t{0xfff8} << 48 : signBit() - 1;
  }
};

inline constexpr Format f16Format{5, 10};
inline constexpr Format bf16Format{8, 7};
inline constexpr Format tf32Format{8, 10};
inline constexpr Format f32Format{8, 23};
inline constexpr Format f64Format{11, 52};

/** Arithmetic on bit patterns of one format with a single rounding. */
std::uint64_t softAdd(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding);
std::uint64_t softMul(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding);
std::uint64_t softFma(Format format, std::uint64_t a, std::uint64_t b, std::uint64_t c, Rounding rounding);
std::uint64_t softDiv(Format format, std::uint64_t a, std::uint64_t b, Rounding rounding);
std::uint64_t softSqrt(Format format, std::uint64_t a, Rounding rounding);

/** The value of `bits` (in `from`) rounded once into `to`. NaN becomes the NaN of `to`. */
std::uint64_t softConvert(Format from, Format to, std::uint64_t bits, Rounding rounding);

/** (-1)^negative * magnitude rounded once into `to`. */
std::uint64_t softFromInteger(Format to, bool negative, std::uint64_t magnitude, Rounding rounding);

/** The value of `bits` rounded to an integral value of the same format; the sign of zero is kept. */
std::uint64_t softRoundToIntegral(Format format, std::uint64_t bits, Rounding rounding);

/** An integer result that may lie outside 64 bits: then `overflow` is set and `magnitude` is meaningless. */
struct IntegerValue {
  bool nan;
  bool negative;
  bool overflow;
  std::uint64_t magnitude;
};

/** The value of `bits` rounded to an integer. */
IntegerValue softToInteger(Format from, std::uint64_t bits, Rounding rounding);

constexpr bool isNan(Format format, std::uint64_t bits) {
  return (bits & (format.signBit() - 1)) > format.infinity();
}

} // namespace simgpu::arith
