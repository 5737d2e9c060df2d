// What happens to the sums of a tile: scale, bias, residual, activation, rounding to 16 bits unless f32 is wanted, store.
#pragma once

#include "gemm/activation.cuh"
#include "gemm/shape.cuh"
#include "gemm/wide.cuh"

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
  int wide = 0;              // bits: WideOperand
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
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    v[i] = row + i < rows ? __ldg(from + row + i) : 0.0f;
  }
}

/** Adds eight neighbours of a token's residual. */
template <class Result> __device__ void addResidual(float (&v)[8], const Arguments& a, int row, int token) {
  const size_t at = static_cast<size_t>(token) * a.pitchResidual + row;
  if (a.wide & wideResidual) {
    const float4* const from = reinterpret_cast<const float4*>(static_cast<const float*>(a.residual) + at);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (row + 4 * half < a.pitchResidual) { // rows of f32 may end between the two halves
        const float4 four = from[half];
        v[4 * half] = __fadd_rn(v[4 * half], four.x), v[4 * half + 1] = __fadd_rn(v[4 * half + 1], four.y);
        v[4 * half + 2] = __fadd_rn(v[4 * half + 2], four.z), v[4 * half + 3] = __fadd_rn(v[4 * half + 3], four.w);
      }
    }
    return;
  }
  const uint4 pairs = *reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(a.residual) + at);
  const uint32_t words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float2 two = unpackPair(Result{}, words[i]);
    v[2 * i] = __fadd_rn(v[2 * i], two.x);
    v[2 * i + 1] = __fadd_rn(v[2 * i + 1], two.y);
  }
}

/** Stores the eight outputs from `row` on of a token; zeros behind the last output. */
template <class Format> __device__ void storeEight(const Arguments& a, const typename Format::Sum (&sums)[8], int row, int token) {
  using Result = typename ResultOf<typename Format::Element>::Type;
  float v[8];
#pragma unroll
  for (int i = 0; i < 8; i++) {
    v[i] = static_cast<float>(sums[i]);
  }
  if constexpr (Format::hasScales) {
    float scales[8];
    loadEight(scales, a.scales, row, a.rows);
    const float tokenScale = Format::elementBytes == 1 ? __ldg(a.tokenScales + token) : 1.0f;
    float bias[8] = {};
    if (a.bias != nullptr) {
      loadEight(bias, a.bias, row, a.rows);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = __fmaf_rn(Format::elementBytes == 1 ? __fmul_rn(v[i], tokenScale) : v[i], scales[i], bias[i]);
    }
  } else if (a.bias != nullptr) {
    float bias[8];
    loadEight(bias, a.bias, row, a.rows);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = __fadd_rn(v[i], bias[i]);
    }
  }
  if (a.residual != nullptr) {
    addResidual<Result>(v, a, row, token);
  }
  if (a.activationKind != noActivation) {
    activate(v, a.activationKind);
  }
  if (row + 8 > a.rows) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = row + i < a.rows ? v[i] : 0.0f;
    }
  }
  const size_t at = static_cast<size_t>(token) * a.pitchY + row;
  if (a.wide & wideResult) {
    float4* const to = reinterpret_cast<float4*>(static_cast<float*>(a.y) + at);
    to[0] = {v[0], v[1], v[2], v[3]};
    if (row + 4 < a.pitchY) {
      to[1] = {v[4], v[5], v[6], v[7]};
    }
    return;
  }
  *reinterpret_cast<uint4*>(static_cast<uint16_t*>(a.y) + at) = {packPair(Result{}, v[0], v[1]), packPair(Result{}, v[2], v[3]),
                                                                 packPair(Result{}, v[4], v[5]), packPair(Result{}, v[6], v[7])};
}

