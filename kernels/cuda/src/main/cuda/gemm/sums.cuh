// The sums of a block's warps, and how its threads get at them once a tile is done.
#pragma once

#include "gemm/epilogue.cuh"

namespace filigree {

/** Where a warp works in a tile. */
template <class Shape> struct WarpPlace {
  int lane;
  int group; // lane / 4: which eight rows of the panel
  int quad;
  int out;
  int tokens;
  int k;

  __device__ WarpPlace() {
    const int warp = static_cast<int>(threadIdx.x) / warpLanes;
    lane = static_cast<int>(threadIdx.x) % warpLanes;
    group = lane >> 2;
    quad = lane & 3;
    out = warp % Shape::warpsOut;
    tokens = warp / Shape::warpsOut % Shape::warpsTokens;
    k = warp / (Shape::warpsOut * Shape::warpsTokens);
  }
};

/** The sums of a warp: 64 rows by its tokens. */
template <class Shape> struct Sums {
  using Format = typename Shape::Format;
  using Sum = typename Format::Sum;
  Sum of[panelTiles][Shape::columnTiles][4];

  __device__ void clear() {
#pragma unroll
    for (int tile = 0; tile < panelTiles; tile++) {
#pragma unroll
      for (int j = 0; j < Shape::columnTiles; j++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          of[tile][j][i] = 0;
        }
      }
    }
  }

  /** Adds the products of a stage; steps from `steps` on do not exist. */
  __device__ void accumulate(const WarpPlace<Shape>& warp, uint32_t stage, const typename Format::Rows& rows, int steps) {
    const uint32_t block = static_cast<uint32_t>(warp.out * Shape::tileSteps + warp.k * Shape::steps);
    const uint32_t values = stage + block * Shape::blockBytes + static_cast<uint32_t>(warp.lane * 16);
    const uint32_t metadata = stage + Shape::weightsBytes + block * Shape::metaBlockBytes +
                              static_cast<uint32_t>(warp.lane * Format::metaBytes);
    const uint32_t groups = stage + Shape::weightsBytes + Shape::metaBytes + block * Format::groupBytes +
                            static_cast<uint32_t>(warp.group * 16);
    const uint32_t activations = stage + Shape::weightsBytes + Shape::metaBytes + Shape::groupBytes +
                                 static_cast<uint32_t>((warp.tokens * Shape::warpTokens + (warp.lane & 7)) * Shape::rowBytes);
#pragma unroll(Shape::unrolledSteps)
    for (int s = 0; s < Shape::steps; s++) {
      const int step = warp.k * Shape::steps + s;
      if (Shape::warpsK > 1 && step >= steps) {
        break;
      }
      uint32_t x[Shape::columnTiles][4];
      const uint32_t chunk = activations + static_cast<uint32_t>(((step * 4 + (warp.lane >> 3)) ^ (warp.lane & 7)) * 16);
      forEach<Shape::columnTiles>([&](auto j) { loadMatrices<j * 8 * Shape::rowBytes>(x[j], chunk); });
      const typename Format::Step weights(values + static_cast<uint32_t>(s * Shape::blockBytes),
                                          metadata + static_cast<uint32_t>(s * Shape::metaBlockBytes),
                                          groups + static_cast<uint32_t>(s * Format::groupBytes), rows);
      forEach<panelTiles>([&](auto tile) { weights.template multiply<tile>(of[tile], x, rows); });
    }
  }

  /**
   * The lane's eight rows of its token `index`: 2j + c is column c of its pair in column tile j. By branches, because a
   * choice between all registers costs more.
   */
  template <int from = 0, int to = 2 * Shape::columnTiles> __device__ void select(Sum (&v)[8], int index) const {
    if constexpr (to - from == 1) {
      pick(v, from / 2, from % 2);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        asm volatile("" : "+r"(reinterpret_cast<uint32_t&>(v[i]))); // keeps the branch a branch
      }
    } else {
      constexpr int middle = (from + to) / 2;
      if (index < middle) {
        select<from, middle>(v, index);
      } else {
        select<middle, to>(v, index);
      }
    }
  }

  __device__ void pick(Sum (&v)[8], int j, int c) const {
#pragma unroll
    for (int tile = 0; tile < panelTiles; tile++) {
      v[tile] = of[tile][j][c];
      v[panelTiles + tile] = of[tile][j][2 + c];
    }
  }

  __device__ void put(const Sum (&v)[8], int j, int c) {
#pragma unroll
    for (int tile = 0; tile < panelTiles; tile++) {
      of[tile][j][c] = v[tile];
      of[tile][j][2 + c] = v[panelTiles + tile];
    }
  }
};

