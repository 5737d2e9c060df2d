// How weights lie in memory, and how they become operands of the tensor core. The other side is the package
// dev.filigree.cuda.layout, which packs them; PanelLayout.java has the same drawing.
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
  const uint4* codebook = nullptr; // 32 bytes a row: the low bytes of its 16 entries, then the high bytes
  const uint4* offsets = nullptr;  // f16 a row: 1024 + zero point
  const uint4* groups = nullptr;   // of integers scaled by groups along K, see Groups
  int stepsPerGroup = 1;
};

/** Piece `index` of a lane's 16-byte pieces; `own` is where its first one is. */
template <int index> __device__ Words<4> loadPiece(uint32_t own) { return loadShared16<index * pieceBytes>(own); }

// A format's Rows are what a warp keeps of its rows in registers; its Step is the operand A of one step, made of the
// addresses of the lane's first bytes of values, of metadata and of the parameters of its rows' groups.

/** Dense weights of the activations' own 16-bit type. */
template <class Type> struct Dense16 {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 32; // for one tile
  static constexpr int metaBytes = 0;  // for all tiles
  static constexpr int groupBytes = 0; // parameters of groups of a panel
  static constexpr bool hasScales = false;

  struct Rows {
    __device__ void load(const WeightOperands&, int, int) {}
  };
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t) : own(values) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const Words<4> first = loadPiece<2 * tile>(own);
      const Words<4> second = loadPiece<2 * tile + 1>(own);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplyDense(Type{}, sums[j], first.r, x[j]);
      }
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplyDense(Type{}, sums[j], second.r, x[j] + 2);
      }
    }
  };
};

/** 2:4 weights of the activations' own 16-bit type. */
template <class Type> struct Sparse16 {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 16;
  static constexpr int metaBytes = 8;
  static constexpr int groupBytes = 0;
  static constexpr bool hasScales = false;

  using Rows = typename Dense16<Type>::Rows;
  struct Step {
    uint32_t own;
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t)
        : own(values), metadata(loadShared8(meta)) {}
    template <int tile, int columns>
    __device__ void multiply(float (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const Words<4> a = loadPiece<tile>(own);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse<tile % 2>(Type{}, sums[j], a.r, x[j], metadata.r[tile / 2]);
      }
    }
  };
};

/** Dense s8 weights for s8 activations. */
struct Dense8 {
  using Element = int8_t;
  using Sum = int;
  static constexpr int elementBytes = 1;
  static constexpr int laneBytes = 32;
  static constexpr int metaBytes = 0;
  static constexpr int groupBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Dense16<F16>::Rows;
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t) : own(values) {}
    template <int tile, int columns>
    __device__ void multiply(int (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const Words<4> first = loadPiece<2 * tile>(own);
      const Words<4> second = loadPiece<2 * tile + 1>(own);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplyDense(sums[j], first.r, x[j]);
        multiplyDense(sums[j], second.r, x[j] + 2);
      }
    }
  };
};

/** 2:4 s8 weights for s8 activations. */
struct Sparse8 {
  using Element = int8_t;
  using Sum = int;
  static constexpr int elementBytes = 1;
  static constexpr int laneBytes = 16;
  static constexpr int metaBytes = 16;
  static constexpr int groupBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Dense16<F16>::Rows;
  struct Step {
    uint32_t own;
    Words<4> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t)
        : own(values), metadata(loadShared16(meta)) {}
    template <int tile, int columns>
    __device__ void multiply(int (&sums)[columns][4], const uint32_t (&x)[columns][4], const Rows&) const {
      const Words<4> a = loadPiece<tile>(own);
#pragma unroll
      for (int j = 0; j < columns; j++) {
        multiplySparse(sums[j], a.r, x[j], metadata.r[tile]);
      }
    }
  };
};

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
  static constexpr bool hasScales = true;

  using Rows = Bytes::Rows;
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t) : own(values) {}
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
  static constexpr bool hasScales = true;

  using Rows = Bytes::Rows;
  struct Step {
    Words<4> codes[2];
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t)
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
  static constexpr bool hasScales = true;

  using Rows = Codes::Rows;
  struct Step {
    Words<4> codes[2];
    __device__ Step(uint32_t values, uint32_t, uint32_t) : codes{loadPiece<0>(values), loadPiece<1>(values)} {}
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
  static constexpr bool hasScales = true;

  using Rows = Codes::Rows;
  struct Step {
    Words<4> codes;
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t)
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

/** Integers of up to four bits with a scale and a zero point for each group along K, expanded to f16. */
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

  /** The registers of A of one tile from its 8 codes. */
  template <int tile> __device__ static void fragment(uint32_t (&a)[4], uint32_t codes, const Parameters& group) {
    const uint32_t even = codes & 0x0f0f0f0f;
    const uint32_t odd = codes >> 4 & 0x0f0f0f0f;
    expand<tile>(a[0], a[2], permuteBytes(even, odd, 0x5140), group);
    expand<4 + tile>(a[1], a[3], permuteBytes(even, odd, 0x7362), group);
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
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    Words<4> codes[2];
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t, uint32_t groups)
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
  static constexpr bool hasScales = true;

  using Rows = Groups::Rows;
  struct Step {
    Words<4> codes;
    Words<2> metadata;
    Groups::Parameters group;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t groups)
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

} // namespace filigree
