// Bit manipulation of PTX: three-input logic, byte permutation, bit fields, funnel shifts, searches. The functions
// follow the pseudo-code of the ISA (sections 9.7.1, 9.7.8 and 9.7.9.7) closely enough to be compared line by line.
#pragma once

#include "arith/integer.h"

#include <algorithm>

namespace simgpu::arith {

/**
 * lop3: bit i of the result is table bit 4*a[i] + 2*b[i] + c[i]. Written as the sum of the minterms the table selects,
 * so that a constant table leaves a handful of operations and a loop over lanes vectorises.
 */
inline std::uint32_t lop3(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) {
  const auto selected = [table](int minterm) { return 0u - ((table >> minterm) & 1); };
  const std::uint32_t low = (~b & ~c & selected(0)) | (~b & c & selected(1)) | (b & ~c & selected(2)) | (b & c & selected(3));
  const std::uint32_t high =
      (~b & ~c & selected(4)) | (~b & c & selected(5)) | (b & ~c & selected(6)) | (b & c & selected(7));
  return (~a & low) | (a & high);
}

/** The modes of prmt. */
enum class PermuteMode : std::uint8_t { generic, f4e, b4e, rc8, ecl, ecr, rc16 };

/** Byte 0..7 of {b, a}; bit 3 of the selector replicates the byte's sign instead of copying the byte. */
inline std::uint32_t permutedByte(std::uint64_t source, std::uint32_t selector) {
  const auto byte = static_cast<std::uint32_t>(source >> (8 * (selector & 7))) & 0xff;
  return (selector & 8) == 0 ? byte : (byte & 0x80) != 0 ? 0xff : 0;
}

/** prmt: the special modes are four generic selectors chosen by the low two bits of `control`. */
inline std::uint32_t permute(std::uint32_t a, std::uint32_t b, std::uint32_t control, PermuteMode mode) {
  static constexpr std::uint16_t selectors[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, // f4e
      {0x5670, 0x6701, 0x7012, 0x0123}, // b4e
      {0x0000, 0x1111, 0x2222, 0x3333}, // rc8
      {0x3210, 0x3211, 0x3222, 0x3333}, // ecl
      {0x0000, 0x1110, 0x2210, 0x3210}, // ecr
      {0x1010, 0x3232, 0x1010, 0x3232}, // rc16
  };
  const std::uint32_t selector =
      mode == PermuteMode::generic ? control : selectors[static_cast<int>(mode) - 1][control & 3];
  const std::uint64_t source = std::uint64_t{b} << 32 | a;
  std::uint32_t result = 0;
  for (int byte = 0; byte < 4; byte++) {
    result |= permutedByte(source, selector >> (4 * byte)) << (8 * byte);
  }
  return result;
}

/** bfe: position and length count modulo 256; a field past the top is padded with the type's sign. */
template <std::integral T> T bitFieldExtract(T a, std::uint32_t positionOperand, std::uint32_t lengthOperand) {
  const auto position = static_cast<int>(positionOperand & 0xff);
  const auto length = static_cast<int>(lengthOperand & 0xff);
  if (length == 0) {
    return 0;
  }
  constexpr int width = bitsIn<T>;
  const auto shifted = shiftRight(a, static_cast<std::uint32_t>(position)); // already padded above the top bit
  if (position + length >= width) {
    return shifted;
  }
  const auto unused = static_cast<std::uint32_t>(width - length);
  return shiftRight(shiftLeft(shifted, unused), unused);
}

/** bfi: the low `length` bits of `field` replace the bits of `base` from `position` on. */
template <std::unsigned_integral T>
T bitFieldInsert(T field, T base, std::uint32_t positionOperand, std::uint32_t lengthOperand) {
  const std::uint32_t position = positionOperand & 0xff;
  const std::uint32_t length = lengthOperand & 0xff;
  constexpr auto width = static_cast<std::uint32_t>(bitsIn<T>);
  const T ones = length >= width ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << (length & (width - 1))) - 1);
  const T mask = position >= width ? T{0} : static_cast<T>(ones << (position & (width - 1)));
  const T moved = position >= width ? T{0} : static_cast<T>(field << (position & (width - 1)));
  return static_cast<T>((base & ~mask) | (moved & mask));
}

