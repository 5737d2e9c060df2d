// What happens to the sums of a tile: scale, bias, residual, activation, rounding to 16 bits, store.
#pragma once

#include "gemm/activation.cuh"
#include "gemm/shape.cuh"

namespace filigree {

/** The parameters of a linear layer, y = activation(scales * (x W^T) + bias + residual); see KERNELS in linear.cuh. */
struct Arguments {
  WeightOperands weights;
  const void* x = nullptr;
  const float* scales = nullptr;      // [rows], padded to panels
  const float* tokenScales = nullptr; // [tokens], of s8 activations
  const float* bias = nullptr;        // [rows] or null
  const void* residual = nullptr;     // [tokens][pitchResidual] or null
  void* y = nullptr;                  // [tokens][pitchY]
  int tokens = 0;
  int rows = 0;
  int columns = 0;
  int pitchX = 0;
  int pitchY = 0;
  int pitchResidual = 0;
  int activationKind = 0;
  void* workspace = nullptr; // see Partial; null when every block has whole tiles
};

/** Two neighbouring numbers of a 16-bit type. */
__device__ inline float2 unpackPair(F16, uint32_t pair) { return __half22float2(*reinterpret_cast<const __half2*>(&pair)); }
__device__ inline float2 unpackPair(BF16, uint32_t pair) {
  return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000)};
}
__device__ inline uint32_t packPair(F16, float first, float second) {
  const __half2 pair = __floats2half2_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ inline uint32_t packPair(BF16, float first, float second) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

/** The type of results and residuals: that of the activations, f16 when they are s8. */
template <class Element> struct ResultOf { using Type = Element; };
template <> struct ResultOf<int8_t> { using Type = F16; };

/** Eight consecutive numbers of a float array, zeros behind its end. */
__device__ inline void loadEight(float (&v)[8], const float* from, int row, int rows) {
  if (row + 8 <= rows) {
    const float4 first = __ldg(reinterpret_cast<const float4*>(from + row));
    const float4 second = __ldg(reinterpret_cast<const float4*>(from + row) + 1);
    v[0] = first.x, v[1] = first.y, v[2] = first.z, v[3] = first.w;
    v[4] = second.x, v[5] = second.y, v[6] = second.z, v[7] = second.w;
  } else {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = row + i < rows ? __ldg(from + row + i) : 0.0f;
    }
  }
}

/** Stores the eight outputs from `row` on of a token; zeros behind the last output. */
template <class Format> __device__ void storeEight(const Arguments& a, const typename Format::Sum (&sums)[8], int row, int token) {
  using Result = typename ResultOf<typename Format::Element>::Type;
  float v[8];
  float scales[8];
  float bias[8] = {};
  if constexpr (Format::hasScales) {
    loadEight(scales, a.scales, row, a.rows);
  }
  if (a.bias != nullptr) {
    loadEight(bias, a.bias, row, a.rows);
  }
  float tokenScale = 1.0f;
  if constexpr (Format::elementBytes == 1) {
    tokenScale = __ldg(a.tokenScales + token);
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const float sum = static_cast<float>(sums[i]);
    if constexpr (Format::elementBytes == 1) {
      v[i] = __fmaf_rn(__fmul_rn(sum, scales[i]), tokenScale, bias[i]);
    } else if constexpr (Format::hasScales) {
      v[i] = __fmaf_rn(sum, scales[i], bias[i]);
    } else {
      v[i] = __fadd_rn(sum, bias[i]);
    }
  }
  if (a.residual != nullptr) {
    const uint4 pairs = *reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(a.residual) +
                                                        static_cast<size_t>(token) * a.pitchResidual + row);
    const uint32_t words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float2 pair = unpackPair(Result{}, words[i]);
      v[2 * i] = __fadd_rn(v[2 * i], pair.x);
      v[2 * i + 1] = __fadd_rn(v[2 * i + 1], pair.y);
    }
  }
  if (a.activationKind != none) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = activate(v[i], a.activationKind);
    }
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    v[i] = row + i < a.rows ? v[i] : 0.0f;
  }
  const uint4 packed = {packPair(Result{}, v[0], v[1]), packPair(Result{}, v[2], v[3]), packPair(Result{}, v[4], v[5]),
                        packPair(Result{}, v[6], v[7])};
  *reinterpret_cast<uint4*>(static_cast<uint16_t*>(a.y) + static_cast<size_t>(token) * a.pitchY + row) = packed;
}

