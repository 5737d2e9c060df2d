// Every fragment layout of mma and mma.sp against the formulas of the PTX ISA (9.7.14.5 and 9.7.14.6.2), written down
// here as the ISA states them: conditions on the element's index, %laneid >> 2 and %laneid % 4. Nothing is derived from
// the size of an element, as src/arith/fragment.cpp does.
#include "arith/fragment.h"
#include "arith/sparse_metadata.h"

#include "check.h"

using namespace simgpu::arith;
using namespace simgpu::testing;

namespace {

/** (element index, groupID, threadID_in_group) -> row or column. */
using Formula = int (*)(int i, int group, int inGroup);

struct Layout {
  MmaShape shape;
  MatrixUse use;
  Element element;
  bool sparse;
  int elements; // a lane
  Formula row;
  Formula column; // of A in mma.sp: of the compressed matrix
};

constexpr auto groupOnly = [](int, int group, int) { return group; };
constexpr auto inGroupOnly = [](int, int, int inGroup) { return inGroup; };
constexpr auto accumulatorRow = [](int i, int group, int) { return i < 2 ? group : group + 8; };
constexpr auto accumulatorColumn = [](int i, int, int inGroup) { return inGroup * 2 + (i & 1); };

constexpr MatrixUse A = MatrixUse::a;
constexpr MatrixUse B = MatrixUse::b;
constexpr MatrixUse C = MatrixUse::c;

const Layout layouts[] = {
    // 9.7.14.5.2, .3: m8n8k4 of f64
    {{8, 8, 4}, A, Element::f64, false, 1, groupOnly, inGroupOnly},
    {{8, 8, 4}, B, Element::f64, false, 1, inGroupOnly, groupOnly},
    {{8, 8, 4}, C, Element::f64, false, 2, groupOnly, accumulatorColumn},
    // m8n8k16 of bytes, m8n8k32 of nibbles, m8n8k128 of bits
    {{8, 8, 16}, A, Element::s8, false, 4, groupOnly, [](int i, int, int t) { return t * 4 + i; }},
    {{8, 8, 16}, B, Element::u8, false, 4, [](int i, int, int t) { return t * 4 + i; }, groupOnly},
    {{8, 8, 16}, C, Element::s32, false, 2, groupOnly, accumulatorColumn},
    {{8, 8, 32}, A, Element::s4, false, 8, groupOnly, [](int i, int, int t) { return t * 8 + i; }},
    {{8, 8, 32}, B, Element::u4, false, 8, [](int i, int, int t) { return t * 8 + i; }, groupOnly},
    {{8, 8, 128}, A, Element::b1, false, 32, groupOnly, [](int i, int, int t) { return t * 32 + i; }},
    {{8, 8, 128}, B, Element::b1, false, 32, [](int i, int, int t) { return t * 32 + i; }, groupOnly},
    // m16n8k4 and m16n8k8 of tf32
    {{16, 8, 4}, A, Element::tf32, false, 2, [](int i, int g, int) { return i == 0 ? g : g + 8; }, inGroupOnly},
    {{16, 8, 4}, B, Element::tf32, false, 1, inGroupOnly, groupOnly},
    {{16, 8, 8},
     A,
     Element::tf32,
     false,
     4,
     [](int i, int g, int) { return i == 0 || i == 2 ? g : g + 8; },
     [](int i, int, int t) { return i < 2 ? t : t + 4; }},
    {{16, 8, 8}, B, Element::tf32, false, 2, [](int i, int, int t) { return i == 0 ? t : t + 4; }, groupOnly},
    {{16, 8, 8}, C, Element::f32, false, 4, accumulatorRow, accumulatorColumn},
    // m16n8k8 and m16n8k16 of half-precision types
    {{16, 8, 8},
     A,
     Element::f16,
     false,
     4,
     [](int i, int g, int) { return i < 2 ? g : g + 8; },
     [](int i, int, int t) { return t * 2 + (i & 1); }},
    {{16, 8, 8}, B, Element::bf16, false, 2, [](int i, int, int t) { return t * 2 + i; }, groupOnly},
    {{16, 8, 8}, C, Element::f16, false, 4, accumulatorRow, accumulatorColumn},
    {{16, 8, 16},
     A,
     Element::bf16,
     false,
     8,
     [](int i, int g, int) { return i < 2 || (i >= 4 && i < 6) ? g : g + 8; },
     [](int i, int, int t) { return t * 2 + (i & 1) + (i < 4 ? 0 : 8); }},
    {{16, 8, 16},
     B,
     Element::f16,
     false,
     4,
     [](int i, int, int t) { return t * 2 + (i & 1) + (i < 2 ? 0 : 8); },
     groupOnly},
    {{16, 8, 16}, C, Element::f32, false, 4, accumulatorRow, accumulatorColumn},
    // m16n8k16 and m16n8k32 of bytes
    {{16, 8, 16},
     A,
     Element::u8,
     false,
     8,
     [](int i, int g, int) { return i < 4 ? g : g + 8; },
     [](int i, int, int t) { return t * 4 + (i & 3); }},
    {{16, 8, 16}, B, Element::s8, false, 4, [](int i, int, int t) { return t * 4 + i; }, groupOnly},
    {{16, 8, 32},
     A,
     Element::s8,
     false,
     16,
     [](int i, int g, int) { return i < 4 || (i >= 8 && i < 12) ? g : g + 8; },
     [](int i, int, int t) { return t * 4 + (i & 3) + (i < 8 ? 0 : 16); }},
    {{16, 8, 32},
     B,
     Element::u8,
     false,
     8,
     [](int i, int, int t) { return t * 4 + (i & 3) + (i < 4 ? 0 : 16); },
     groupOnly},
    {{16, 8, 32}, C, Element::s32, false, 4, accumulatorRow, accumulatorColumn},
    // m16n8k32 and m16n8k64 of nibbles
    {{16, 8, 32},
     A,
     Element::u4,
     false,
     16,
     [](int i, int g, int) { return i < 8 ? g : g + 8; },
     [](int i, int, int t) { return t * 8 + (i & 7); }},
    {{16, 8, 32}, B, Element::s4, false, 8, [](int i, int, int t) { return t * 8 + i; }, groupOnly},
    {{16, 8, 64},
     A,
     Element::s4,
     false,
     32,
     [](int i, int g, int) { return i < 8 || (i >= 16 && i < 24) ? g : g + 8; },
     [](int i, int, int t) { return t * 8 + (i & 7) + (i < 16 ? 0 : 32); }},
    {{16, 8, 64},
     B,
     Element::u4,
     false,
     16,
     [](int i, int, int t) { return t * 8 + (i & 7) + (i < 8 ? 0 : 32); },
     groupOnly},
    // m16n8k128 and m16n8k256 of bits
    {{16, 8, 128},
     A,
     Element::b1,
     false,
     64,
     [](int i, int g, int) { return i < 32 ? g : g + 8; },
     [](int i, int, int t) { return t * 32 + (i & 31); }},
    {{16, 8, 128}, B, Element::b1, false, 32, [](int i, int, int t) { return t * 32 + i; }, groupOnly},
    {{16, 8, 256},
     A,
     Element::b1,
     false,
     128,
     [](int i, int g, int) { return i < 32 || (i >= 64 && i < 96) ? g : g + 8; },
     [](int i, int, int t) { return t * 32 + (i & 31) + (i < 64 ? 0 : 128); }},
    {{16, 8, 256},
     B,
     Element::b1,
     false,
     64,
     [](int i, int, int t) { return t * 32 + (i & 31) + (i < 32 ? 0 : 128); },
     groupOnly},
    // 9.7.14.6.2: mma.sp. A lane's run of A is [firstcol, lastcol]; half of it is stored, so the columns of the
    // compressed matrix begin at firstcol / 2
    {{16, 8, 16},
     A,
     Element::f16,
     true,
     4,
     [](int i, int g, int) { return i < 2 ? g : g + 8; },
     [](int i, int, int t) { return t * 4 / 2 + (i & 1); }},
    {{16, 8, 32},
     A,
     Element::bf16,
     true,
     8,
     [](int i, int g, int) { return i < 2 || (i >= 4 && i < 6) ? g : g + 8; },
     [](int i, int, int t) { return (i < 4 ? t * 4 : t * 4 + 16) / 2 + (i & 1); }},
    {{16, 8, 8},
     A,
     Element::tf32,
     true,
     2,
     [](int i, int g, int) { return i == 0 ? g : g + 8; },
     [](int, int, int t) { return t * 2 / 2; }},
    {{16, 8, 16},
     A,
     Element::tf32,
     true,
     4,
     [](int i, int g, int) { return i == 0 || i == 2 ? g : g + 8; },
     [](int i, int, int t) { return (i < 2 ? t * 2 : t * 2 + 8) / 2; }},
    {{16, 8, 32},
     A,
     Element::s8,
     true,
     8,
     [](int i, int g, int) { return i < 4 ? g : g + 8; },
     [](int i, int, int t) { return t * 8 / 2 + (i & 3); }},
    {{16, 8, 64},
     A,
     Element::u8,
     true,
     16,
     [](int i, int g, int) { return i < 4 || (i >= 8 && i < 12) ? g : g + 8; },
     [](int i, int, int t) { return (i < 8 ? t * 8 : t * 8 + 32) / 2 + (i & 3); }},
    {{16, 8, 64},
     A,
     Element::s4,
     true,
     16,
     [](int i, int g, int) { return i < 8 ? g : g + 8; },
     [](int i, int, int t) { return t * 16 / 2 + (i & 7); }},
    {{16, 8, 128},
     A,
     Element::u4,
     true,
     32,
     [](int i, int g, int) { return i < 8 || (i >= 16 && i < 24) ? g : g + 8; },
     [](int i, int, int t) { return (i < 16 ? t * 16 : t * 16 + 64) / 2 + (i & 7); }},
    // B and C of mma.sp are those of mma of the same shape where that exists
    {{16, 8, 16},
     B,
     Element::f16,
     true,
     4,
     [](int i, int, int t) { return t * 2 + (i & 1) + (i < 2 ? 0 : 8); },
     groupOnly},
    {{16, 8, 8}, B, Element::tf32, true, 2, [](int i, int, int t) { return i == 0 ? t : t + 4; }, groupOnly},
    {{16, 8, 32},
     B,
     Element::s8,
     true,
     8,
     [](int i, int, int t) { return t * 4 + (i & 3) + (i < 4 ? 0 : 16); },
     groupOnly},
    {{16, 8, 64},
     B,
     Element::u4,
     true,
     16,
     [](int i, int, int t) { return t * 8 + (i & 7) + (i < 8 ? 0 : 32); },
     groupOnly},
    {{16, 8, 64}, C, Element::s32, true, 4, accumulatorRow, accumulatorColumn},
};

void expectLayout(const Layout& layout) {
  const Fragment fragment = Fragment::mma(layout.shape, layout.use, layout.element, layout.sparse);
  CHECK_EQUAL(fragment.elementsPerLane(), layout.elements);
  for (int lane = 0; lane < warpLanes; lane++) {
    for (int i = 0; i < layout.elements; i++) {
      const Position actual = fragment.at(lane, i);
      const int row = layout.row(i, lane >> 2, lane % 4);
      const int column = layout.column(i, lane >> 2, lane % 4);
      if (actual.row != row || actual.column != column) {
        fail(__FILE__, __LINE__, "layout " + std::to_string(&layout - layouts) + ", lane " + std::to_string(lane) +
                                     ", element " + std::to_string(i) + " is (" + std::to_string(actual.row) + ", " +
                                     std::to_string(actual.column) + "), by the ISA (" + std::to_string(row) + ", " +
                                     std::to_string(column) + ")");
        return;
      }
    }
  }
}

} // namespace

