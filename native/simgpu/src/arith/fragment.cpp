#include "arith/fragment.h"

#include <cstring>
#include <utility>

namespace simgpu::arith {
namespace {

/*
 * All mma fragments share one geometry, here in units of one register (e elements of 32 / e bits; f64: e = 1).
 * Lane = 4g + q.
 *
 *   A (m16): register r                       B: register r             C, D (m16): element i
 *
 *             q=0 q=1 q=2 q=3                       n = g                  columns 2q, 2q+1
 *     row g   [r0][r0][r0][r0][r2][r2][r2][r2]   k  [r0] q=0           row g    i=0 i=1
 *     row g+8 [r1][r1][r1][r1][r3][r3][r3][r3]      [r0] q=1           row g+8  i=2 i=3
 *                                                   [r0] q=2
 *             <----- 16 bytes ------>               [r0] q=3           (m8: row g alone)
 *                                                   [r1] q=0 ...
 *   (m8: row g alone, one register)
 */
Position mmaPosition(MatrixUse use, bool tall, int perRegister, int lane, int index) {
  const int group = lane >> 2;
  const int inGroup = lane & 3;
  const int reg = index / perRegister;
  const int within = inGroup * perRegister + index % perRegister;
  const auto position = [](int row, int column) {
    return Position{static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(column)};
  };
  switch (use) {
  case MatrixUse::a:
    return tall ? position(group + 8 * (reg & 1), (reg >> 1) * 4 * perRegister + within)
                : position(group, reg * 4 * perRegister + within);
  case MatrixUse::b:
    return position(reg * 4 * perRegister + within, group);
  case MatrixUse::c:
    break;
  }
  return position(group + 8 * (index >> 1), 2 * inGroup + (index & 1));
}

Position transposed(Position position) { return {position.column, position.row}; }

} // namespace

template <class Map>
Fragment::Fragment(Element element, int rows, int columns, int registers, Map map)
    : element_(element), rows_(rows), columns_(columns), elementsPerLane_(registers * elementsPerRegister()) {
  positions_.reserve(static_cast<std::size_t>(warpLanes * elementsPerLane_));
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < elementsPerLane_; index++) {
      positions_.push_back(map(lane, index));
    }
  }
}

Fragment Fragment::mma(MmaShape shape, MatrixUse use, Element element, bool sparse) {
  const int rows = use == MatrixUse::b ? shape.k : shape.m;
  const int columns = use == MatrixUse::a ? shape.k / (sparse ? 2 : 1) : shape.n;
  const int perRegister = elementBits(element) == 64 ? 1 : 32 / elementBits(element);
  const bool tall = shape.m == 16;
  return Fragment(element, rows, columns, rows * columns / warpLanes / perRegister,
                  [=](int lane, int index) { return mmaPosition(use, tall, perRegister, lane, index); });
}

Fragment Fragment::quadPair(MatrixUse use, Element element, bool columnMajor) {
  const auto map = [=](int lane, int index) {
    const int computation = (lane % 16) / 4;
    const int high = lane < 16 ? 0 : 4;
    int row = lane % 4 + high;
    int column = index;
    if (use == MatrixUse::c && element == Element::f32) {
      row = (lane & 1) + (index & 2) + high;
      column = (index & 4) + (lane & 2) + (index & 1);
    } else if (use != MatrixUse::c && (use == MatrixUse::a) == columnMajor) {
      row = index % 4 + high; // the four elements run across the dimension that the lanes do not
      column = lane % 4;
    }
    if (use == MatrixUse::b) {
      std::swap(row, column); // both cases above describe the 8-wide side as the row
    }
    (use == MatrixUse::b ? column : row) += 8 * computation;
    return Position{static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(column)};
  };
  const int registers = use == MatrixUse::c ? (element == Element::f32 ? 8 : 4) : 2;
  return Fragment(element, use == MatrixUse::b ? 4 : 32, use == MatrixUse::a ? 4 : use == MatrixUse::b ? 32 : 8, registers,
                  map);
}

Fragment Fragment::wmma(MmaShape shape, MatrixUse use, Element element) {
  const int rows = use == MatrixUse::b ? shape.k : shape.m;
  const int columns = use == MatrixUse::a ? shape.k : shape.n;
  if (shape.m == 8 && shape.n == 8) {
    return mma(shape, use, element, false);
  }
  // m8n32k16 is executed as its transpose, n32m8k16: the 8-wide side always takes the place of mma's B.
  const bool swapped = shape.m == 8;
  const MatrixUse role = use == MatrixUse::c ? use : swapped ? (use == MatrixUse::a ? MatrixUse::b : MatrixUse::a) : use;
  const Fragment tile = mma({16, 8, shape.k}, role, element, false);
  const int tileRows = swapped ? tile.columns() : tile.rows();
  const int tileColumns = swapped ? tile.rows() : tile.columns();
  const int tilesDown = rows / tileRows;
  const int tiles = tilesDown * (columns / tileColumns);
  const int distinct = tiles * tile.elementsPerLane();
  constexpr int f16OperandRegisters = 8;
  const bool repeated = element == Element::f16 && use != MatrixUse::c;
  const int registers = repeated ? f16OperandRegisters : tiles * tile.registers();
  return Fragment(element, rows, columns, registers, [&](int lane, int index) {
    const int tileIndex = index % distinct / tile.elementsPerLane();
    const Position inTile = tile.at(lane, index % tile.elementsPerLane());
    const Position oriented = swapped ? transposed(inTile) : inTile;
    return Position{static_cast<std::uint16_t>(oriented.row + tileIndex % tilesDown * tileRows),
                    static_cast<std::uint16_t>(oriented.column + tileIndex / tilesDown * tileColumns)};
  });
}

void loadMatrix(std::uint32_t* d, const std::uint8_t* const rows[8], bool transposed) {
  for (int row = 0; row < 8; row++) {
    std::memcpy(d + 4 * row, rows[row], 16); // lanes 4row..4row+3 take the row's four words as they are
  }
  if (transposed) {
    transposeMatrix(d, d);
  }
}

void transposeMatrix(std::uint32_t* d, const std::uint32_t* a) {
  std::uint16_t elements[8][8];
  std::memcpy(elements, a, sizeof elements);
  std::uint16_t result[8][8];
  for (int row = 0; row < 8; row++) {
    for (int column = 0; column < 8; column++) {
      result[row][column] = elements[column][row];
    }
  }
  std::memcpy(d, result, sizeof result);
}

} // namespace simgpu::arith
