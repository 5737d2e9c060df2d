// What suspect.cpp must know of matrix and memory instructions.
#pragma once

#include "exec/program.h"

#include <cstdint>

namespace simgpu {

/** Op::flags of ldmatrix, above the address flags. */
inline constexpr std::uint8_t loadTransposed = 128;

/** Op::target of ld and st: the space in 8 bits, the bytes of an element in 4, which bytes of a vector load matter. */
inline constexpr std::uint32_t loadElementShift = 8;
inline constexpr std::uint32_t loadElementMask = 0xf;
inline constexpr std::uint32_t usedBytesShift = 12;

/** Registers of the fragments of an mma, in the order of its extended operands. */
struct MmaRegisters {
  std::uint32_t d = 0;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  bool regular = false; // lane L holds row L/4 of A and column L/4 of B, as in every mma of 8 columns but the oldest
  bool halves = false; // 16 rows: odd registers of A and the upper half of D are rows 8 to 15
  bool packed = false; // D has two elements a register
};

MmaRegisters mmaRegisters(const Op& op);

} // namespace simgpu
