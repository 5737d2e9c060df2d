package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Runs a linear layer. Each block of outputs is started with bias and residual, accumulated, and
 * given its activation while it is still in cache; a product of integers is started with zeros and
 * gets scales, bias and residual at its end. Blocks are divided among threads, and panels too where
 * there are more threads than blocks.
 *
 * @param kernels for start, end and activation
 * @param kernel the packed weights
 * @param x input, in panels
 * @param y output, in panels
 * @param residual added to the output, in panels; or null
 * @param bias one value for each output, or null
 * @param scales what the integers of input and weights stand for, or null if they are no integers
 * @param activation applied at the end
 */
record LinearStep(
    Kernels kernels,
    LinearKernel kernel,
    Slot x,
    Slot y,
    Slot residual,
    float[] bias,
    Scales scales,
    Activation activation)
    implements Step {
  /**
   * Scales of a product of integers.
   *
   * @param input where the input's is found, one f32
   * @param weights one for each output
   */
  record Scales(Slot input, float[] weights) {}

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
        start(p, first, last);
      }
      kernel.accumulate(
          block, panels, from, to, memory, x.offset(), y.offset(), workspace.floats(worker));
      for (int p = from; p < to; p++) {
        end(p, first, last);
      }
    }

    private void start(int p, int first, int last) {
      long panel = y.offset() + panels.offset(p, kernel.rows());
      if (scales == null) {
        kernels.start(memory, panel, panels.width(p), first, last, bias, residual(p));
      } else {
        kernels.start(memory, panel, panels.width(p), first, last, null, -1);
      }
    }

    private void end(int p, int first, int last) {
      long panel = y.offset() + panels.offset(p, kernel.rows());
      int width = panels.width(p);
      if (scales != null) {
        float scale = memory.get(DType.FLOAT, scales.input.offset());
        kernels.dequantize(
            memory, panel, width, first, last, scale, scales.weights, bias, residual(p));
      }
      if (activation != Activation.NONE) {
        long count = (long) (last - first) * width;
        long block = panel + (long) first * width * Float.BYTES;
        kernels.activate(activation, memory, block, count);
      }
    }

    private long residual(int p) {
      return residual == null ? -1 : residual.offset() + panels.offset(p, kernel.rows());
    }
  }
}
