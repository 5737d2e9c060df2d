package dev.filigree.kernel.scalar;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * A linear layer in plain Java. The weights stay in their logical form; each output's row is
 * unpacked when its turn comes and, if sparse, the zeros are passed over.
 *
 * @param weights logical {@code [rows, columns]}
 * @param sparse whether zeros are passed over
 */
record ScalarLinear(Weights weights, boolean sparse) implements LinearKernel {
  /** The choice of this kernel. */
  record Option(Weights weights, boolean sparse) implements LinearOption {
    @Override
    public String name() {
      return sparse ? "scalar rows" : "scalar dense";
    }

    @Override
    public String reason() {
      return sparse ? "skips the zeros of " + weights.format() : "multiplies every weight";
    }

    @Override
    public double predictedNanos(int tokens) {
      double multiplyAdds =
          (sparse ? weights.stored() : (double) weights.rows() * weights.columns()) * tokens;
      return multiplyAdds / ScalarKernels.MULTIPLY_ADDS_PER_NANO;
    }

    @Override
    public LinearKernel pack() {
      return new ScalarLinear(weights, sparse);
    }
  }

  @Override
  public int rows() {
    return weights.rows();
  }

  @Override
  public int columns() {
    return weights.columns();
  }

  @Override
  public long bytes() {
    return 0;
  }

  @Override
  public int scratch() {
    return columns();
  }

  @Override
  public void accumulate(
      int block,
      Panels panels,
      int from,
      int to,
      MemorySegment memory,
      long x,
      long y,
      float[] scratch) {
    int last = Math.min(rows(), (block + 1) * BLOCK);
    for (int o = block * BLOCK; o < last; o++) {
      weights.unpackRow(o, scratch, 0);
      for (int p = from; p < to; p++) {
        int width = panels.width(p);
        long in = x + panels.offset(p, columns());
        long out = y + panels.offset(p, rows()) + (long) o * width * Float.BYTES;
        for (int k = 0; k < columns(); k++) {
          if (!sparse || weights.keeps(o, k)) {
            multiplyAdd(memory, scratch[k], in + (long) k * width * Float.BYTES, out, width);
          }
        }
      }
    }
  }

  /** {@code y += w * x} for the tokens of a panel. */
  private static void multiplyAdd(MemorySegment memory, float w, long x, long y, int width) {
    for (int t = 0; t < width; t++) {
      long at = (long) t * Float.BYTES;
      float sum = memory.get(DType.FLOAT, y + at) + w * memory.get(DType.FLOAT, x + at);
      memory.set(DType.FLOAT, y + at, sum);
    }
  }
}
