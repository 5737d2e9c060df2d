// The video instructions: vadd, vmad, vset ... on one byte, half-word or word, vadd2, vadd4 ... on all of a register.
// PTX ISA 8.7, 9.7.18.
#pragma once

#include "arith/packed_integer.h"

#include <algorithm>
#include <cstdint>

namespace simgpu::arith {

/** Holds products of words, and words shifted by 32, exactly. */
__extension__ using Exact = __int128;

/** The primary operations; the comparisons are those of vset. Averages are SIMD only, shifts and mad scalar only. */
enum class VideoOperation : std::uint8_t {
  add, sub, average, absoluteDifference, min, max, eq, ne, lt, le, gt, ge, shiftLeft, shiftRight, multiplyAdd
};

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

/** The exact result of a primary operation. */
template <class T> T videoElement(VideoOperation operation, T a, T b) {
  switch (operation) {
  case VideoOperation::add:
    return a + b;
  case VideoOperation::sub:
    return a - b;
  case VideoOperation::average:
    return (a + b + (a + b >= 0 ? 1 : 0)) >> 1;
  case VideoOperation::absoluteDifference:
    return a > b ? a - b : b - a;
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
  case VideoOperation::shiftLeft:
    return a * (T{1} << b);
  case VideoOperation::shiftRight:
    return a >> b;
  case VideoOperation::multiplyAdd:
    break; // has three operands
  }
  return 0;
}

/** The nearest value that a signed or unsigned integer of `width` bits holds. */
template <class T> T clampTo(T value, int width, bool isSigned) {
  const std::int64_t low = isSigned ? -(std::int64_t{1} << (width - 1)) : 0;
  const std::int64_t high = (std::int64_t{1} << (isSigned ? width - 1 : width)) - 1;
  return std::clamp(value, static_cast<T>(low), static_cast<T>(high));
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
      value = clampTo(value, width, instruction.resultSigned);
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

/** A byte, a half-word or all of a register: `.b2` is {16, 8}. */
struct RegisterPart {
  std::uint8_t shift = 0;
  std::uint8_t width = 32;

  std::int64_t extract(std::uint32_t value, bool isSigned) const {
    const std::uint32_t field = value << (32 - width - shift) >> (32 - width);
    return isSigned ? std::int64_t{static_cast<std::int32_t>(field << (32 - width)) >> (32 - width)}
                    : std::int64_t{field};
  }

  std::uint32_t merge(Exact value, std::uint32_t into) const {
    const std::uint32_t ones = static_cast<std::uint32_t>((std::uint64_t{1} << width) - 1) << shift;
    return (static_cast<std::uint32_t>(value) << shift & ones) | (into & ~ones);
  }
};

enum class SecondOperation : std::uint8_t { none, add, min, max };

/** One scalar video instruction. */
struct ScalarVideo {
  VideoOperation operation = VideoOperation::add;
  SecondOperation second = SecondOperation::none;
  RegisterPart result;
  RegisterPart a;
  RegisterPart b;
  bool resultSigned = false;
  bool aSigned = false;
  bool bSigned = false;
  bool saturate = false;
  bool wrap = false;          // shifts: the amount modulo 32 instead of at most 32
  bool negateProduct = false; // vmad
  bool negateAddend = false;  // vmad
  bool plusOne = false;       // vmad.po
  std::uint8_t scale = 0;     // vmad: 7 or 15 bits to the right
};

/** vmad: a * b + c with optional negations, scaled and saturated. The sum is exact before it is scaled. */
inline std::uint32_t videoMultiplyAdd(const ScalarVideo& video, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  const bool isSigned = video.aSigned || video.bSigned || video.negateProduct || video.negateAddend;
  const Exact product = Exact{video.a.extract(a, video.aSigned)} * video.b.extract(b, video.bSigned);
  const Exact addend = isSigned ? Exact{static_cast<std::int32_t>(c)} : Exact{c};
  Exact sum = (video.negateProduct ? -product : product) + (video.negateAddend ? -addend : addend);
  sum += video.plusOne ? 1 : 0;
  sum >>= video.scale;
  return static_cast<std::uint32_t>(video.saturate ? clampTo(sum, 32, isSigned) : sum);
}

inline std::uint32_t videoScalar(const ScalarVideo& video, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  if (video.operation == VideoOperation::multiplyAdd) {
    return videoMultiplyAdd(video, a, b, c);
  }
  std::int64_t right = video.b.extract(b, video.bSigned);
  if (video.operation == VideoOperation::shiftLeft || video.operation == VideoOperation::shiftRight) {
    right = video.wrap ? right & 31 : std::min<std::int64_t>(right, 32);
  }
  Exact value = videoElement(video.operation, Exact{video.a.extract(a, video.aSigned)}, Exact{right});
  if (video.saturate) {
    value = clampTo(value, video.result.width, video.resultSigned);
  }
  const Exact third = RegisterPart{}.extract(c, video.resultSigned);
  switch (video.second) {
  case SecondOperation::none:
    return video.result.merge(value, c);
  case SecondOperation::add:
    return static_cast<std::uint32_t>(value + third);
  case SecondOperation::min:
    return static_cast<std::uint32_t>(std::min(value, third));
  case SecondOperation::max:
    return static_cast<std::uint32_t>(std::max(value, third));
  }
  return 0;
}

} // namespace simgpu::arith
