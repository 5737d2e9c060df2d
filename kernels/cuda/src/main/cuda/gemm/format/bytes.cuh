// Formats of eight-bit integers that are expanded to f16.
#pragma once

#include "gemm/format/values.cuh"

namespace filigree {

/** Eight-bit codes, expanded to f16: value = (code - zero point), scaled behind the sum. */
struct Bytes {
  /** 1024 + zero point of the lane's 8 rows, in f16: four registers of two rows. */
  struct Rows {
    uint4 offsets;
    __device__ void load(const WeightOperands& operands, int panel, int group) {
      offsets = operands.offsets[panel * (panelRows / 8) + group];
    }
    __device__ uint32_t of(int row) const {
      const uint32_t pair = row / 2 == 0 ? offsets.x : row / 2 == 1 ? offsets.y : row / 2 == 2 ? offsets.z : offsets.w;
      return permuteBytes(pair, 0, row % 2 == 0 ? 0x1010 : 0x3232);
    }
  };

  /** The pairs {low bytes, high bytes} of four codes. 0x64 above a byte makes the f16 number 1024 + byte, exactly. */
  __device__ static void expand(uint32_t& low, uint32_t& high, uint32_t codes, uint32_t offset) {
    low = subtract(permuteBytes(codes, 0x64646464, 0x4140), offset);
    high = subtract(permuteBytes(codes, 0x64646464, 0x4342), offset);
  }

  /** The registers of A of one tile from its 8 codes. */
  template <int tile> __device__ static void fragment(uint32_t (&a)[4], uint32_t upper, uint32_t lower, const Rows& rows) {
    expand(a[0], a[2], upper, rows.of(tile));
    expand(a[1], a[3], lower, rows.of(4 + tile));
  }

  __device__ static uint32_t subtract(uint32_t a, uint32_t b) {
    uint32_t difference;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
  }
};

/** Dense eight-bit codes under f16 activations. */
struct DenseBytes {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 16;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Bytes::Rows;
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t, const Rows&) : own(values) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows& rows) const {
      const Words<4> codes = loadPiece<tile>(own);
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t a[4];
        Bytes::fragment<tile>(a, codes.r[2 * half], codes.r[2 * half + 1], rows);
#pragma unroll
        for (int j = 0; j < columns; j++) {
          multiplyDense(F16{}, sums[j], a, x[j] + 2 * half);
        }
      }
    }
  };
};

/** 2:4 eight-bit codes under f16 activations. */
struct SparseBytes {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 8;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = 0;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Bytes::Rows;
  struct Step {
    Words<4> codes[2];
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t, const Rows&)
        : codes{loadPiece<0>(values), loadPiece<1>(values)},
          metadata(loadShared8(meta)) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows& rows) const {
      uint32_t a[4];
      const Words<4>& piece = codes[tile / 2];
      Bytes::fragment<tile>(a, piece.r[tile % 2 * 2], piece.r[tile % 2 * 2 + 1], rows);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(F16{}, sums[j], a, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

} // namespace filigree
