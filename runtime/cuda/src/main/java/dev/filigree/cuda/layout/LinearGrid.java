package dev.filigree.cuda.layout;

import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import java.util.ArrayList;
import java.util.List;

/**
 * The work of a linear layer's kernel and the blocks that share it, see {@code gemm/shape.cuh}.
 * With as many blocks as tiles each has one; with another number some tiles are shared, and a
 * workspace is needed.
 *
 * @param tiles of outputs times tokens
 * @param kTiles steps of a block along K
 * @param blocks from 1 to {@code tiles * kTiles}
 * @param slotBytes of a tile's sums in the workspace
 */
public record LinearGrid(int tiles, int kTiles, int blocks, long slotBytes) {
  private static final long ARRIVALS_ALIGNMENT = 256;

  /** Steps a block should have at least where a tile is shared: adding its sums costs about two. */
  private static final int LEAST_STEPS = 2;

  /** Numbers of blocks for a tile that are considered. */
  private static final int MOST_SPLITS = 3;

  public LinearGrid {
    long units = (long) tiles * kTiles;
    boolean counted = tiles >= 1 && kTiles >= 1 && units <= Integer.MAX_VALUE;
    if (!counted || blocks < 1 || blocks > units) {
      throw new IllegalArgumentException(
          blocks + " blocks cannot share " + tiles + " tiles of " + kTiles + " steps");
    }
  }

  /**
   * The grid of one block for each tile.
   *
   * @param kernel one with a tile
   * @throws ArithmeticException if the steps of all tiles are more than the kernels count
   */
  public static LinearGrid of(KernelEntry kernel, int rows, int columns, int tokens) {
    Tile tile = kernel.tile().orElseThrow();
    int tiles =
        Math.multiplyExact(Math.ceilDiv(rows, tile.out()), Math.ceilDiv(tokens, tile.tokens()));
    int kTiles = Math.ceilDiv(columns, tile.k());
    Math.multiplyExact(tiles, kTiles);
    long slot = (long) tile.out() * tile.tokens() * Float.BYTES;
    return new LinearGrid(tiles, kTiles, tiles, slot);
  }

  /** The same work by another number of blocks, as many as there is work for. */
  public LinearGrid by(int wanted) {
    return new LinearGrid(
        tiles, kTiles, (int) Math.clamp(wanted, 1, (long) tiles * kTiles), slotBytes);
  }

  /**
   * The ways to share the work that may be the fastest: a block for each tile; and where more
   * blocks fit on the device at once than there are tiles, up to as many for each tile, the same
   * number for all. Blocks that end one tile and begin another cost more than they gained (measured
   * on H200).
   *
   * @param resident blocks that fit on the device at once
   */
  public List<LinearGrid> ways(int resident) {
    List<LinearGrid> ways = new ArrayList<>(List.of(this));
    int most = Math.min(resident / tiles, kTiles / LEAST_STEPS);
    for (int i = 0; i < MOST_SPLITS && most >> i > 1; i++) {
      ways.add(by(tiles * (most >> i)));
    }
    return ways;
  }

  /** Whether a tile is shared by blocks. */
  public boolean isShared() {
    return (long) tiles * kTiles % blocks != 0 || (long) tiles * kTiles / blocks % kTiles != 0;
  }

  /** Bytes of all blocks' sums: each has two tiles that it may share. */
  public long slotsBytes() {
    return 2L * blocks * slotBytes;
  }

  /**
   * Bytes at the start of a workspace that must be 0 before its first use; launches leave them so.
   */
  public long arrivalBytes() {
    return Math.ceilDiv(tiles * 4L, ARRIVALS_ALIGNMENT) * ARRIVALS_ALIGNMENT;
  }
}
