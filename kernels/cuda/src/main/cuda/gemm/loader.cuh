// What a block copies to shared memory: stages of weights, metadata, parameters of groups and activations, ahead of time
// (cp.async, a ring of stages), weights in the order the tensor core wants them (panel.cuh), activations swizzled:
//
//   token t of a stage: | chunk 0 ^ t%8 | chunk 1 ^ t%8 | ...   chunks of 16 bytes; ldmatrix reads 8 tokens' chunk c, which
//                                                               are in 8 different banks of 16 bytes
#pragma once

#include "gemm/epilogue.cuh"

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

  /** Parameters of the groups that the steps of a stage belong to. */
  struct Groups {
    static constexpr int ofBlock = Format::groupBytes / 16;
    static constexpr int ofPanel = Shape::tileSteps * ofBlock;
    static constexpr int chunks = Shape::warpsOut * ofPanel;

    __device__ static void load(uint32_t to, const WeightOperands& weights, int out, int kTile, int steps, int panels) {
      const int groups = (steps + weights.stepsPerGroup - 1) / weights.stepsPerGroup;
#pragma unroll
      for (int first = 0; first < chunks; first += Shape::threads) {
        const int chunk = first + static_cast<int>(threadIdx.x);
        const int step = kTile * Shape::tileSteps + chunk % ofPanel / ofBlock;
        if (chunk < chunks && step < steps) {
          const int panel = min(out * Shape::warpsOut + chunk / ofPanel, panels - 1);
          const int block = panel * groups + step / weights.stepsPerGroup;
          copyAsync<0>(to + chunk * 16, weights.groups + static_cast<size_t>(block) * ofBlock + chunk % ofBlock);
        }
      }
    }
  };

  /** Starts copying the tables of a tile's panels behind the stages, where no thread reads those of the tile before. */
  struct Tables {
    __device__ static void load(uint32_t to, const WeightOperands& weights, int out, int panels) {
      constexpr int chunks = Format::tableBytes / 16;
#pragma unroll
      for (int own = 0; own < Shape::warpsOut; own++) {
        const int table = min(out * Shape::warpsOut + own, panels - 1) * weights.booksPerPanel;
        const uint4* const from = weights.codebook + static_cast<size_t>(table) * chunks;
#pragma unroll 8
        for (int chunk = static_cast<int>(threadIdx.x); chunk < chunks; chunk += Shape::threads) {
          copyAsync<0>(to + own * Format::tableBytes + chunk * 16, from + chunk);
        }
      }
    }
  };

  const Arguments& a;
  int steps;
  int panels;
  Panels<Shape::blockBytes> values;
  Panels<Shape::metaBlockBytes> metadata;
  int out;                // of the tile
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
    out = tile.out;
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
    if constexpr (Format::groupBytes > 0) {
      Groups::load(stage + Shape::weightsBytes + Shape::metaBytes, a.weights, out, kTile, steps, panels);
    }
    activations(stage + Shape::weightsBytes + Shape::metaBytes + Shape::groupBytes, kTile);
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

} // namespace filigree
