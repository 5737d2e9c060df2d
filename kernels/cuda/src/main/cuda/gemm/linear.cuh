// A linear layer on tensor cores: y[tokens][rows] = activation(x W^T + bias + residual), as Y^T = W X^T with the weights
// as the operand A, because only A may be sparse. Row-major activations are the column-major operand B as they are.
//
// Warps copy a stage of weights, metadata and activations to shared memory ahead of time (cp.async, a ring of stages),
// weights in the order the tensor core wants them (format.cuh), activations swizzled:
//
//   token t of a stage: | chunk 0 ^ t%8 | chunk 1 ^ t%8 | ...   chunks of 16 bytes; ldmatrix reads 8 tokens' chunk c, which
//                                                               are in 8 different banks of 16 bytes
#pragma once

#include "facts.cuh"
#include "gemm/epilogue.cuh"

#include <type_traits>

namespace filigree {

/** Copies stages to shared memory. What a thread copies is the same part of every stage. */
template <class Shape> struct Loader {
  using Format = typename Shape::Format;
  static constexpr int ofRow = Shape::rowBytes / 16; // chunks of 16 bytes
  static constexpr int rowsAtOnce = Shape::threads / ofRow;
  static_assert(Shape::threads % ofRow == 0, "a thread copies the same column of every row it copies");

  /** Blocks of the panels of a tile: of values or of metadata. */
  template <int blockBytes> struct Panels {
    static constexpr int ofBlock = blockBytes / 16;
    static constexpr int ofPanel = Shape::tileSteps * ofBlock;
    static constexpr int chunks = Shape::warpsOut * ofPanel;
    static constexpr int copies = (chunks + Shape::threads - 1) / Shape::threads;
    uint32_t offset[copies == 0 ? 1 : copies]; // of the thread's chunks in the first K-step

    /** A panel behind the last is the last once more, whose result nobody stores: metadata must be legal. */
    __device__ void place(int out, int steps, int panels) {
#pragma unroll
      for (int i = 0; i < copies; i++) {
        const int chunk = static_cast<int>(threadIdx.x) + i * Shape::threads;
        const int panel = min(out * Shape::warpsOut + chunk / ofPanel, panels - 1);
        offset[i] = static_cast<uint32_t>(panel * steps * ofBlock + chunk % ofPanel);
      }
    }

    __device__ void load(uint32_t to, const uint4* from, int kTile, int steps) const {
      const uint4* const first = from + kTile * ofPanel;
      const uint32_t own = to + threadIdx.x * 16;
      const int stepsLeft = steps - kTile * Shape::tileSteps;
      forEach<copies>([&](auto i) {
        const int chunk = static_cast<int>(threadIdx.x) + i * Shape::threads;
        if (chunks % Shape::threads != 0 && chunk >= chunks) {
          return;
        }
        if (Shape::warpsK > 1 && chunk % ofPanel / ofBlock >= stepsLeft) {
          return;
        }
        copyAsync<i * Shape::threads * 16>(own, first + offset[i]);
      });
    }
  };

  const Arguments& a;
  int steps;
  int panels;
  Panels<Shape::blockBytes> values;
  Panels<Shape::metaBlockBytes> metadata;
  const unsigned char* x; // the thread's first chunk
  int tokensLeft;         // from the thread's first row on

  __device__ Loader(const Arguments& arguments, int steps_)
      : a(arguments), steps(steps_), panels((arguments.rows + panelRows - 1) / panelRows) {}

  __device__ static int row() { return static_cast<int>(threadIdx.x) / ofRow; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % ofRow; }

  /** Goes to a tile. */
  __device__ void place(const Place<Shape>& tile) {
    values.place(tile.out, steps, panels);
    if constexpr (Format::metaBytes > 0) {
      metadata.place(tile.out, steps, panels);
    }
    const int token = tile.tokens * Shape::tileTokens + row();
    tokensLeft = a.tokens - token;
    x = static_cast<const unsigned char*>(a.x) + static_cast<size_t>(token) * (a.pitchX * Shape::elementBytes) + column() * 16;
  }

  /** Starts copying a K-step into a stage. */
  __device__ void load(int kTile, uint32_t stage) const {
    values.load(stage, a.weights.w, kTile, steps);
    if constexpr (Format::metaBytes > 0) {
      metadata.load(stage + Shape::weightsBytes, a.weights.meta, kTile, steps);
    }
    activations(stage + Shape::weightsBytes + Shape::metaBytes, kTile);
  }

private:
  /** Rows of tokens; zeros for tokens that do not exist and behind the pitch. */
  __device__ void activations(uint32_t to, int kTile) const {
    constexpr int copies = Shape::tileTokens / rowsAtOnce > 0 ? Shape::tileTokens / rowsAtOnce : 1;
    static_assert(Shape::tileTokens % rowsAtOnce == 0 || Shape::tileTokens < rowsAtOnce, "whole rows for all threads");
    if (Shape::tileTokens < rowsAtOnce && row() >= Shape::tileTokens) {
      return;
    }
    const int pitch = a.pitchX * Shape::elementBytes;
    const int existing = kTile * Shape::rowBytes + column() * 16 < pitch ? tokensLeft : 0;
    const size_t stride = static_cast<size_t>(rowsAtOnce) * pitch;
    const uint32_t own = to + static_cast<uint32_t>(row() * Shape::rowBytes + (column() ^ (row() & 7)) * 16);
    // four rows further, the swizzle has its third bit changed
    const uint32_t other = to + static_cast<uint32_t>(row() * Shape::rowBytes + (column() ^ ((row() + rowsAtOnce) & 7)) * 16);
    const unsigned char* from = x + kTile * Shape::rowBytes;
    forEach<copies>([&](auto i) {
      copyAsync<i * rowsAtOnce * Shape::rowBytes>(rowsAtOnce % 8 == 0 || i % 2 == 0 ? own : other, from,
                                                  i * rowsAtOnce < existing ? 16 : 0);
      from += stride;
    });
    static_assert(rowsAtOnce % 4 == 0, "the swizzle has eight rows");
  }
};

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
    const uint32_t activations = stage + Shape::weightsBytes + Shape::metaBytes +
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
                                          metadata + static_cast<uint32_t>(s * Shape::metaBlockBytes));
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
};

