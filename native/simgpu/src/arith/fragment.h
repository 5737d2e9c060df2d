// Which lane and register hold which matrix element, for mma, mma.sp and wmma.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace simgpu::arith {

inline constexpr int warpLanes = 32;

/** Element types of matrix instructions. */
enum class Element : std::uint8_t { f16, bf16, tf32, f32, f64, s32, u8, s8, u4, s4, b1 };

constexpr int elementBits(Element element) {
  constexpr int bits[] = {16, 16, 32, 32, 64, 32, 8, 8, 4, 4, 1};
  return bits[static_cast<int>(element)];
}
constexpr bool isInteger(Element element) { return element >= Element::s32; }
constexpr bool isSigned(Element element) {
  return element == Element::s32 || element == Element::s8 || element == Element::s4;
}

struct MmaShape {
  int m;
  int n;
  int k;

  constexpr bool operator==(const MmaShape&) const = default;
};

/** The operand a fragment belongs to; D has the fragment of C. */
enum class MatrixUse : std::uint8_t { a, b, c };

struct Position {
  std::uint16_t row;
  std::uint16_t column;

  constexpr bool operator==(const Position&) const = default;
};

/**
 * The distribution of one matrix over the lanes of a warp. Element i of a lane sits in register i / elementsPerRegister
 * at bit (i % elementsPerRegister) * elementBits, counted from the lowest. Registers have 32 bits, of f64 64 bits.
 */
class Fragment {
public:
  /** Fragments of mma and mma.sp. For mma.sp, A is the compressed matrix, of shape.k / 2 columns. */
  static Fragment mma(MmaShape shape, MatrixUse use, Element element, bool sparse);

  /**
   * Fragments of mma.m8n8k4 on f16, which computes four independent products c = 0..3 with lanes 4c..4c+3 and
   * 16+4c..16+4c+3. The four are stacked: A is 32x4, C 32x8 (row 8c + row), B 4x32 (column 8c + column).
   */
  static Fragment quadPair(MatrixUse use, Element element, bool columnMajor);

  /**
   * Fragments of wmma, whose distribution the ISA leaves open. This is the one of the mma instructions a wmma expands
   * to on sm_80: tiles of the A, B and C fragments of m16n8k16 and its relatives. The f16 fragments of A and B hold
   * every element twice, because the instruction set of the first tensor core needed that and the register count stayed.
   */
  static Fragment wmma(MmaShape shape, MatrixUse use, Element element);

  Element element() const { return element_; }
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int elementsPerRegister() const { return elementBits(element_) == 64 ? 1 : 32 / elementBits(element_); }
  int elementsPerLane() const { return elementsPerLane_; }
  int registers() const { return elementsPerLane_ / elementsPerRegister(); }

  Position at(int lane, int index) const {
    return positions_[static_cast<std::size_t>(lane * elementsPerLane_ + index)];
  }

private:
  template <class Map> Fragment(Element element, int rows, int columns, int registers, Map map);

  Element element_;
  int rows_;
  int columns_;
  int elementsPerLane_;
  std::vector<Position> positions_;
};

/**
 * ldmatrix of one 8x8 matrix of 16-bit elements: `rows` are the eight addressed rows of 16 bytes, `d` the 32 lanes of
 * the destination register. Lane l gets elements (l/4, 2(l%4)) and (l/4, 2(l%4)+1), with .trans those of the transpose.
 */
void loadMatrix(std::uint32_t* d, const std::uint8_t* const rows[8], bool transposed);

/** movmatrix.m8n8.trans.b16: the transpose of a matrix distributed like the result of ldmatrix. d may be a. */
void transposeMatrix(std::uint32_t* d, const std::uint32_t* a);

} // namespace simgpu::arith
