#include "arith/fragment.h"

#include "check.h"

#include <cstring>
#include <set>

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** Checks that each element of the matrix is held by exactly `copies` (lane, index) pairs. */
void expectEveryElementHeld(const Fragment& fragment, int copies, const std::string& name) {
  std::vector<int> held(static_cast<std::size_t>(fragment.rows() * fragment.columns()));
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int index = 0; index < fragment.elementsPerLane(); index++) {
      const Position position = fragment.at(lane, index);
      if (position.row >= fragment.rows() || position.column >= fragment.columns()) {
        fail(__FILE__, __LINE__, name + " maps outside the matrix");
        return;
      }
      held[static_cast<std::size_t>(position.row * fragment.columns() + position.column)]++;
    }
  }
  for (const int count : held) {
    if (count != copies) {
      fail(__FILE__, __LINE__, name + " holds an element " + std::to_string(count) + " times");
      return;
    }
  }
}

struct MmaTypes {
  MmaShape shape;
  Element operand;
  Element accumulator;
  bool sparse;
};

constexpr MmaTypes mmaTypes[] = {
    {{16, 8, 8}, Element::f16, Element::f16, false},   {{16, 8, 16}, Element::f16, Element::f32, false},
    {{16, 8, 8}, Element::bf16, Element::f32, false},  {{16, 8, 16}, Element::bf16, Element::f32, false},
    {{16, 8, 4}, Element::tf32, Element::f32, false},  {{16, 8, 8}, Element::tf32, Element::f32, false},
    {{8, 8, 16}, Element::s8, Element::s32, false},    {{16, 8, 16}, Element::u8, Element::s32, false},
    {{16, 8, 32}, Element::s8, Element::s32, false},   {{8, 8, 32}, Element::s4, Element::s32, false},
    {{16, 8, 32}, Element::u4, Element::s32, false},   {{16, 8, 64}, Element::s4, Element::s32, false},
    {{8, 8, 128}, Element::b1, Element::s32, false},   {{16, 8, 128}, Element::b1, Element::s32, false},
    {{16, 8, 256}, Element::b1, Element::s32, false},  {{8, 8, 4}, Element::f64, Element::f64, false},
    {{16, 8, 16}, Element::f16, Element::f32, true},   {{16, 8, 32}, Element::bf16, Element::f32, true},
    {{16, 8, 8}, Element::tf32, Element::f32, true},   {{16, 8, 16}, Element::tf32, Element::f32, true},
    {{16, 8, 32}, Element::s8, Element::s32, true},    {{16, 8, 64}, Element::u8, Element::s32, true},
    {{16, 8, 64}, Element::s4, Element::s32, true},    {{16, 8, 128}, Element::u4, Element::s32, true},
};

} // namespace

TEST("every mma fragment holds each element once") {
  for (const MmaTypes& t : mmaTypes) {
    const std::string name = "m" + std::to_string(t.shape.m) + "k" + std::to_string(t.shape.k);
    expectEveryElementHeld(Fragment::mma(t.shape, MatrixUse::a, t.operand, t.sparse), 1, name + " A");
    expectEveryElementHeld(Fragment::mma(t.shape, MatrixUse::b, t.operand, t.sparse), 1, name + " B");
    expectEveryElementHeld(Fragment::mma(t.shape, MatrixUse::c, t.accumulator, t.sparse), 1, name + " C");
  }
}

TEST("m16n8k16 of f16 follows the formulas of ISA 9.7.14.5.8") {
  const Fragment a = Fragment::mma({16, 8, 16}, MatrixUse::a, Element::f16, false);
  const Fragment b = Fragment::mma({16, 8, 16}, MatrixUse::b, Element::f16, false);
  const Fragment c = Fragment::mma({16, 8, 16}, MatrixUse::c, Element::f32, false);
  for (int lane = 0; lane < warpLanes; lane++) {
    const int group = lane >> 2;
    const int inGroup = lane % 4;
    for (int i = 0; i < 8; i++) {
      const bool upper = i < 2 || (i >= 4 && i < 6);
      CHECK_EQUAL(a.at(lane, i).row, upper ? group : group + 8);
      CHECK_EQUAL(a.at(lane, i).column, inGroup * 2 + (i & 1) + (i >= 4 ? 8 : 0));
    }
    for (int i = 0; i < 4; i++) {
      CHECK_EQUAL(b.at(lane, i).row, inGroup * 2 + (i & 1) + (i >= 2 ? 8 : 0));
      CHECK_EQUAL(b.at(lane, i).column, group);
      CHECK_EQUAL(c.at(lane, i).row, i < 2 ? group : group + 8);
      CHECK_EQUAL(c.at(lane, i).column, inGroup * 2 + (i & 1));
    }
  }
}

TEST("m16n8k32 of s8 and m16n8k8 of tf32 follow the formulas of the ISA") {
  const Fragment a = Fragment::mma({16, 8, 32}, MatrixUse::a, Element::s8, false);
  const Fragment b = Fragment::mma({16, 8, 32}, MatrixUse::b, Element::s8, false);
  const Fragment tf32 = Fragment::mma({16, 8, 8}, MatrixUse::a, Element::tf32, false);
  for (int lane = 0; lane < warpLanes; lane++) {
    const int group = lane >> 2;
    const int inGroup = lane % 4;
    for (int i = 0; i < 16; i++) {
      CHECK_EQUAL(a.at(lane, i).row, i < 4 || (i >= 8 && i < 12) ? group : group + 8);
      CHECK_EQUAL(a.at(lane, i).column, inGroup * 4 + (i & 3) + (i < 8 ? 0 : 16));
    }
    for (int i = 0; i < 8; i++) {
      CHECK_EQUAL(b.at(lane, i).row, inGroup * 4 + (i & 3) + (i < 4 ? 0 : 16));
      CHECK_EQUAL(b.at(lane, i).column, group);
    }
    for (int i = 0; i < 4; i++) {
      CHECK_EQUAL(tf32.at(lane, i).row, i == 0 || i == 2 ? group : group + 8);
      CHECK_EQUAL(tf32.at(lane, i).column, i < 2 ? inGroup : inGroup + 4);
    }
  }
}