/** How the threads of a block get at the eight-row items of a tile: from their registers, each its own. */
template <class Shape> struct RegisterItems {
  using Sum = typename Shape::Format::Sum;
  const WarpPlace<Shape>& warp;
  Sums<Shape>& sums;

  __device__ RegisterItems(const WarpPlace<Shape>& place, Sums<Shape>& all, uint32_t*) : warp(place), sums(all) {}

  static constexpr int first() { return 0; }
  static constexpr int count = 2 * Shape::columnTiles;
  static constexpr int stride = 1;
  __device__ int token(int item) const { return warp.tokens * Shape::warpTokens + item / 2 * 8 + warp.quad * 2 + item % 2; }
  __device__ int row(int) const { return warp.out * panelRows + warp.group * 8; }
  __device__ void read(Sum (&v)[8], int item) const {
    if constexpr (!gathersAtOnce) {
      if (gathered.count > 0) {
        gathered.sum(v, token(item) * Shape::tileOut + row(item));
        return;
      }
    }
    sums.select(v, item);
  }

  /** Takes the sums of all parts of the tile instead, where it has as many rows and tokens. */
  __device__ void gather(const Parts<Shape>& parts, int rows, int tokens) {
    if constexpr (!gathersAtOnce) {
      gathered = parts;
      return;
    }
    sums.clear();
    if (row(0) >= rows) {
      return; // none of the thread's items is inside
    }
#pragma unroll 1
    for (int part = 0; part < parts.count; part++) {
      const Sum* const slot = parts.at(part) + row(0);
#pragma unroll
      for (int j = 0; j < Shape::columnTiles; j++) {
#pragma unroll
        for (int c = 0; c < 2; c++) {
          // a token outside takes the sums of the last: a branch would keep the loads from being on their way together
          Sum v[8];
          sums.pick(v, j, c);
          Parts<Shape>::add(v, slot + min(token(2 * j + c), tokens - 1) * Shape::tileOut);
          sums.put(v, j, c);
        }
      }
    }
  }

private:
  /** All of a part's loads on their way together; the largest tile has no registers left for that. */
  static constexpr bool gathersAtOnce = Shape::columnTiles <= 4;
  Parts<Shape> gathered = {};
};

/**
 * The same where warps share K: every warp leaves its sums in shared memory,
 *
 *   [warp along K][panel][token][64 rows, then 8 unused]
 *
 * and the items are dealt to all threads. Half of the lanes take the second four rows first, so that the eight lanes
 * served together are in different banks.
 */
template <class Shape> struct SharedItems {
  using Sum = typename Shape::Format::Sum;
  static constexpr int groups = Shape::tileOut / 8;
  static constexpr int ofPanel = Shape::tileTokens * Shape::sumsStride;
  static constexpr int ofWarpK = Shape::warpsOut * ofPanel;
  Sum* memory;

  __device__ SharedItems(const WarpPlace<Shape>& warp, const Sums<Shape>& sums, uint32_t* to)
      : memory(reinterpret_cast<Sum*>(to)) {
    Sum* const own = reinterpret_cast<Sum*>(to) + warp.k * ofWarpK + warp.out * ofPanel + warp.group * 8;
    const bool swap = warp.quad >= 2;
#pragma unroll
    for (int j = 0; j < Shape::columnTiles; j++) {
#pragma unroll
      for (int c = 0; c < 2; c++) {
        Sum v[8];
        sums.pick(v, j, c);
        Sum* const row = own + (warp.tokens * Shape::warpTokens + j * 8 + warp.quad * 2 + c) * Shape::sumsStride;
        storeFour(row + (swap ? 4 : 0), swap ? v + 4 : v, v, swap);
      }
    }
    __syncthreads();
  }

  __device__ static int first() { return static_cast<int>(threadIdx.x); }
  static constexpr int count = groups * Shape::tileTokens;
  static constexpr int stride = Shape::threads;
  __device__ int token(int item) const { return item / groups; }
  __device__ int row(int item) const { return item % groups * 8; }

  /** Takes the sums of all parts of the tile instead: they stand for those of one warp, and zeros for those of the others. */
  __device__ void gather(const Parts<Shape>& parts, int rows, int tokens) {
#pragma unroll 1
    for (int item = first(); item < count; item += stride) {
      Sum v[8] = {};
      if (token(item) < tokens && row(item) < rows) {
        parts.sum(v, token(item) * Shape::tileOut + row(item));
      }
      Sum* to = memory + place(item);
      Partial<Shape>::write(to, v);
      const Sum none[8] = {};
#pragma unroll
      for (int k = 1; k < Shape::warpsK; k++) {
        Partial<Shape>::write(to += ofWarpK, none);
      }
    }
  }

  /** Where the eight rows of an item are, among the sums of a warp along K. */
  __device__ static int place(int item) {
    const int group = item % groups;
    return group / 8 * ofPanel + item / groups * Shape::sumsStride + group % 8 * 8;
  }

  __device__ void read(Sum (&v)[8], int item) const {
    const bool swap = item % groups % 8 >= 4;
    const Sum* from = memory + place(item);
    Sum first[4] = {};
    Sum second[4] = {};
#pragma unroll
    for (int k = 0; k < Shape::warpsK; k++, from += ofWarpK) {
      addFour(first, from + (swap ? 4 : 0));
      addFour(second, from + (swap ? 0 : 4));
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      v[i] = swap ? second[i] : first[i];
      v[4 + i] = swap ? first[i] : second[i];
    }
  }

private:
  __device__ static void storeFour(Sum* to, const Sum*, const Sum (&v)[8], bool swap) {
    Sum ordered[8];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      ordered[i] = swap ? v[4 + i] : v[i];
      ordered[4 + i] = swap ? v[i] : v[4 + i];
    }
    const uint32_t* const words = reinterpret_cast<const uint32_t*>(ordered);
    *reinterpret_cast<uint4*>(to) = {words[0], words[1], words[2], words[3]};
    *reinterpret_cast<uint4*>(to + (swap ? -4 : 4)) = {words[4], words[5], words[6], words[7]};
  }

  __device__ static void addFour(Sum (&v)[4], const Sum* from) {
    const uint4 words = *reinterpret_cast<const uint4*>(from);
    const Sum* const part = reinterpret_cast<const Sum*>(&words);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      v[i] += part[i];
    }
  }
};

} // namespace filigree
