// Integer operations on values packed in a 32-bit register: dot products and the SIMD video instructions.
#pragma once

#include "arith/integer.h"

#include <algorithm>
#include <cstdlib>

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

/** The element-wise operations of vadd2/4, vsub2/4, vavrg2/4, vabsdiff2/4, vmin2/4, vmax2/4 and vset2/4. */
enum class VideoOperation : std::uint8_t { add, sub, average, absoluteDifference, min, max, eq, ne, lt, le, gt, ge };

/**
 * One SIMD video instruction. `elements` is 2 or 4. The selectors give, for each result element from the lowest up,
 * which element of {b, a} (0 = lowest of a) is taken; the mask has a bit per result element.
 */
struct VideoInstruction {
  VideoOperation operation;
  int elements;
  bool resultSigned;
  bool aSigned;
  bool bSigned;
  bool saturate;
  bool accumulate; // .add: the selected results are summed onto c instead of merged into it
  std::uint8_t aSelect[4] = {0, 1, 2, 3};
  std::uint8_t bSelect[4] = {4, 5, 6, 7};
  std::uint8_t mask = 0xf;
};

/** The instruction with the default selectors of two or four elements. */
constexpr VideoInstruction videoInstruction(VideoOperation operation, int elements) {
  VideoInstruction instruction{operation, elements, false, false, false, false, false};
  for (int i = 0; i < elements; i++) {
    instruction.bSelect[i] = static_cast<std::uint8_t>(elements + i);
  }
  return instruction;
}

inline std::int32_t videoElement(VideoOperation operation, std::int32_t a, std::int32_t b) {
  switch (operation) {
  case VideoOperation::add:
    return a + b;
  case VideoOperation::sub:
    return a - b;
  case VideoOperation::average:
    return (a + b + (a + b >= 0 ? 1 : 0)) >> 1;
  case VideoOperation::absoluteDifference:
    return std::abs(a - b);
  case VideoOperation::min:
    return std::min(a, b);
  case VideoOperation::max:
    return std::max(a, b);
  case VideoOperation::eq:
    return a == b ? 1 : 0;
  case VideoOperation::ne:
    return a != b ? 1 : 0;
  case VideoOperation::lt:
    return a < b ? 1 : 0;
  case VideoOperation::le:
    return a <= b ? 1 : 0;
  case VideoOperation::gt:
    return a > b ? 1 : 0;
  case VideoOperation::ge:
    return a >= b ? 1 : 0;
  }
  return 0;
}

inline std::uint32_t videoSimd(const VideoInstruction& instruction, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  const int elements = instruction.elements;
  const int width = 32 / elements;
  const std::uint32_t ones = (1u << width) - 1;
  const auto pick = [&](int selector, bool isSigned) {
    const std::uint32_t source = selector < elements ? a : b;
    const int index = selector % elements;
    return elements == 4 ? packedByte(source, index, isSigned) : packedHalf(source, index, isSigned);
  };
  std::uint32_t result = instruction.accumulate ? c : 0;
  for (int i = 0; i < elements; i++) {
    std::int32_t value = videoElement(instruction.operation, pick(instruction.aSelect[i], instruction.aSigned),
                                      pick(instruction.bSelect[i], instruction.bSigned));
    if (instruction.saturate) {
      const std::int32_t low = instruction.resultSigned ? -(1 << (width - 1)) : 0;
      const std::int32_t high = instruction.resultSigned ? (1 << (width - 1)) - 1 : static_cast<std::int32_t>(ones);
      value = std::clamp(value, low, high);
    }
    const bool selected = ((instruction.mask >> i) & 1) != 0;
    if (instruction.accumulate) {
      result += selected ? static_cast<std::uint32_t>(value) : 0;
    } else {
      const std::uint32_t merged = selected ? static_cast<std::uint32_t>(value) : c >> (width * i);
      result |= (merged & ones) << (width * i);
    }
  }
  return result;
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
