package dev.filigree.plan;

import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Rounds a matrix in panels to the 256 levels of its own range, as the int8 files of ONNX Runtime
 * do before each integer product. The rounded values times the integer weights then sum up to what
 * the integer product gives, up to float rounding.
 *
 * @param x input, in panels
 * @param y output, in panels
 */
record LevelsStep(Kernels kernels, Slot x, Slot y) implements Step {
  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Panels panels = x.panels();
    int features = x.features();
    float[] range = new float[2];
    return pool -> {
      range[0] = 0;
      range[1] = 0;
      for (int p = 0; p < panels.count(); p++) {
        long panel = x.offset() + panels.offset(p, features);
        long width = panels.width(p);
        if (panels.used(p) == width) {
          kernels.range(memory, panel, width * features, range);
        } else {
          // padding holds values of its own, which must not widen the range
          for (int f = 0; f < features; f++) {
            kernels.range(memory, panel + f * width * Float.BYTES, panels.used(p), range);
          }
        }
      }
      float scale = DynamicQuantizeLinear.scale(range[0], range[1]);
      int zeroPoint = DynamicQuantizeLinear.zeroPoint(range[0], scale);
      kernels.roundToLevels(memory, x.offset(), y.offset(), x.length(), scale, zeroPoint);
    };
  }
}