/** Zeros from the last tile to the pitch, where the pitch goes further than tiles do. */
template <class Shape> __device__ void storePadding(const Arguments& a, int firstToken, int firstRow) {
  const int last = min(firstToken + Shape::tileTokens, a.tokens);
  for (int row = firstRow + static_cast<int>(threadIdx.x) * 8; row < a.pitchY; row += Shape::threads * 8) {
    for (int token = firstToken; token < last; token++) {
      *reinterpret_cast<uint4*>(static_cast<uint16_t*>(a.y) + static_cast<size_t>(token) * a.pitchY + row) = uint4{};
    }
  }
}

/**
 * Sums of tiles that several blocks share.
 *
 *   workspace: | i32 arrivals, one a tile, 0 before and after a launch | to 256 bytes | slot 0 | slot 1 | ...
 *
 * A slot holds a tile's sums, [tokens of the tile][outputs of the tile] of 4 bytes. A block has two: one for its first
 * tile and one for its last. LinearGrid.java computes the size.
 */
template <class Shape> struct Partial {
  using Sum = typename Shape::Format::Sum;
  static constexpr int slotSums = Shape::tileTokens * Shape::tileOut;

  int* arrivals;
  Sum* slots;

  __device__ Partial(void* workspace, int tiles)
      : arrivals(static_cast<int*>(workspace)),
        slots(reinterpret_cast<Sum*>(static_cast<unsigned char*>(workspace) + (tiles * 4 + 255) / 256 * 256)) {}

  /** Eight sums of a tile in a block's slot. */
  __device__ uint4* at(unsigned block, bool firstTile, int token, int row) const {
    Sum* const slot = slots + static_cast<size_t>(block * 2 + (firstTile ? 0 : 1)) * slotSums;
    return reinterpret_cast<uint4*>(slot + token * Shape::tileOut + row);
  }

  __device__ static void write(uint4* to, const Sum (&v)[8]) {
    const uint32_t* const words = reinterpret_cast<const uint32_t*>(v);
    to[0] = {words[0], words[1], words[2], words[3]};
    to[1] = {words[4], words[5], words[6], words[7]};
  }

  /** Adds the sums of all blocks that have a part of the tile, in their order. */
  __device__ void sum(Sum (&v)[8], const Work<Shape>& work, int tile, int token, int row) const {
    const long long firstUnit = static_cast<long long>(tile) * work.kTiles;
    const unsigned last = work.blockOf(firstUnit + work.kTiles - 1);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = 0;
    }
    for (unsigned block = work.blockOf(firstUnit); block <= last; block++) {
      const bool isItsFirst = work.begin(block) >= firstUnit;
      const uint4* const from = at(block, isItsFirst, token, row);
      const uint4 halves[2] = {__ldcg(from), __ldcg(from + 1)};
      const Sum* const part = reinterpret_cast<const Sum*>(halves);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        v[i] += part[i];
      }
    }
  }

  /** Says that this block's part is written; whether all others of the tile are, too. All threads call it. */
  __device__ bool arrive(const Work<Shape>& work, int tile) const {
    __shared__ int isLast;
    const long long firstUnit = static_cast<long long>(tile) * work.kTiles;
    const int blocks = static_cast<int>(work.blockOf(firstUnit + work.kTiles - 1) - work.blockOf(firstUnit)) + 1;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
      isLast = atomicAdd(arrivals + tile, 1) == blocks - 1;
      if (isLast) {
        arrivals[tile] = 0;
      }
    }
    __syncthreads();
    const bool last = isLast != 0;
    __threadfence();
    __syncthreads();
    return last;
  }
};

} // namespace filigree
