package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.OneCode;
import java.lang.foreign.MemorySegment;

/** Steps on codes of 8 bits, most of them held as whole f32 numbers less their zero points. */
final class CodeSteps {
  private CodeSteps() {}

  /**
   * Reads bytes as floats, or writes floats as bytes.
   *
   * @param reads whether x has the bytes, or else y
   */
  record Convert(
      Kernels kernels, Slot x, Slot y, boolean reads, boolean signed, int zero, float scale)
      implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return PanelSteps.stretches(
          y,
          (at, count) -> {
            long bytes = at / Float.BYTES;
            if (reads) {
              kernels.decode(
                  memory, x.offset() + bytes, y.offset() + at, count, signed, zero, scale);
            } else {
              kernels.encode(
                  memory, x.offset() + at, y.offset() + bytes, count, signed, zero, scale);
            }
          });
    }
  }

  /**
   * Rounds floats to codes.
   *
   * @param zero point as of codes from 0 to 255
   */
  record Round(Kernels kernels, Slot x, Slot y, float scale, int zero) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return PanelSteps.stretches(
          y,
          (at, count) ->
              kernels.quantize(memory, x.offset() + at, y.offset() + at, count, scale, zero));
    }
  }

  /**
   * Makes sums of products codes.
   *
   * @param factors one, or one for each index of the second axis
   */
  record Requantize(Kernels kernels, Slot x, Slot y, float[] factors, float low, float high)
      implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      if (factors.length == 1) {
        return PanelSteps.stretches(
            y,
            (at, count) ->
                kernels.requantize(
                    memory, x.offset() + at, y.offset() + at, count, factors[0], low, high));
      }
      int planes = Math.toIntExact(x.shape().extent(0) * factors.length);
      long pixels = x.shape().elements() / planes;
      return PlaneSteps.over(
          planes,
          y.length(),
          (plane, worker) -> {
            long at = plane * pixels * Float.BYTES;
            float factor = factors[plane % factors.length];
            kernels.requantize(memory, x.offset() + at, y.offset() + at, pixels, factor, low, high);
          });
    }
  }

  /** Adds codes of one shape. */
  record Add(Kernels kernels, Slot a, Slot b, Slot y, CodeSum sum) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return PanelSteps.stretches(
          y,
          (at, count) ->
              kernels.addCodes(
                  memory, a.offset() + at, b.offset() + at, y.offset() + at, count, sum));
    }
  }

  /**
   * Multiplies codes.
   *
   * @param b of a's shape, or one for each plane {@code [batch, channels]}
   */
  record Multiply(Kernels kernels, Slot a, Slot b, Slot y, CodeProduct product) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      if (a.length() == b.length()) {
        return PanelSteps.stretches(
            y,
            (at, count) ->
                kernels.multiplyCodes(
                    memory,
                    a.offset() + at,
                    b.offset() + at,
                    false,
                    y.offset() + at,
                    count,
                    product));
      }
      int planes = Math.toIntExact(b.length());
      long pixels = a.length() / planes;
      return PlaneSteps.over(
          planes,
          y.length(),
          (plane, worker) -> {
            long at = plane * pixels * Float.BYTES;
            long code = b.offset() + (long) plane * Float.BYTES;
            kernels.multiplyCodes(
                memory, a.offset() + at, code, true, y.offset() + at, pixels, product);
          });
    }
  }

  /** The mean of each plane, of codes. */
  record Mean(Slot x, Slot y, float factor, float low, float high) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int planes = Math.toIntExact(y.length());
      long pixels = x.length() / planes;
      return PlaneSteps.over(
          planes,
          x.length(),
          (plane, worker) -> {
            long from = x.offset() + plane * pixels * Float.BYTES;
            int sum = 0;
            for (long i = 0; i < pixels; i++) {
              sum += (int) memory.get(DType.FLOAT, from + i * Float.BYTES);
            }
            memory.set(
                DType.FLOAT,
                y.offset() + (long) plane * Float.BYTES,
                OneCode.requantized(sum, factor, low, high));
          });
    }
  }

  /**
   * Rounds floats to codes over their own range.
   *
   * @param scale receives the scale
   */
  record Dynamic(Kernels kernels, Slot x, Slot y, Slot scale) implements Step {
    /** Values of an item. */
    private static final long STRETCH = 1 << 14;

    @Override
    public BoundStep bind(Workspace workspace) {
      return new Bound(workspace.memory());
    }

    private final class Bound extends RangedStep {
      private final MemorySegment memory;

      Bound(MemorySegment memory) {
        super(memory, Math.toIntExact(Math.ceilDiv(x.length(), STRETCH)), scale.offset());
        this.memory = memory;
      }

      private long count(int item) {
        return Math.min(STRETCH, x.length() - item * STRETCH);
      }

      @Override
      void range(int item, float[] range) {
        long at = item * STRETCH * Float.BYTES;
        kernels.range(memory, x.offset() + at, count(item), range);
      }

      @Override
      void quantize(int item, float scale, int zeroPoint) {
        long at = item * STRETCH * Float.BYTES;
        kernels.quantize(memory, x.offset() + at, y.offset() + at, count(item), scale, zeroPoint);
      }
    }
  }
}
