// The rounding attributes PTX instructions carry, as one value.
#pragma once

#include <bit>
#include <cstdint>

namespace simgpu::arith {

/** Direction of rounding: the modifiers .rn, .rz, .rm, .rp and .rna (and .rni, .rzi, .rmi, .rpi for integers). */
enum class Rounding : std::uint8_t { nearestEven, towardZero, towardNegative, towardPositive, nearestAway };

/** What an arithmetic instruction does besides its operation: rounding, flush of subnormals, clamp to [0, 1]. */
struct FloatMode {
  Rounding rounding = Rounding::nearestEven;
  bool flush = false;
  bool saturate = false;

  constexpr bool operator==(const FloatMode&) const = default;
};

} // namespace simgpu::arith
