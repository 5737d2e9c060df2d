package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Quantises a matrix in panels to 8 bits over its own range, as the int8 files of ONNX Runtime do
 * before each integer product. The codes, less the zero point, are whole f32 numbers, so that f32
 * kernels add up the very integers of the product as long as a sum stays below 2^24.
 *
 * @param x input, in panels
 * @param y codes less the zero point, in panels
 * @param scale receives the scale, one f32
 */
record QuantizeStep(Kernels kernels, Slot x, Slot y, Slot scale) implements Step {
  @Override
  public String work() {
    return "quantise";
  }

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
      float found = DynamicQuantizeLinear.scale(range[0], range[1]);
      int zeroPoint = DynamicQuantizeLinear.zeroPoint(range[0], found);
      memory.set(DType.FLOAT, scale.offset(), found);
      kernels.quantize(memory, x.offset(), y.offset(), x.length(), found, zeroPoint);
    };
  }
}
