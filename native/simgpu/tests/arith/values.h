// Values that arithmetic goes wrong on, and seeded random ones.
#pragma once

#include "arith/soft_float.h"

#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace simgpu::testing {

inline constexpr std::uint64_t seed = 20251125; // printed by failing comparisons through the values themselves

/** Zeros, the ends and the middles of the subnormal and normal ranges, powers of two and neighbours, specials. */
inline std::vector<std::uint64_t> edgePatterns(arith::Format format) {
  std::vector<std::uint64_t> patterns;
  const std::uint64_t one = static_cast<std::uint64_t>(format.bias()) << format.fractionBits;
  const std::uint64_t fractionMask = (std::uint64_t{1} << format.fractionBits) - 1;
  const std::uint64_t smallestNormal = fractionMask + 1;
  for (const std::uint64_t magnitude : {std::uint64_t{0},
                                        std::uint64_t{1},
                                        std::uint64_t{2},
                                        std::uint64_t{3},
                                        fractionMask / 2,
                                        fractionMask - 1,
                                        fractionMask,
                                        smallestNormal,
                                        smallestNormal + 1,
                                        2 * smallestNormal,
                                        one - 2,
                                        one - 1,
                                        one,
                                        one + 1,
                                        one + 2,
                                        one + smallestNormal,
                                        one + smallestNormal / 2,
                                        one + 3 * smallestNormal,
                                        one - 3 * smallestNormal,
                                        one + fractionMask / 3,
                                        one + static_cast<std::uint64_t>(format.fractionBits) * smallestNormal,
                                        one + static_cast<std::uint64_t>(format.fractionBits + 1) * smallestNormal,
                                        one - static_cast<std::uint64_t>(format.fractionBits + 1) * smallestNormal,
                                        format.largestFinite() - 1,
                                        format.largestFinite(),
                                        format.infinity(),
                                        format.infinity() + 1,
                                        format.signBit() - 1}) {
    patterns.push_back(magnitude);
    patterns.push_back(magnitude | format.signBit());
  }
  return patterns;
}

/** Any bit pattern, half of them with an exponent near one so that operands meet. */
class Patterns {
public:
  explicit Patterns(arith::Format format, std::uint64_t salt = 0) : format_(format), random_(seed + salt) {}

  std::uint64_t next() {
    const std::uint64_t mask = format_.bits() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << format_.bits()) - 1;
    const std::uint64_t bits = random_() & mask;
    if ((random_() & 1) != 0) {
      return bits;
    }
    const std::uint64_t fraction = bits & ((std::uint64_t{1} << format_.fractionBits) - 1);
    const auto exponent = static_cast<std::uint64_t>(format_.bias() - 4 + static_cast<int>(random_() % 9));
    return (bits & format_.signBit()) | exponent << format_.fractionBits | fraction;
  }

private:
  arith::Format format_;
  std::mt19937_64 random_;
};

inline std::string hex(std::uint64_t value) {
  std::ostringstream out;
  out << "0x" << std::hex << value;
  return out.str();
}

inline const char* roundingName(arith::Rounding rounding) {
  constexpr const char* names[] = {"rn", "rz", "rm", "rp", "rna"};
  return names[static_cast<int>(rounding)];
}

inline constexpr arith::Rounding directedModes[] = {arith::Rounding::towardZero, arith::Rounding::towardNegative,
                                                    arith::Rounding::towardPositive};
inline constexpr arith::Rounding ieeeModes[] = {arith::Rounding::nearestEven, arith::Rounding::towardZero,
                                                arith::Rounding::towardNegative, arith::Rounding::towardPositive};

} // namespace simgpu::testing
