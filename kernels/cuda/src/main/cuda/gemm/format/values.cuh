// Formats whose stored values are operands of the tensor core as they are.
#pragma once

#include "gemm/panel.cuh"

namespace filigree {

/** Dense weights of the activations' own 16-bit type. */
template <class Type> struct Dense16 {
  using Element = Type;
  using Sum = float;
  static constexpr int elementBytes = 2;
  static constexpr int laneBytes = 32; // for one tile
  static constexpr int metaBytes = 0;  // for all tiles
  static constexpr int groupBytes = 0; // parameters of groups of a panel
  static constexpr int tableBytes = 0; // of a panel, which stay in shared memory
  static constexpr bool hasScales = false;

  struct Rows {
    __device__ void load(const WeightOperands&, int, int) {}
  };
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t, const Rows&) : own(values) {}
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
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = false;

  using Rows = typename Dense16<Type>::Rows;
  struct Step {
    uint32_t own;
    Words<2> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t, const Rows&)
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
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Dense16<F16>::Rows;
  struct Step {
    uint32_t own;
    __device__ Step(uint32_t values, uint32_t, uint32_t, const Rows&) : own(values) {}
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
  static constexpr int tableBytes = 0;
  static constexpr bool hasScales = true;

  using Rows = Dense16<F16>::Rows;
  struct Step {
    uint32_t own;
    Words<4> metadata;
    __device__ Step(uint32_t values, uint32_t meta, uint32_t, const Rows&)
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

} // namespace filigree
