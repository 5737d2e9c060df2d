package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Quantises a matrix in panels to 8 bits over its own range, as the int8 files of ONNX Runtime do
 * before each integer product. The codes go into a kernel's own form, or become whole f32 numbers
 * less the zero point, so that f32 kernels add up the very integers of the product as long as a sum
 * stays below 2^24.
 *
 * @param kernels for the range, and for codes as f32
 * @param code of the kernels that read the codes, or null for f32
 * @param x input, in panels
 * @param y the codes
 * @param scale receives the scale, one f32
 */
record QuantizeStep(Kernels kernels, ActivationCode.Integers code, Slot x, Slot y, Slot scale)
    implements Step {
  @Override
  public String work() {
    return "quantise";
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace.memory());
  }

  /** An item is a panel. */
  private final class Bound extends RangedStep {
    private final MemorySegment memory;
    private final Panels panels = x.panels();
    private final int features = x.features();

    Bound(MemorySegment memory) {
      super(memory, x.panels().count(), scale.offset());
      this.memory = memory;
    }

    @Override
    void range(int p, float[] range) {
      long panel = x.offset() + panels.offset(p, features);
      long width = panels.width(p);
      if (panels.used(p) == width) {
        widen(p, panel, width * features, range);
        return;
      }
      // padding holds values of its own, which must not widen the range
      for (int f = 0; f < features; f++) {
        widen(p, panel + f * width * Float.BYTES, panels.used(p), range);
      }
    }

    /** Widens a range by some values of a panel. */
    private void widen(int p, long from, long count, float[] range) {
      if (code == null) {
        kernels.range(memory, from, count, range);
        return;
      }
      // where the codes will be there is nothing yet
      long found = y.offset() + (long) p * 2 * Float.BYTES;
      code.range(memory, from, count, found);
      range[0] = Math.min(range[0], memory.get(DType.FLOAT, found));
      range[1] = Math.max(range[1], memory.get(DType.FLOAT, found + Float.BYTES));
    }

    @Override
    void quantize(int p, float scale, int zeroPoint) {
      if (code != null) {
        code.encode(memory, panels, p, features, x.offset(), y.offset(), scale, zeroPoint);
        return;
      }
      long at = panels.offset(p, features);
      long count = (long) panels.width(p) * features;
      kernels.quantize(memory, x.offset() + at, y.offset() + at, count, scale, zeroPoint);
    }
  }
}
