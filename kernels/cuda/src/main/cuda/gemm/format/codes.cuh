// Formats of four-bit codes that are looked up in a codebook.
#pragma once

#include "gemm/panel.cuh"

namespace filigree {

/** Four-bit codes into a codebook of 16 values of a 16-bit type, one for each row. */
struct Codes {
  /** The codebooks of the lane's 8 rows, in registers: 16 low bytes and 16 high bytes each. */
  struct Rows {
    uint4 low[8];
    uint4 high[8];
    __device__ void load(const WeightOperands& operands, int panel, int group) {
      const uint4* const books = operands.codebook + static_cast<size_t>(panel * panelRows + group * 8) * 2;
#pragma unroll
      for (int row = 0; row < 8; row++) {
        low[row] = books[2 * row];
        high[row] = books[2 * row + 1];
      }
    }
  };

  /**
   * Looks four codes of a row up by byte permutations: the three low bits of a code, in the low 16 bits of `entry`,
   * choose from the first and from the last eight entries, the fourth, spread over a byte of `last`, between the two. No
   * memory is read, so no bank conflicts.
   */
  __device__ static void expand(uint32_t& first, uint32_t& second, uint32_t entry, uint32_t last, const uint4& low,
                                const uint4& high) {
    const uint32_t lowBytes = choose(last, permuteBytes(low.z, low.w, entry), permuteBytes(low.x, low.y, entry));
    const uint32_t highBytes = choose(last, permuteBytes(high.z, high.w, entry), permuteBytes(high.x, high.y, entry));
    first = permuteBytes(lowBytes, highBytes, 0x5140);
    second = permuteBytes(lowBytes, highBytes, 0x7362);
  }

  /** The registers of A of one tile from its 8 codes. */
  template <int tile> __device__ static void fragment(uint32_t (&a)[4], uint32_t codes, const Rows& rows) {
    const uint32_t entry = codes & 0x77777777;
    const uint32_t even = codes << 4; // brings the fourth bits of even codes to the signs of bytes, where odd ones' are
    expand(a[0], a[2], entry, permuteBytes(even, codes, 0xd9c8), rows.low[tile], rows.high[tile]);
    expand(a[1], a[3], entry >> 16, permuteBytes(even, codes, 0xfbea), rows.low[4 + tile], rows.high[4 + tile]);
  }
};

/** Dense four-bit codes. */
template <class Type> struct DenseCodes {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 8;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Codes::Rows;
  struct Step {
    Words<4> codes[2];
    __device__ Step(uint32_t values, uint32_t, uint32_t, const Rows&) : codes{loadPiece<0>(values), loadPiece<1>(values)} {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows& rows) const {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t a[4];
        Codes::fragment<tile>(a, codes[tile / 2].r[tile % 2 * 2 + half], rows);
#pragma unroll
        for (int j = 0; j < columns; j++) {
          multiplyDense(Type{}, sums[j], a, x[j] + 2 * half);
        }
      }
    }
  };
};

/** 2:4 four-bit codes. */
template <class Type> struct SparseCodes {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 4;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Codes::Rows;
  struct Step {
    Words<4> codes;
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t, const Rows&)
        : codes(loadPiece<0>(values)), metadata(loadShared8(meta)) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows& rows) const {
      uint32_t a[4];
      Codes::fragment<tile>(a, codes.r[tile], rows);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(Type{}, sums[j], a, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

} // namespace filigree
