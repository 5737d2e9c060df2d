// The products behind mma: one 16x8 or 8x8 tile, with the operands as bytes of the warp's registers.
#pragma once

#include "arith/mma.h"

#include <immintrin.h>

namespace simgpu::arith {

/** One tile product on registers. The pointers follow MmaOperands; unused entries are ignored. */
struct TileOperands {
  void* const* d;
  const void* const* a;
  const void* const* b;
  const void* const* c;
};

/** What a tile kernel needs to know besides its operands. */
struct TilePlan {
  MmaInstruction instruction;
  int aRegisters;
  int bRegisters;
  bool tall;                          // 16 rows, else 8
  std::optional<SparseLayout> layout; // of mma.sp
};

/*
 * For every shape the registers of A and B, read lane by lane, are runs of 16 bytes of the matrix:
 *
 *   A: register r, lanes 4g..4g+3 = row g + 8*(r&1), bytes 16*(r>>1) .. +15    (m8: row g, bytes 16r .. +15)
 *   B: register r, lanes 4g..4g+3 = column g, bytes 16r .. +15 of its run of k
 *
 * so a tile is first gathered by whole runs and then widened, whatever its type.
 */
inline constexpr int largestTileDepthBytes = 64; // B of the deepest mma.sp: 4 registers

/** Row r (or column) of the operand as bytes. */
using ABytes = std::uint8_t[16][largestTileDepthBytes / 2];
using BBytes = std::uint8_t[8][largestTileDepthBytes];

void gatherA(const TilePlan& plan, const TileOperands& operands, ABytes bytes);
void gatherB(const TilePlan& plan, const TileOperands& operands, BBytes bytes);

/** For mma.sp: the row of B that compressed element `index` of `row` multiplies. For mma it is the index itself. */
using SelectedRows = std::uint8_t[16][64];
void selectRows(const TilePlan& plan, const std::uint32_t* metadata, SelectedRows rows);

/** The transpose of an 8x8 block of floats in registers. */
inline void transposeBlock(__m256 row[8]) {
  __m256 pairs[8];
  for (int i = 0; i < 4; i++) {
    pairs[2 * i] = _mm256_unpacklo_ps(row[2 * i], row[2 * i + 1]);
    pairs[2 * i + 1] = _mm256_unpackhi_ps(row[2 * i], row[2 * i + 1]);
  }
  __m256 quads[8];
  for (int half = 0; half < 2; half++) {
    for (int i = 0; i < 2; i++) {
      const __m256 first = pairs[4 * half + i];
      const __m256 second = pairs[4 * half + 2 + i];
      quads[4 * half + 2 * i] = _mm256_shuffle_ps(first, second, 0x44);
      quads[4 * half + 2 * i + 1] = _mm256_shuffle_ps(first, second, 0xee);
    }
  }
  for (int i = 0; i < 4; i++) {
    row[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
    row[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
  }
}

/** f16, bf16 and tf32 operands, f16 or f32 accumulators. */
void multiplyFloatTile(const TilePlan& plan, const TileOperands& operands, const SelectedRows* selected,
                       Accumulation accumulation);

/** s8, u8, s4, u4 operands, s32 accumulators. */
void multiplyIntegerTile(const TilePlan& plan, const TileOperands& operands, const SelectedRows* selected);

/** b1 operands. */
void multiplyBitTile(const TilePlan& plan, const TileOperands& operands);

/** m8n8k4 of f64. */
void multiplyDoubleTile(const TilePlan& plan, const TileOperands& operands);

/** m8n8k4 of f16: four products at once. */
void multiplyQuadPairs(const TilePlan& plan, const TileOperands& operands, Accumulation accumulation);

} // namespace simgpu::arith
