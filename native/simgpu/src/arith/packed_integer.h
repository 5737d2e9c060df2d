// Integer operations on values packed in a 32-bit register: dot products and saturating packs.
#pragma once

#include "arith/integer.h"

#include <algorithm>

namespace simgpu::arith {

/** Byte or half-word `index` of a register, extended by its signedness. */
inline std::int32_t packedByte(std::uint32_t value, int index, bool isSigned) {
  const std::uint32_t byte = (value >> (8 * index)) & 0xff;
  return isSigned ? std::int32_t{static_cast<std::int8_t>(byte)} : static_cast<std::int32_t>(byte);
}
inline std::int32_t packedHalf(std::uint32_t value, int index, bool isSigned) {
  const std::uint32_t half = (value >> (16 * index)) & 0xffff;
  return isSigned ? std::int32_t{static_cast<std::int16_t>(half)} : static_cast<std::int32_t>(half);
}

/** dp4a: c + sum of four byte products, modulo 2^32. */
inline std::uint32_t dotBytes(std::uint32_t a, std::uint32_t b, std::uint32_t c, bool aSigned, bool bSigned) {
  for (int i = 0; i < 4; i++) {
    c += static_cast<std::uint32_t>(packedByte(a, i, aSigned) * packedByte(b, i, bSigned));
  }
  return c;
}

/** dp2a: c + two products of the half-words of a with the low or high two bytes of b. */
inline std::uint32_t dotHalves(std::uint32_t a, std::uint32_t b, std::uint32_t c, bool aSigned, bool bSigned, bool high) {
  for (int i = 0; i < 2; i++) {
    c += static_cast<std::uint32_t>(packedHalf(a, i, aSigned) * packedByte(b, i + (high ? 2 : 0), bSigned));
  }
  return c;
}

/** cvt.pack.sat: a and b clamped to `bits`-wide integers, b lowest, the low bits of c above them. */
inline std::uint32_t packSaturated(std::int32_t a, std::int32_t b, std::uint32_t c, int bits, bool isSigned) {
  const std::int32_t low = isSigned ? -(1 << (bits - 1)) : 0;
  const std::int32_t high = isSigned ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  const std::uint32_t ones = (1u << bits) - 1;
  const std::uint32_t packed = (static_cast<std::uint32_t>(std::clamp(a, low, high)) & ones) << bits |
                               (static_cast<std::uint32_t>(std::clamp(b, low, high)) & ones);
  return bits == 16 ? packed : packed | c << (2 * bits);
}

} // namespace simgpu::arith
