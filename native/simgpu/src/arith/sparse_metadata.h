// The 2:4 metadata of mma.sp: which lane supplies the indices of which row and chunk, and what is legal.
#pragma once

#include "arith/fragment.h"

#include <optional>

namespace simgpu::arith {

/**
 * Where the metadata of A lives. A chunk is the run of A described by one nibble: 4 elements (f16, bf16, s8, u8),
 * 2 (tf32) or 8 (s4, u4, in pairs). A nibble holds two 2-bit indices, the first in the low bits.
 */
class SparseLayout {
public:
  /** Nothing when mma.sp does not exist for the shape, or the selector is not legal for it. */
  static std::optional<SparseLayout> of(MmaShape shape, Element element, int selector);

  int chunks() const { return chunks_; }
  int elementsPerChunk() const { return elementsPerChunk_; }

  /** The lane of a row's chunk, and the lowest bit of its nibble in that lane's register. */
  int lane(int row, int chunk) const;
  int bit(int row, int chunk) const;

  /** Whether the instruction reads the metadata register of a lane. If it does, it reads all eight nibbles. */
  bool reads(int lane) const {
    const int inQuad = lane & 3;
    return inQuad / (chunks_ / 4) == selector_; // four chunks of sixteen rows fill one lane of each quad
  }

  std::uint32_t nibble(const std::uint32_t* metadata, int row, int chunk) const {
    return (metadata[lane(row, chunk)] >> bit(row, chunk)) & 0xf;
  }

private:
  SparseLayout(int chunks, int elementsPerChunk, bool rowInLane, int selector)
      : chunks_(chunks), elementsPerChunk_(elementsPerChunk), rowInLane_(rowInLane), selector_(selector) {}

  int chunks_;
  int elementsPerChunk_;
  bool rowInLane_;
  int selector_;
};

/** Indices that select the same element twice, or, in ordered metadata, do not ascend. */
struct IllegalMetadata {
  int lane;
  int row;
  int chunk;
  int first;
  int second;
  bool unordered; // legal for plain .sp, but the instruction says ordered_metadata
};

/** Whether the nibble is legal: distinct indices, ascending if `ordered`; for tf32 only 0x4 and 0xE. */
bool isLegalNibble(std::uint32_t nibble, Element element, bool ordered);

/** The first illegal nibble of the whole metadata operand, by row, then chunk. */
std::optional<IllegalMetadata> findIllegalMetadata(const SparseLayout& layout, Element element, bool ordered,
                                                   const std::uint32_t* metadata);

} // namespace simgpu::arith