TEST("every fragment of mma and mma.sp is laid out by the ISA's formulas") {
  for (const Layout& layout : layouts) {
    expectLayout(layout);
  }
}

TEST("the threads that contribute metadata are those the ISA names for the selector") {
  // 9.7.14.6.1: one thread, a pair of threads, or all threads of four consecutive ones
  struct Row {
    MmaShape shape;
    Element element;
    int selectors;
    int threads;
  };
  for (const Row& row : {Row{{16, 8, 16}, Element::f16, 4, 1}, Row{{16, 8, 16}, Element::bf16, 4, 1},
                         Row{{16, 8, 32}, Element::f16, 2, 2}, Row{{16, 8, 32}, Element::bf16, 2, 2},
                         Row{{16, 8, 8}, Element::tf32, 4, 1}, Row{{16, 8, 16}, Element::tf32, 2, 2},
                         Row{{16, 8, 32}, Element::s8, 2, 2}, Row{{16, 8, 32}, Element::u8, 2, 2},
                         Row{{16, 8, 64}, Element::s8, 1, 4}, Row{{16, 8, 64}, Element::u8, 1, 4},
                         Row{{16, 8, 64}, Element::s4, 2, 2}, Row{{16, 8, 64}, Element::u4, 2, 2},
                         Row{{16, 8, 128}, Element::s4, 1, 4}, Row{{16, 8, 128}, Element::u4, 1, 4}}) {
    CHECK(!SparseLayout::of(row.shape, row.element, row.selectors).has_value());
    for (int selector = 0; selector < row.selectors; selector++) {
      const auto layout = SparseLayout::of(row.shape, row.element, selector);
      CHECK(layout.has_value());
      for (int lane = 0; layout && lane < warpLanes; lane++) {
        const int inGroup = lane % 4;
        CHECK_EQUAL(layout->reads(lane), inGroup >= selector * row.threads && inGroup < (selector + 1) * row.threads);
      }
      for (int r = 0; layout && r < 16; r++) {
        for (int chunk = 0; chunk < layout->chunks(); chunk++) {
          CHECK(layout->reads(layout->lane(r, chunk)));
          CHECK_EQUAL(layout->lane(r, chunk) >> 2, r % 8); // rows groupID and groupID + 8 live in a group of four
        }
      }
    }
  }
}