/** bfind: position of the most significant bit that differs from the sign, or all ones; .shiftamt counts from the top. */
template <std::integral T> std::uint32_t findLeadingBit(T a, bool shiftAmount) {
  const auto bits = static_cast<Unsigned<T>>(a < 0 ? ~a : a);
  if (bits == 0) {
    return 0xffffffff;
  }
  const auto zeros = static_cast<std::uint32_t>(std::countl_zero(bits));
  return shiftAmount ? zeros : static_cast<std::uint32_t>(bitsIn<T>) - 1 - zeros;
}

/** brev. */
inline std::uint32_t reverseBits(std::uint32_t a) {
  a = ((a >> 1) & 0x55555555) | ((a & 0x55555555) << 1);
  a = ((a >> 2) & 0x33333333) | ((a & 0x33333333) << 2);
  a = ((a >> 4) & 0x0f0f0f0f) | ((a & 0x0f0f0f0f) << 4);
  return __builtin_bswap32(a);
}
inline std::uint64_t reverseBits(std::uint64_t a) {
  return std::uint64_t{reverseBits(static_cast<std::uint32_t>(a))} << 32 | reverseBits(static_cast<std::uint32_t>(a >> 32));
}

/** fns: the |offset|-th set bit of `mask` from `base` upwards (offset > 0) or downwards; offset 0 asks for `base` itself. */
inline std::uint32_t findNthSet(std::uint32_t mask, std::uint32_t base, std::int32_t offset) {
  constexpr std::uint32_t none = 0xffffffff;
  if (base > 31) {
    return none; // undefined by the ISA
  }
  if (offset == 0) {
    return ((mask >> base) & 1) != 0 ? base : none;
  }
  const int step = offset > 0 ? 1 : -1;
  std::int64_t remaining = offset > 0 ? std::int64_t{offset} : -std::int64_t{offset};
  for (int position = static_cast<int>(base); position >= 0 && position < 32; position += step) {
    if (((mask >> position) & 1) != 0 && --remaining == 0) {
      return static_cast<std::uint32_t>(position);
    }
  }
  return none;
}

/** shf.l: the top 32 bits of {b, a} << n; .clamp limits n to 32, .wrap to its low five bits. */
inline std::uint32_t funnelShiftLeft(std::uint32_t a, std::uint32_t b, std::uint32_t amount, bool wrap) {
  const std::uint32_t n = wrap ? amount & 31 : std::min(amount, 32u);
  return static_cast<std::uint32_t>(((std::uint64_t{b} << 32 | a) << n) >> 32);
}
/** shf.r: the low 32 bits of {b, a} >> n. */
inline std::uint32_t funnelShiftRight(std::uint32_t a, std::uint32_t b, std::uint32_t amount, bool wrap) {
  const std::uint32_t n = wrap ? amount & 31 : std::min(amount, 32u);
  return static_cast<std::uint32_t>((std::uint64_t{b} << 32 | a) >> n);
}

/** szext: `a` as a value of N = `width` bits, extended to 32. */
template <std::integral T> T extendFrom(T a, std::uint32_t width, bool wrap) {
  static_assert(sizeof(T) == 4);
  if (width >= 32 && !wrap) {
    return a;
  }
  const std::uint32_t bits = width & 31;
  return bits == 0 ? T{0} : shiftRight(shiftLeft(a, 32 - bits), 32 - bits);
}

/** bmsk: `width` ones starting at bit `position`. */
inline std::uint32_t bitMask(std::uint32_t position, std::uint32_t width, bool wrap) {
  if (!wrap && position >= 32) {
    return 0;
  }
  const std::uint32_t first = position & 31;
  const std::uint32_t from = 0xffffffffu << first;
  if (!wrap && width >= 32) {
    return from;
  }
  const std::uint32_t count = width & 31;
  return first + count >= 32 ? from : from & ~(0xffffffffu << (first + count));
}

} // namespace simgpu::arith
