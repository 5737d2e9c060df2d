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
 * gets scales, bias and residual at its end.
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
    implements LinearWork {
  @Override
  public boolean takesRagged() {
    return true;
  }

  /**
   * Scales of a product of integers.
   *
   * @param input where the input's is found, one f32
   * @param weights one for each output
   */
  record Scales(Slot input, float[] weights) {}

  @Override
  public int scratchFloats() {
    return kernel.scratch();
  }

  @Override
  public Panels panels() {
    return x.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    return new BlockWork(kernel, x.panels(), part(workspace));
  }

  @Override
  public BlockWork.Part part(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BlockWork.Part {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final Panels panels = x.panels();

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
    }

    @Override
    public void run(int block, int first, int last, int from, int to, int worker) {
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
