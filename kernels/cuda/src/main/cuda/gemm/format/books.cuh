// Formats of eight-bit codes that are looked up in codebooks of 256 entries, which lie in shared memory.
//
// A panel's codebooks are a table of 256 lines of 128 bytes, an entry of every row each. With g and t as in panel.cuh,
//
//   line e:   | word 4g + t: entry e of panel row 8g + t, of panel row 8g + 4 + t |       64 rows of 2 bytes
//
// so a row has a bank of its own, which it shares with the row of the other half only. The four lanes of a group have
// the same eight rows; so that they are in four banks, lane q looks up tile (i + q) % 4 at its time i. All 32 lanes are
// then in different banks whatever their codes. Codes lie in this order too: FragmentPlace.java.
#pragma once

#include "gemm/panel.cuh"

namespace filigree {

/** Eight-bit codes into a codebook of 256 values of a 16-bit type, one for each row or one for all. */
struct Books {
  static constexpr int entries = 256;
  static constexpr int lineBytes = panelRows * 2;
  static constexpr int bytes = entries * lineBytes;

  /** Where a lane finds the entries of its rows. */
  struct Rows {
    uint32_t book[panelTiles]; // of the tile whose time it is
    uint32_t quad;
    __device__ void place(uint32_t table, int lane) {
      quad = static_cast<uint32_t>(lane) & 3;
#pragma unroll
      for (uint32_t i = 0; i < panelTiles; i++) {
        book[i] = table + ((static_cast<uint32_t>(lane) & ~3u) + (i + quad) % panelTiles) * 4;
      }
    }
  };

  template <int place, int half> __device__ static uint16_t entry(uint32_t codes, uint32_t book) {
    static_assert(lineBytes == 1 << 7, "a byte times the bytes of a line is the byte seven bits up");
    const uint32_t line = (place == 0 ? codes << 7 : codes >> (8 * place - 7)) & (entries - 1) << 7;
    uint16_t found;
    asm volatile("ld.shared.u16 %0, [%1+%2];" : "=h"(found) : "r"(book + line), "n"(2 * half));
    return found;
  }

  template <int place, int half> __device__ static uint32_t pair(uint32_t codes, uint32_t book) {
    uint32_t both;
    asm("mov.b32 %0, {%1,%2};" : "=r"(both) : "h"(entry<place, half>(codes, book)), "h"(entry<place + 1, half>(codes, book)));
    return both;
  }

  /** From the order of a lane's time to that of tiles. */
  __device__ static void order(uint32_t (&of)[panelTiles], uint32_t quad) {
    const uint32_t byOne[panelTiles] = {of[3], of[0], of[1], of[2]};
#pragma unroll
    for (int i = 0; i < panelTiles; i++) {
      of[i] = (quad & 1) != 0 ? byOne[i] : of[i];
    }
    const uint32_t byTwo[panelTiles] = {of[2], of[3], of[0], of[1]};
#pragma unroll
    for (int i = 0; i < panelTiles; i++) {
      of[i] = (quad & 2) != 0 ? byTwo[i] : of[i];
    }
  }

  /** Register r of A of all tiles, a[r], from the lane's codes: of rows g in `upper`, of rows g + 8 in `lower`. */
  __device__ static void fragments(uint32_t (&a)[4][panelTiles], const uint32_t (&upper)[panelTiles],
                                   const uint32_t (&lower)[panelTiles], const Rows& rows) {
#pragma unroll
    for (int i = 0; i < panelTiles; i++) {
      a[0][i] = pair<0, 0>(upper[i], rows.book[i]);
      a[1][i] = pair<0, 1>(lower[i], rows.book[i]);
      a[2][i] = pair<2, 0>(upper[i], rows.book[i]);
      a[3][i] = pair<2, 1>(lower[i], rows.book[i]);
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
      order(a[r], rows.quad);
    }
  }
};

/** Dense eight-bit codes. */
template <class Type> struct DenseBooks {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 16;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = Books::bytes;
  static constexpr bool hasScales = true;

  using Rows = Books::Rows;
  struct Step {
    uint32_t a[2][4][panelTiles];
    __device__ Step(uint32_t values, uint32_t, uint32_t, const Rows& rows) {
      const Words<4> codes[panelTiles] = {loadPiece<0>(values), loadPiece<1>(values), loadPiece<2>(values),
                                          loadPiece<3>(values)};
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t upper[panelTiles];
        uint32_t lower[panelTiles];
#pragma unroll
        for (int i = 0; i < panelTiles; i++) {
          upper[i] = codes[i].r[2 * half];
          lower[i] = codes[i].r[2 * half + 1];
        }
        Books::fragments(a[half], upper, lower, rows);
      }
    }
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const uint32_t own[4] = {a[half][0][tile], a[half][1][tile], a[half][2][tile], a[half][3][tile]};
#pragma unroll
        for (int j = 0; j < columns; j++) {
          multiplyDense(Type{}, sums[j], own, x[j] + 2 * half);
        }
      }
    }
  };
};

/** 2:4 eight-bit codes. */
template <class Type> struct SparseBooks {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 8;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = Books::bytes;
  static constexpr bool hasScales = true;

  using Rows = Books::Rows;
  struct Step {
    uint32_t a[4][panelTiles];
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t, const Rows& rows) : metadata(loadShared8(meta)) {
      const Words<4> first = loadPiece<0>(values);
      const Words<4> second = loadPiece<1>(values);
      const uint32_t upper[panelTiles] = {first.r[0], first.r[2], second.r[0], second.r[2]};
      const uint32_t lower[panelTiles] = {first.r[1], first.r[3], second.r[1], second.r[3]};
      Books::fragments(a, upper, lower, rows);
    }
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const uint32_t own[4] = {a[0][tile], a[1][tile], a[2][tile], a[3][tile]};
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(Type{}, sums[j], own, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

} // namespace filigree
