// Formats of integers whose scales change along K.
#pragma once

#include "gemm/format/bytes.cuh"

namespace filigree {

/** Integers with a scale and a zero point for each group along K, expanded to f16. */
struct Groups {
  static constexpr int bytes = 2 * panelRows * 2;
  using Rows = Dense16<F16>::Rows;

  /** What a group has for the lane's eight rows, in f16. */
  struct Parameters {
    Words<4> scales;
    Words<4> offsets;
    __device__ explicit Parameters(uint32_t own) : scales(loadShared16(own)), offsets(loadShared16<panelRows * 2>(own)) {}
    template <int row> __device__ static uint32_t twice(const Words<4>& of) {
      return permuteBytes(of.r[row / 2], 0, row % 2 == 0 ? 0x1010 : 0x3232);
    }
  };

  /** The pairs of a row from four codes, a byte each. */
  template <int row>
  __device__ static void expand(uint32_t& low, uint32_t& high, uint32_t codes, const Parameters& group) {
    Bytes::expand(low, high, codes, Parameters::twice<row>(group.offsets));
    const uint32_t scale = Parameters::twice<row>(group.scales);
    low = scaled(low, scale);
    high = scaled(high, scale);
  }

  /** The registers of A of one tile from its 8 codes, a byte each. */
  template <int tile>
  __device__ static void fragment(uint32_t (&a)[4], uint32_t upper, uint32_t lower, const Parameters& group) {
    expand<tile>(a[0], a[2], upper, group);
    expand<4 + tile>(a[1], a[3], lower, group);
  }

  /** The same from four bits each. */
  template <int tile> __device__ static void fragment(uint32_t (&a)[4], uint32_t codes, const Parameters& group) {
    const uint32_t even = codes & 0x0f0f0f0f;
    const uint32_t odd = codes >> 4 & 0x0f0f0f0f;
    fragment<tile>(a, permuteBytes(even, odd, 0x5140), permuteBytes(even, odd, 0x7362), group);
  }

  __device__ static uint32_t scaled(uint32_t a, uint32_t b) {
    uint32_t product;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
    return product;
  }
};

/** Dense integers of up to four bits, scaled by groups. */
struct DenseGroups {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 8;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = Groups::bytes;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    Words<4> codes[2];
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t, uint32_t groups, const Rows&)
        : codes{loadPiece<0>(values), loadPiece<1>(values)}, group(groups) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t a[4];
        Groups::fragment<tile>(a, codes[tile / 2].r[tile % 2 * 2 + half], group);
#pragma unroll
        for (int j = 0; j < columns; j++) {
          multiplyDense(F16{}, sums[j], a, x[j] + 2 * half);
        }
      }
    }
  };
};

/** 2:4 integers of up to four bits, scaled by groups of stored values. */
struct SparseGroups {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 4;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = Groups::bytes;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    Words<4> codes;
    Words<2> metadata;
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t groups, const Rows&)
        : codes(loadPiece<0>(values)), metadata(loadShared8(meta)), group(groups) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      uint32_t a[4];
      Groups::fragment<tile>(a, codes.r[tile], group);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(F16{}, sums[j], a, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

/** Dense integers of up to eight bits, scaled by groups. */
struct DenseByteGroups {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 16;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = Groups::bytes;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    uint32_t own;
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t, uint32_t groups, const Rows&) : own(values), group(groups) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const Words<4> codes = loadPiece<tile>(own);
#pragma unroll
      for (int half = 0; half < 2; half++) {
        uint32_t a[4];
        Groups::fragment<tile>(a, codes.r[2 * half], codes.r[2 * half + 1], group);
#pragma unroll
        for (int j = 0; j < columns; j++) {
          multiplyDense(F16{}, sums[j], a, x[j] + 2 * half);
        }
      }
    }
  };
};

/** 2:4 integers of up to eight bits, scaled by groups of stored values. */
struct SparseByteGroups {
  using Element = F16;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 8;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = Groups::bytes;
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    Words<4> codes[2];
    Words<2> metadata;
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t groups, const Rows&)
        : codes{loadPiece<0>(values), loadPiece<1>(values)}, metadata(loadShared8(meta)), group(groups) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      uint32_t a[4];
      const Words<4>& piece = codes[tile / 2];
      Groups::fragment<tile>(a, piece.r[tile % 2 * 2], piece.r[tile % 2 * 2 + 1], group);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(F16{}, sums[j], a, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

} // namespace filigree
