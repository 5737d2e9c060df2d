// How weights lie in memory; format.cuh has how they become operands of the tensor core. The other side is the package
// dev.filigree.cuda.layout, which packs them: FragmentPlace.java has the same places as formulas.
//
// Weights are cut into panels of 64 rows and steps of 64 bytes of activations along K (32 elements in f16 and bf16, 64
// in s8). A panel's steps follow each other, then the next panel:
//
//                     step 0    step 1          step S-1
//   rows   0..63    | block 0 | block 1 | ... | block S-1 |      S is even: K is padded
//   rows  64..127   | block S | ...
//
// A block holds what the 32 lanes of a warp need for the four 16-row tiles of one step. A lane's bytes for tile 0, 1, 2
// and 3, one after the other, are cut into pieces of 16, and the pieces of all lanes lie together, so that every access
// is 16 bytes a lane and 512 bytes a warp:
//
//   piece 0: | lane 0, 16 bytes | lane 1 | ... | lane 31 |   piece 1: | lane 0 | ...
//
// Rows are dealt to the tiles so that a lane ends up with 8 consecutive rows of a token, and stores 16 bytes at once.
// With g = lane / 4, tile t has
//
//   fragment row g     = panel row 8g + t          fragment row g + 8 = panel row 8g + 4 + t
//
// Bytes of a lane for one tile (q = lane % 4); (r, k) is fragment row r, stored column k of the step:
//
//   16-bit 2:4   16   (g, 2q..2q+1) (g+8, same) (g, 8+2q..) (g+8, same)             the four registers of A
//   16-bit       32   the same for the first and the second 16 columns
//   s8 2:4       16   (g, 4q..4q+3) (g+8, same) (g, 16+4q..) (g+8, same)
//   s8           32   the same for the first and the second 32 columns
//   i8 as f16     8   2:4: (g, 2q..2q+1) (g, 8+2q..) | (g+8, the same four);  dense: 16, for each half of the step
//   codes         4   2:4: nibbles in the order of i8 as f16;                   dense:  8, for each half of the step
//   8-bit codes   8   as i8 as f16, but lane q's tiles in the order q, q+1, q+2, q+3 (modulo 4): format/books.cuh
//
// Integers with a scale for each group of neighbours along K have, for each panel and group, 64 scales in f16 and 64 times
// 1024 + zero point in f16, in the order of the rows:
//
//   panel 0: | group 0: 64 scales, 64 offsets | group 1 | ... |   panel 1: ...      a group is a whole number of steps
//
// Metadata has blocks in the same order; a lane's words are together. With 16-bit fragments there are two: word j serves
// tile 2j by selector 0 and tile 2j + 1 by selector 1. With s8 there are four, one for each tile. Which lane holds which
// nibble: FragmentMetadata.java.
#pragma once

#include "gemm/instructions.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace filigree {

constexpr int warpLanes = 32;
constexpr int panelRows = 64;
constexpr int panelTiles = panelRows / 16;
constexpr int stepBytes = 64; // of activations
constexpr int pieceBytes = warpLanes * 16;

/** Pointers that belong to the weights; a format uses those it needs. All rows are padded to whole panels. */
struct WeightOperands {
  const uint4* w = nullptr;
  const uint4* meta = nullptr;
  const uint4* codebook = nullptr; // of 16 entries: 32 bytes a row, the low bytes, then the high bytes; of 256: see Books
  const uint4* offsets = nullptr;  // f16 a row: 1024 + zero point
  const uint4* groups = nullptr;   // of integers scaled by groups along K, see Groups
  int stepsPerGroup = 1;
  int booksPerPanel = 1; // 0 where all panels have one table of codebooks of 256 entries
};

/** Piece `index` of a lane's 16-byte pieces; `own` is where its first one is. */
template <int index> __device__ Words<4> loadPiece(uint32_t own) { return loadShared16<index * pieceBytes>(own); }

} // namespace filigree
