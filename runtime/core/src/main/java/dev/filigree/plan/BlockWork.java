package dev.filigree.plan;

import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;

/**
 * Divides a linear layer among threads: by blocks of outputs, and by panels too where there are
 * more threads than blocks. What an output is computed from never depends on the division.
 */
final class BlockWork implements PanelWork, WorkerPool.Body {
  /** Computes a block of outputs for some panels. */
  @FunctionalInterface
  interface Part {
    /**
     * Computes.
     *
     * @param first output of the block
     * @param last output after it
     * @param from first panel
     * @param to panel after the last
     */
    void run(int block, int first, int last, int from, int to, int worker);
  }

  /**
   * Multiply-adds below which waking another thread costs more than it saves: some ten microseconds
   * of work.
   */
  private static final long SMALL = 1 << 20;

  /** Items each thread should get, so that one that starts late has others to take its work. */
  private static final int ITEMS_PER_THREAD = 3;

  private final PackedLinear kernel;
  private final Panels panels;
  private final Part part;
  private final int blocks;
  private final int grains;
  private final boolean small;
  private int groups = 1;

  BlockWork(PackedLinear kernel, Panels panels, Part part) {
    this.kernel = kernel;
    this.panels = panels;
    this.part = part;
    this.blocks = kernel.blocks();
    this.grains = Math.ceilDiv(panels.count(), PanelChain.GRAIN);
    this.small = isSmall((long) kernel.rows() * kernel.columns() * panels.tokens());
  }

  /** Whether so many multiply-adds are done sooner by one thread. */
  static boolean isSmall(long products) {
    return products < SMALL;
  }

  /** Runs a block of outputs for some panels. */
  static void run(PackedLinear kernel, Part part, int block, int from, int to, int worker) {
    int first = block * PackedLinear.BLOCK;
    int last = Math.min(kernel.rows(), first + PackedLinear.BLOCK);
    part.run(block, first, last, from, to, worker);
  }

  @Override
  public void run(WorkerPool pool) {
    int wanted = small ? 1 : pool.size() * ITEMS_PER_THREAD;
    groups = Math.clamp((wanted + blocks - 1) / blocks, 1, Math.max(1, grains));
    if (small) {
      for (int block = 0; block < blocks; block++) {
        run(block, 0);
      }
    } else {
      pool.forEach(blocks * groups, this);
    }
  }

  @Override
  public void run(int item, int worker) {
    int block = item / groups;
    int group = item % groups;
    int from = grains * group / groups * PanelChain.GRAIN;
    int to = Math.min(panels.count(), grains * (group + 1) / groups * PanelChain.GRAIN);
    run(kernel, part, block, from, to, worker);
  }

  @Override
  public void run(int from, int to, int worker) {
    for (int block = 0; block < blocks; block++) {
      run(kernel, part, block, from, to, worker);
    }
  }
}