/** Zeros from the last tile to the pitch, where the pitch goes further than tiles do. */
template <class Shape> __device__ void storePadding(const Arguments& a, int firstToken, int firstRow) {
  const int last = min(firstToken + Shape::tileTokens, a.tokens);
  const int bytes = a.wide & wideResult ? 4 : 2;
  for (int row = firstRow + static_cast<int>(threadIdx.x) * 16 / bytes; row < a.pitchY; row += Shape::threads * 16 / bytes) {
    for (int token = firstToken; token < last; token++) {
      *reinterpret_cast<uint4*>(static_cast<unsigned char*>(a.y) + (static_cast<size_t>(token) * a.pitchY + row) * bytes) = uint4{};
    }
  }
}

/** The sums of a tile that its blocks have left, in the order of the blocks, which is the order they are added in. */
template <class Shape> struct Parts {
  using Sum = typename Shape::Format::Sum;
  static constexpr int slotSums = Shape::tileTokens * Shape::tileOut;

  const Sum* first;
  const Sum* second; // the others follow at equal distances
  int count;

  __device__ const Sum* at(int part) const {
    return part == 0 ? first : second + static_cast<size_t>(part - 1) * (2 * slotSums);
  }

  /** Adds eight sums of a part. */
  __device__ static void add(Sum (&v)[8], const Sum* from) {
    const uint4* const words = reinterpret_cast<const uint4*>(from);
    const uint4 halves[2] = {__ldcg(words), __ldcg(words + 1)};
    const Sum* const part = reinterpret_cast<const Sum*>(halves);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] += part[i];
    }
  }

  /** The eight sums at an offset, of all parts; the loads of four do not wait for each other. */
  __device__ void sum(Sum (&v)[8], int offset) const {
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v[i] = 0;
    }
#pragma unroll 4
    for (int part = 0; part < count; part++) {
      add(v, at(part) + offset);
    }
  }
};

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
  static constexpr int slotSums = Parts<Shape>::slotSums;

  int* arrivals;
  Sum* slots;

  __device__ Partial(void* workspace, int tiles)
      : arrivals(static_cast<int*>(workspace)),
        slots(reinterpret_cast<Sum*>(static_cast<unsigned char*>(workspace) + (tiles * 4 + 255) / 256 * 256)) {}

  /** Eight sums of a tile in a block's slot. */
  __device__ Sum* at(unsigned block, bool firstTile, int token, int row) const {
    Sum* const slot = slots + static_cast<size_t>(block * 2 + (firstTile ? 0 : 1)) * slotSums;
    return slot + token * Shape::tileOut + row;
  }

  __device__ static void write(Sum* at, const Sum (&v)[8]) {
    const uint32_t* const words = reinterpret_cast<const uint32_t*>(v);
    uint4* const to = reinterpret_cast<uint4*>(at);
    to[0] = {words[0], words[1], words[2], words[3]};
    to[1] = {words[4], words[5], words[6], words[7]};
  }

  __device__ Parts<Shape> parts(const Work<Shape>& work, int tile) const {
    const int firstUnit = tile * work.kTiles;
    const unsigned from = work.blockOf(firstUnit);
    // of several blocks only the first can have begun with another tile
    const int behind = work.begin(from) >= firstUnit ? 0 : 1;
    return {slots + static_cast<size_t>(from * 2 + behind) * slotSums, slots + static_cast<size_t>(from + 1) * (2 * slotSums),
            static_cast<int>(work.blockOf(firstUnit + work.kTiles - 1) - from) + 1};
  }

  /**
   * Says that this block's part is written; whether all others of the tile are, too. All threads call it. One thread
   * stands for all: what the others wrote before the barrier, its fence puts before its arrival.
   */
  __device__ bool arrive(int tile, int blocks) const {
    __shared__ int isLast;
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      isLast = atomicAdd(arrivals + tile, 1) == blocks - 1;
      if (isLast) {
        arrivals[tile] = 0;
      }
      __threadfence();
    }
    __syncthreads();
    return isLast != 0;
  }
};

} // namespace filigree
