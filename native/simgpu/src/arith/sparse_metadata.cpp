#include "arith/sparse_metadata.h"

#include <array>

namespace simgpu::arith {

/*
 * The pictures show the quad of lanes 4g..4g+3; g = 0..7. "row g" stands for the nibbles of that row, 4 bits a chunk,
 * ascending from the lowest bit.
 *
 *   f16, bf16 m16n8k16 and tf32 m16n8k8 (4 chunks a row), selector s = 0..3: one lane of the quad
 *
 *       lane 4g+s     | row g+8, chunks 0..3 | row g, chunks 0..3 |
 *                      31                  16 15                 0
 *
 *   f16, bf16 m16n8k32 and tf32 m16n8k16 (8 chunks a row), selector s = 0, 1: two lanes of the quad
 *
 *       lane 4g+2s    | row g+8, chunks 0..3 | row g, chunks 0..3 |
 *       lane 4g+2s+1  | row g+8, chunks 4..7 | row g, chunks 4..7 |
 *
 *   s8, u8 m16n8k32 and s4, u4 m16n8k64 (8 chunks a row), selector s = 0, 1: the row moves into the lane
 *
 *       lane 4g+2s    |             row g,   chunks 0..7          |
 *       lane 4g+2s+1  |             row g+8, chunks 0..7          |
 *
 *   s8, u8 m16n8k64 and s4, u4 m16n8k128 (16 chunks a row), selector 0: the picture above twice
 *
 *       lane 4g       |             row g,   chunks 0..7          |
 *       lane 4g+1     |             row g+8, chunks 0..7          |
 *       lane 4g+2     |             row g,   chunks 8..15         |
 *       lane 4g+3     |             row g+8, chunks 8..15         |
 *
 * m16n8k32 of f16, m16n8k64 of s8 and m16n8k16 of tf32 are pinned by golden register words (tests/data). The layouts
 * with half their depth are what one of the two steps of the deep instruction must read. s4 follows s8, as CUTLASS
 * stores metadata of both alike.
 */
std::optional<SparseLayout> SparseLayout::of(MmaShape shape, Element element, int selector) {
  if (shape.m != 16 || shape.n != 8 || selector < 0) {
    return std::nullopt;
  }
  const auto make = [&](int elementsPerChunk, int shallowChunks, bool rowInLane) -> std::optional<SparseLayout> {
    const int chunks = shape.k / elementsPerChunk;
    const bool deep = chunks == 2 * shallowChunks;
    if (shape.k % elementsPerChunk != 0 || (chunks != shallowChunks && !deep)) {
      return std::nullopt;
    }
    // A deep instruction needs twice the lanes, so half as many selectors remain.
    const int selectors = (rowInLane ? 2 : 4) / (deep ? 2 : 1);
    if (selector >= selectors) {
      return std::nullopt;
    }
    return SparseLayout(chunks, elementsPerChunk, rowInLane, selector);
  };
  switch (element) {
  case Element::f16:
  case Element::bf16:
    return make(4, 4, false);
  case Element::tf32:
    return make(2, 4, false);
  case Element::s8:
  case Element::u8:
    return make(4, 8, true);
  case Element::s4:
  case Element::u4:
    return make(8, 8, true);
  default:
    return std::nullopt;
  }
}

int SparseLayout::lane(int row, int chunk) const {
  const int quad = 4 * (row % 8);
  if (rowInLane_) {
    return quad + 2 * selector_ + row / 8 + 2 * (chunk / 8);
  }
  const int lanesPerSelector = chunks_ / 4;
  return quad + lanesPerSelector * selector_ + chunk / 4;
}

int SparseLayout::bit(int row, int chunk) const {
  return rowInLane_ ? 4 * (chunk % 8) : 16 * (row / 8) + 4 * (chunk % 4);
}

bool isLegalNibble(std::uint32_t nibble, Element element, bool ordered) {
  const std::uint32_t first = nibble & 3;
  const std::uint32_t second = (nibble >> 2) & 3;
  if (element == Element::tf32) {
    return nibble == 0x4 || nibble == 0xe; // a tf32 is two 16-bit slots: 0,1 or 2,3
  }
  return ordered ? first < second : first != second;
}

namespace {

/** Legality of two nibbles at once, to pass over good metadata quickly. */
using ByteTable = std::array<bool, 256>;

ByteTable legalBytes(Element element, bool ordered) {
  ByteTable table{};
  for (std::uint32_t byte = 0; byte < table.size(); byte++) {
    table[byte] = isLegalNibble(byte & 0xf, element, ordered) && isLegalNibble(byte >> 4, element, ordered);
  }
  return table;
}

bool allLegal(const SparseLayout& layout, const ByteTable& legal, const std::uint32_t* metadata) {
  bool good = true;
  for (int lane = 0; lane < warpLanes; lane++) {
    if (layout.reads(lane)) {
      const std::uint32_t word = metadata[lane];
      good &= legal[word & 0xff] & legal[(word >> 8) & 0xff] & legal[(word >> 16) & 0xff] & legal[word >> 24];
    }
  }
  return good;
}

} // namespace

std::optional<IllegalMetadata> findIllegalMetadata(const SparseLayout& layout, Element element, bool ordered,
                                                   const std::uint32_t* metadata) {
  static const ByteTable plainTable = legalBytes(Element::f16, false);
  static const ByteTable orderedTable = legalBytes(Element::f16, true);
  static const ByteTable tf32Table = legalBytes(Element::tf32, true);
  if (allLegal(layout, element == Element::tf32 ? tf32Table : ordered ? orderedTable : plainTable, metadata)) {
    return std::nullopt;
  }
  for (int row = 0; row < 16; row++) {
    for (int chunk = 0; chunk < layout.chunks(); chunk++) {
      const std::uint32_t nibble = layout.nibble(metadata, row, chunk);
      if (!isLegalNibble(nibble, element, ordered)) {
        const auto first = static_cast<int>(nibble & 3);
        const auto second = static_cast<int>(nibble >> 2);
        const bool unordered = element != Element::tf32 && first > second;
        return IllegalMetadata{layout.lane(row, chunk), row, chunk, first, second, unordered};
      }
    }
  }
  return std::nullopt;
}

} // namespace simgpu::arith