/** How the threads of a block get at the eight-row items of a tile: from their registers, each its own. */
template <class Shape> struct RegisterItems {
  using Sum = typename Shape::Format::Sum;
  const WarpPlace<Shape>& warp;
  const Sums<Shape>& sums;

  __device__ RegisterItems(const WarpPlace<Shape>& place, const Sums<Shape>& all, uint32_t*) : warp(place), sums(all) {}

  static constexpr int first() { return 0; }
  static constexpr int count = 2 * Shape::columnTiles;
  static constexpr int stride = 1;
  __device__ int token(int item) const { return warp.tokens * Shape::warpTokens + item / 2 * 8 + warp.quad * 2 + item % 2; }
  __device__ int row(int) const { return warp.out * panelRows + warp.group * 8; }
  __device__ void read(Sum (&v)[8], int item) const { sums.select(v, item); }
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
  const Sum* memory;

  __device__ SharedItems(const WarpPlace<Shape>& warp, const Sums<Shape>& sums, uint32_t* to)
      : memory(reinterpret_cast<const Sum*>(to)) {
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

  __device__ void read(Sum (&v)[8], int item) const {
    const int group = item % groups;
    const bool swap = group % 8 >= 4;
    const Sum* from = memory + group / 8 * ofPanel + token(item) * Shape::sumsStride + group % 8 * 8;
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

/** Ends a tile, or this block's part of it. All threads call it. */
template <class Shape, class Items>
__device__ void finish(const Arguments& a, const Work<Shape>& work, int tile, bool whole, bool firstTile, const Items& items) {
  const Place<Shape> place(work, tile);
  const Partial<Shape> partial(a.workspace, work.tiles());
  const int firstToken = place.tokens * Shape::tileTokens;
  const int firstRow = place.out * Shape::tileOut;
  // a shared tile is gone through twice: to leave this block's part, and, by the last block, to add all
  bool leaves = !whole;
  while (true) {
#pragma unroll 1
    for (int item = Items::first(); item < Items::count; item += Items::stride) {
      const int token = items.token(item);
      const int row = items.row(item);
      if (firstToken + token >= a.tokens || firstRow + row >= a.pitchY) {
        continue;
      }
      typename Shape::Format::Sum v[8];
      if (whole || leaves) {
        items.read(v, item);
      } else {
        partial.sum(v, work, tile, token, row);
      }
      if (leaves) {
        Partial<Shape>::write(partial.at(blockIdx.x, firstTile, token, row), v);
      } else {
        storeEight<typename Shape::Format>(a, v, firstRow + row, firstToken + token);
      }
    }
    if (!leaves) {
      break;
    }
    if (!partial.arrive(work, tile)) {
      return;
    }
    leaves = false;
  }
  if (place.out == work.tilesOut - 1) {
    storePadding<Shape>(a, firstToken, work.tilesOut * Shape::tileOut);
  }
}

/** The kernel. */
template <class Shape> __device__ void linear(const Arguments& a) {
  extern __shared__ __align__(128) unsigned char memory[];
  using Format = typename Shape::Format;
  // K in whole pairs of steps, as the weights are padded
  const int steps = 2 * ((a.columns * Shape::elementBytes + 2 * stepBytes - 1) / (2 * stepBytes));
  const Work<Shape> work(a.rows, a.tokens, steps);
  const int begin = work.begin(blockIdx.x);
  const int end = work.begin(blockIdx.x + 1);
  const WarpPlace<Shape> warp;
  const uint32_t ring = sharedAddress(memory);
  Loader<Shape> loader(a, steps);
  Cursor<Shape> ahead(work, begin);
  loader.place(Place<Shape>(work, ahead.tile));
  int toLoad = end - begin;
  const auto loadNext = [&](uint32_t stage) {
    if (toLoad > 0) {
      loader.load(ahead.kTile, ring + stage * Shape::stageBytes);
      toLoad--;
      const bool nextTile = ahead.isLastOfTile(work);
      ahead.advance(work);
      if (nextTile && toLoad > 0) {
        loader.place(Place<Shape>(work, ahead.tile));
      }
    }
    commitCopies();
  };
#pragma unroll
  for (int stage = 0; stage < Shape::stages - 1; stage++) {
    loadNext(static_cast<uint32_t>(stage));
  }

  Cursor<Shape> cursor(work, begin);
  const int firstTile = cursor.tile;
  uint32_t stage = 0;
  uint32_t stageAhead = Shape::stages - 1;
  int left = end - begin;
#pragma unroll 1
  while (left > 0) {
    // one tile, or this block's part of it
    const int part = min(left, work.kTiles - cursor.kTile);
    typename Format::Rows rows;
    rows.load(a.weights, min(Place<Shape>(work, cursor.tile).out * Shape::warpsOut + warp.out, loader.panels - 1), warp.group);
    Sums<Shape> sums;
    sums.clear();
#pragma unroll 1
    for (int kTile = cursor.kTile; kTile < cursor.kTile + part; kTile++) {
      waitForCopies<Shape::stages - 2>();
      __syncthreads();
      loadNext(stageAhead);
      sums.accumulate(warp, ring + stage * Shape::stageBytes, rows, steps - kTile * Shape::tileSteps);
      stageAhead = stage;
      stage = stage + 1 == Shape::stages ? 0 : stage + 1;
    }
    using Items = std::conditional_t<Shape::warpsK == 1, RegisterItems<Shape>, SharedItems<Shape>>;
    const Items items(warp, sums, reinterpret_cast<uint32_t*>(memory + Shape::stages * Shape::stageBytes));
    finish<Shape>(a, work, cursor.tile, part == work.kTiles, cursor.tile == firstTile, items);
    left -= part;
    cursor = Cursor<Shape>(cursor.tile + 1, 0);
  }
}

} // namespace filigree