TEST("m8n8k4 of f16 distributes four products over quad pairs") {
  for (const bool columnMajor : {false, true}) {
    expectEveryElementHeld(Fragment::quadPair(MatrixUse::a, Element::f16, columnMajor), 1, "A");
    expectEveryElementHeld(Fragment::quadPair(MatrixUse::b, Element::f16, columnMajor), 1, "B");
  }
  expectEveryElementHeld(Fragment::quadPair(MatrixUse::c, Element::f16, false), 1, "C f16");
  expectEveryElementHeld(Fragment::quadPair(MatrixUse::c, Element::f32, false), 1, "C f32");
  const Fragment rowA = Fragment::quadPair(MatrixUse::a, Element::f16, false);
  const Fragment columnA = Fragment::quadPair(MatrixUse::a, Element::f16, true);
  const Fragment rowB = Fragment::quadPair(MatrixUse::b, Element::f16, false);
  const Fragment columnB = Fragment::quadPair(MatrixUse::b, Element::f16, true);
  const Fragment c = Fragment::quadPair(MatrixUse::c, Element::f32, false);
  CHECK((rowA.at(22, 3) == Position{8 + 6, 3})); // lane 22: product 1, high group, row 2 + 4
  CHECK((columnA.at(22, 3) == Position{8 + 7, 2}));
  CHECK((rowB.at(22, 3) == Position{2, 8 + 7}));
  CHECK((columnB.at(22, 3) == Position{3, 8 + 6}));
  CHECK((c.at(22, 6) == Position{8 + 0 + 2 + 4, 4 + 2 + 0}));
}

TEST("wmma fragments hold each element once, f16 operands as often as eight registers allow") {
  for (const MmaShape shape : {MmaShape{16, 16, 16}, MmaShape{8, 32, 16}, MmaShape{32, 8, 16}}) {
    const std::string name = "m" + std::to_string(shape.m) + "n" + std::to_string(shape.n);
    for (const Element element : {Element::bf16, Element::s8}) {
      expectEveryElementHeld(Fragment::wmma(shape, MatrixUse::a, element), 1, name + " A");
      expectEveryElementHeld(Fragment::wmma(shape, MatrixUse::b, element), 1, name + " B");
    }
    const Fragment a = Fragment::wmma(shape, MatrixUse::a, Element::f16);
    const Fragment b = Fragment::wmma(shape, MatrixUse::b, Element::f16);
    CHECK_EQUAL(a.registers(), 8);
    CHECK_EQUAL(b.registers(), 8);
    expectEveryElementHeld(a, 512 / (shape.m * 16), name + " A f16");
    expectEveryElementHeld(b, 512 / (shape.n * 16), name + " B f16");
    expectEveryElementHeld(Fragment::wmma(shape, MatrixUse::c, Element::f32), 1, name + " C");
    CHECK_EQUAL(Fragment::wmma(shape, MatrixUse::c, Element::f32).registers(), 8);
    CHECK_EQUAL(Fragment::wmma(shape, MatrixUse::c, Element::f16).registers(), 4);
  }
  CHECK_EQUAL(Fragment::wmma({16, 16, 8}, MatrixUse::a, Element::tf32).registers(), 4);
  CHECK_EQUAL(Fragment::wmma({8, 32, 16}, MatrixUse::a, Element::u8).registers(), 1);
  CHECK_EQUAL(Fragment::wmma({8, 32, 16}, MatrixUse::b, Element::u8).registers(), 4);
  CHECK_EQUAL(Fragment::wmma({32, 8, 16}, MatrixUse::a, Element::bf16).registers(), 8);
  CHECK_EQUAL(Fragment::wmma({8, 8, 4}, MatrixUse::c, Element::f64).registers(), 2);
  CHECK_EQUAL(Fragment::wmma({8, 8, 128}, MatrixUse::a, Element::b1).registers(), 1);
}

TEST("ldmatrix gives each lane two neighbours of a row, or of a column when transposed") {
  std::uint16_t matrix[8][8];
  const std::uint8_t* rows[8];
  for (int row = 0; row < 8; row++) {
    for (int column = 0; column < 8; column++) {
      matrix[row][column] = static_cast<std::uint16_t>(row * 16 + column);
    }
    rows[row] = reinterpret_cast<const std::uint8_t*>(matrix[row]);
  }
  std::uint32_t d[32];
  loadMatrix(d, rows, false);
  for (std::uint32_t lane = 0; lane < 32; lane++) {
    const std::uint32_t first = lane / 4 * 16 + 2 * (lane % 4);
    CHECK_EQUAL(d[lane], first | (first + 1) << 16);
  }
  loadMatrix(d, rows, true);
  for (std::uint32_t lane = 0; lane < 32; lane++) {
    const std::uint32_t first = 2 * (lane % 4) * 16 + lane / 4;
    CHECK_EQUAL(d[lane], first | (first + 16) << 16);
  }
  transposeMatrix(d, d);
  CHECK_EQUAL(d[5], (1u * 16 + 2) | (1u * 16 + 3) << 16);
}
