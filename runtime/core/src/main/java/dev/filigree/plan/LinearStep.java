package dev.filigree.plan;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Runs a linear layer. Each block of outputs is started with bias and residual, accumulated, and
 * given its activation while it is still in cache. Blocks are divided among threads, and panels too
 * where there are more threads than blocks.
 *
 * @param kernels for start and activation
 * @param kernel the packed weights
 * @param x input, in panels
 * @param y output, in panels
 * @param residual added to the output, in panels; or null
 * @param bias one value for each output, or null
 * @param activation applied at the end
 */
record LinearStep(
    Kernels kernels,
    LinearKernel kernel,
    Slot x,
    Slot y,
    Slot residual,
    float[] bias,
    Activation activation)
    implements Step {
  /**
   * Multiply-adds below which waking another thread costs more than it saves: some ten microseconds
   * of work.
   */
  private static final long SMALL = 1 << 20;

  /** Items each thread should get, so that one that starts late has others to take its work. */
  private static final int ITEMS_PER_THREAD = 3;

  /** Panels of a group are a multiple of this, since kernels take two panels at a time. */
  private static final int PANEL_GRAIN = 2;

  @Override
  public int scratchFloats() {
    return kernel.scratch();
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep, WorkerPool.Body {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final Panels panels = x.panels();
    private final int blocks = kernel.blocks();
    private int groups = 1;

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
    }

    @Override
    public void run(WorkerPool pool) {
      long work = (long) kernel.rows() * kernel.columns() * panels.tokens();
      int wanted = work < SMALL ? 1 : pool.size() * ITEMS_PER_THREAD;
      int grains = (panels.count() + PANEL_GRAIN - 1) / PANEL_GRAIN;
      groups = Math.clamp((wanted + blocks - 1) / blocks, 1, Math.max(1, grains));
      if (work < SMALL) {
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
      int grains = (panels.count() + PANEL_GRAIN - 1) / PANEL_GRAIN;
      int from = grains * group / groups * PANEL_GRAIN;
      int to = Math.min(panels.count(), grains * (group + 1) / groups * PANEL_GRAIN);
      int first = block * LinearKernel.BLOCK;
      int last = Math.min(kernel.rows(), first + LinearKernel.BLOCK);
      for (int p = from; p < to; p++) {
        long panel = panels.offset(p, kernel.rows());
        kernels.start(
            memory,
            y.offset() + panel,
            panels.width(p),
            first,
            last,
            bias,
            residual == null ? -1 : residual.offset() + panel);
      }
      kernel.accumulate(
          block, panels, from, to, memory, x.offset(), y.offset(), workspace.floats(worker));
      if (activation != Activation.NONE) {
        for (int p = from; p < to; p++) {
          long width = panels.width(p);
          kernels.activate(
              activation,
              memory,
              y.offset() + panels.offset(p, kernel.rows()) + first * width * Float.BYTES,
              (last - first) * width);
        }
      }
    }
  }
}
