// The registers of a warp as tests fill and read them: by fragment, lane and element.
#pragma once

#include "arith/half_arithmetic.h"
#include "arith/mma.h"

#include <array>
#include <cstring>
#include <random>

namespace simgpu::testing {

using namespace simgpu::arith;

/** The registers of one vector operand: up to eight of 32 lanes, wide enough for f64. */
struct Registers {
  std::array<std::array<std::uint64_t, warpLanes>, 8> storage{};

  std::uint32_t word(int reg, int lane) const {
    std::uint32_t value;
    std::memcpy(&value, bytes(reg) + 4 * lane, sizeof value);
    return value;
  }
  const std::uint8_t* bytes(int reg) const {
    return reinterpret_cast<const std::uint8_t*>(storage[static_cast<std::size_t>(reg)].data());
  }
  std::uint8_t* bytes(int reg) {
    return reinterpret_cast<std::uint8_t*>(storage[static_cast<std::size_t>(reg)].data());
  }

  /** Element `index` of a lane, as its bits. */
  std::uint64_t get(const Fragment& fragment, int lane, int index) const {
    const int bits = elementBits(fragment.element());
    if (bits == 64) {
      return storage[static_cast<std::size_t>(index)][static_cast<std::size_t>(lane)];
    }
    const int per = fragment.elementsPerRegister();
    const std::uint32_t shifted = word(index / per, lane) >> (index % per * bits);
    return bits == 32 ? shifted : shifted & ((1u << bits) - 1);
  }
  void set(const Fragment& fragment, int lane, int index, std::uint64_t value) {
    const int bits = elementBits(fragment.element());
    if (bits == 64) {
      storage[static_cast<std::size_t>(index)][static_cast<std::size_t>(lane)] = value;
      return;
    }
    const int per = fragment.elementsPerRegister();
    const int shift = index % per * bits;
    const std::uint32_t ones = bits == 32 ? 0xffffffff : (1u << bits) - 1;
    const std::uint32_t merged =
        (word(index / per, lane) & ~(ones << shift)) | (static_cast<std::uint32_t>(value) & ones) << shift;
    std::memcpy(bytes(index / per) + 4 * lane, &merged, sizeof merged);
  }
};

/** A dense matrix of small integers: exact in every type and every order of summation. */
struct Matrix {
  int rows;
  int columns;
  std::vector<double> values;

  Matrix(int r, int c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}
  double& at(int row, int column) { return values[static_cast<std::size_t>(row * columns + column)]; }
  double at(int row, int column) const { return values[static_cast<std::size_t>(row * columns + column)]; }
};

inline std::uint64_t encode(Element element, double value) {
  switch (element) {
  case Element::f16:
    return floatToF16(static_cast<float>(value));
  case Element::bf16:
    return floatToBf16(static_cast<float>(value));
  case Element::tf32:
    return bitsOf(static_cast<float>(value)) | 0xabc; // ignored bits
  case Element::f32:
    return bitsOf(static_cast<float>(value));
  case Element::f64:
    return bitsOf(value);
  default:
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }
}

inline double decode(Element element, std::uint64_t bits) {
  switch (element) {
  case Element::f16:
    return static_cast<double>(f16ToFloat(static_cast<std::uint16_t>(bits)));
  case Element::f32:
    return static_cast<double>(floatOf(static_cast<std::uint32_t>(bits)));
  case Element::f64:
    return doubleOf(bits);
  default:
    return static_cast<double>(static_cast<std::int32_t>(bits));
  }
}

/** Small integers of the element's range. */
inline double randomElement(Element element, std::mt19937_64& random) {
  switch (element) {
  case Element::u4:
    return static_cast<double>(random() % 16);
  case Element::s4:
    return static_cast<double>(random() % 16) - 8;
  case Element::u8:
    return static_cast<double>(random() % 256);
  case Element::s8:
    return static_cast<double>(random() % 256) - 128;
  case Element::b1:
    return static_cast<double>(random() % 2);
  default:
    return static_cast<double>(random() % 17) - 8;
  }
}

inline void scatter(const Fragment& fragment, const Matrix& matrix, Registers& registers) {
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < fragment.elementsPerLane(); index++) {
      const Position position = fragment.at(lane, index);
      registers.set(fragment, lane, index, encode(fragment.element(), matrix.at(position.row, position.column)));
    }
  }
}

} // namespace simgpu::testing
