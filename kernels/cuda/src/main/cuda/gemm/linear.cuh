// A linear layer on tensor cores: y[tokens][rows] = activation(x W^T + bias + residual), as Y^T = W X^T with the weights
// as the operand A, because only A may be sparse. Row-major activations are the column-major operand B as they are.
#pragma once

#include "facts.cuh"
#include "gemm/loader.cuh"
#include "gemm/sums.cuh"

#include <type_traits>

namespace filigree {

/** Ends a tile, or this block's part of it. All threads call it. */
template <class Shape, class Items>
__device__ void finish(const Arguments& a, const Work<Shape>& work, int tile, bool whole, bool firstTile, Items& items) {
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
      items.read(v, item);
      if (leaves) {
        Partial<Shape>::write(partial.at(blockIdx.x, firstTile, token, row), v);
      } else {
        storeEight<typename Shape::Format>(a, v, firstRow + row, firstToken + token);
      }
    }
    if (!leaves) {
      break;
    }
    const Parts<Shape> parts = partial.parts(work, tile);
    if (!partial.arrive(tile, parts.count)) {
      return;
    }
    items.gather(parts, a.pitchY - firstRow, a.tokens - firstToken);
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
  const uint32_t tables = ring + Shape::tablesAt;
  if constexpr (Format::tableBytes > 0) {
    Loader<Shape>::Tables::load(tables, a.weights, loader.out, loader.panels); // arrive with the first stage
  }
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
    const int out = Place<Shape>(work, cursor.tile).out;
    if constexpr (Format::tableBytes > 0) {
      if (cursor.tile != firstTile && a.weights.booksPerPanel != 0) {
        __syncthreads(); // the tile before may still look up; the loop below waits for all threads again
        Loader<Shape>::Tables::load(tables, a.weights, out, loader.panels);
        commitCopies();
        waitForCopies<0>();
      }
      rows.place(tables + static_cast<uint32_t>(warp.out * Format::tableBytes), warp.lane);
    } else {
      rows.load(a.weights, min(out * Shape::warpsOut + warp.out, loader.panels - 1), warp.group);
    }
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
    Items items(warp, sums, reinterpret_cast<uint32_t*>(memory + Shape::stages * Shape::stageBytes));
    finish<Shape>(a, work, cursor.tile, part == work.kTiles, cursor.tile == firstTile, items);
    left -= part;
    cursor = Cursor<Shape>(cursor.tile + 1, 0);
  }
}

} // namespace filigree
