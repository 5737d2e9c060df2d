// The constants of a kernel of a linear layer, and how blocks share its work.
#pragma once

#include "gemm/format.cuh"

namespace filigree {

/**
 * A block's tile is (warpsOut * 64 outputs) x (warpsTokens * columnTiles * 8 tokens) x (warpsK * steps * 64 bytes of K).
 *
 * @param Format_ how the weights are stored
 * @param warpsOut_ warps along the outputs, a panel of 64 rows each
 * @param warpsTokens_ warps along the tokens
 * @param warpsK_ warps along K; their sums are added in shared memory
 * @param columnTiles_ 8-token tiles of a warp
 * @param steps_ steps of a warp in one stage
 * @param stages_ stages of the ring of copies
 * @param blocks_ blocks of a multiprocessor that the registers allow for
 */
template <class Format_, int warpsOut_, int warpsTokens_, int warpsK_, int columnTiles_, int steps_, int stages_, int blocks_>
struct Shape {
  using Format = Format_;
  static constexpr int warpsOut = warpsOut_;
  static constexpr int warpsTokens = warpsTokens_;
  static constexpr int warpsK = warpsK_;
  static constexpr int columnTiles = columnTiles_;
  static constexpr int steps = steps_;
  static constexpr int stages = stages_;
  static constexpr int blocks = blocks_;

  static constexpr int threads = warpsOut * warpsTokens * warpsK * warpLanes;
  static constexpr int tileOut = warpsOut * panelRows;
  static constexpr int warpTokens = columnTiles * 8;
  static constexpr int tileTokens = warpsTokens * warpTokens;
  static constexpr int tileSteps = warpsK * steps;
  static constexpr int elementBytes = Format::elementBytes;
  static constexpr int tileK = tileSteps * stepBytes / elementBytes;

  /** The largest dense tile has no registers left for the operands of a second step. */
  static constexpr int unrolledSteps = Format::laneBytes * columnTiles >= 256 ? 1 : steps;

  static constexpr int blockBytes = warpLanes * panelTiles * Format::laneBytes; // weights of a panel and step
  static constexpr int metaBlockBytes = warpLanes * Format::metaBytes;
  static constexpr int rowBytes = tileSteps * stepBytes; // activations of a token in a stage
  static constexpr int weightsBytes = warpsOut * tileSteps * blockBytes;
  static constexpr int metaBytes = warpsOut * tileSteps * metaBlockBytes;
  static constexpr int groupBytes = warpsOut * tileSteps * Format::groupBytes; // the same parameters for each step of a group
  static constexpr int stageBytes = weightsBytes + metaBytes + groupBytes + tileTokens * rowBytes;

  /** Floats from one token to the next where warps along K leave their sums; 8 modulo 16 keeps banks apart. */
  static constexpr int sumsStride = panelRows + 8;
  static constexpr int sumsBytes = warpsK == 1 ? 0 : warpsK * warpsOut * tileTokens * sumsStride * 4;
  /** Tables of the panels, behind all else. */
  static constexpr int tablesAt = stages * stageBytes + sumsBytes;
  static constexpr int sharedBytes = tablesAt + warpsOut * Format::tableBytes;

  static_assert(rowBytes >= 128, "the swizzle of activations needs rows of 128 bytes");
  static_assert(warpsK > 1 || steps == 2, "K is padded to two steps, which a stage then never exceeds");
};

/**
 * The tiles of a layer, and which of them a block works on. The work is a row of units, a tile's K-steps one after the
 * other and tile after tile; every block takes an equal part of it. With as many blocks as tiles that is a tile each;
 * with fewer or more, some tiles are shared, and the last block to finish one adds the sums of all (Osama et al.,
 * Stream-K, 2023). The order of the addition is that of the blocks, so results do not depend on timing.
 */
template <class Shape> struct Work {
  int tilesOut;
  int tilesTokens;
  int kTiles;

  __device__ Work(int rows, int tokens, int steps)
      : tilesOut((rows + Shape::tileOut - 1) / Shape::tileOut),
        tilesTokens((tokens + Shape::tileTokens - 1) / Shape::tileTokens),
        kTiles((steps + Shape::tileSteps - 1) / Shape::tileSteps) {}

  __device__ int tiles() const { return tilesOut * tilesTokens; }
  __device__ int units() const { return tiles() * kTiles; }

  /** The first unit of a block: units * block / blocks, whose 64-bit division is left out where nothing remains. */
  __device__ int begin(unsigned block) const {
    const unsigned each = static_cast<unsigned>(units()) / gridDim.x;
    const unsigned rest = static_cast<unsigned>(units()) - each * gridDim.x;
    const unsigned dealt = rest == 0 ? 0 : static_cast<unsigned>(static_cast<uint64_t>(rest) * block / gridDim.x);
    return static_cast<int>(each * block + dealt);
  }
  /** The block that has a unit: the last whose first unit is not behind it. */
  __device__ unsigned blockOf(int unit) const {
    const uint64_t behind = static_cast<uint64_t>(static_cast<unsigned>(unit) + 1) * gridDim.x - 1;
    return static_cast<unsigned>(behind / static_cast<unsigned>(units()));
  }
};

/** A unit: a tile and one of its K-steps. */
template <class Shape> struct Cursor {
  int tile;
  int kTile;

  __device__ Cursor(int tile_, int kTile_) : tile(tile_), kTile(kTile_) {}
  __device__ Cursor(const Work<Shape>& work, int unit) : tile(unit / work.kTiles), kTile(unit % work.kTiles) {}

  /** Whether the next unit belongs to the next tile. */
  __device__ bool isLastOfTile(const Work<Shape>& work) const { return kTile == work.kTiles - 1; }

  __device__ void advance(const Work<Shape>& work) {
    if (++kTile == work.kTiles) {
      kTile = 0;
      tile++;
    }
  }
};

/** Where a tile is, in tiles. */
template <class Shape> struct Place {
  int out;
  int tokens;

  /** Tiles of 8 rows of tiles follow each other column by column, so that blocks that run together share operands in L2. */
  __device__ Place(const Work<Shape>& work, int tile) {
    constexpr int together = 8;
    const int group = tile / (together * work.tilesTokens);
    const int first = group * together;
    const int size = min(together, work.tilesOut - first);
    const int inGroup = tile - first * work.tilesTokens;
    out = first + inGroup % size;
    tokens = inGroup / size;
  }
};

} // namespace filigree
