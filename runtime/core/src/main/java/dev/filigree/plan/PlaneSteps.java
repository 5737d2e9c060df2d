package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/** Steps over the planes {@code [batch * channels][pixels]} of images, divided by planes. */
final class PlaneSteps {
  /** Elements below which waking another thread costs more than it saves. */
  private static final long SMALL = 1 << 15;

  private PlaneSteps() {}

  /** Work on planes, by one thread where there is little of it. */
  static BoundStep over(int planes, long elements, WorkerPool.Body body) {
    if (elements >= SMALL) {
      return pool -> pool.forEach(planes, body);
    }
    return pool -> {
      for (int plane = 0; plane < planes; plane++) {
        body.run(plane, 0);
      }
    };
  }

  /**
   * Multiplies each plane by a number and adds another.
   *
   * @param x planes {@code [batch, channels, spatial...]}
   * @param y of x's shape
   * @param factors one, or one for each channel; null where {@code of} gives numbers
   * @param shifts one, or one for each channel; null where {@code of} gives numbers
   * @param of one number, one for each channel or one for each plane {@code [batch, channels]}
   *     where they are no constants; or null
   * @param product whether the numbers of {@code of} are factors, else they are shifts
   */
  record Affine(
      Kernels kernels, Slot x, Slot y, float[] factors, float[] shifts, Slot of, boolean product)
      implements Step {
    @Override
    public int scratchFloats() {
      return 1;
    }

    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int channels = (int) x.shape().extent(1);
      int planes = Math.toIntExact(x.shape().extent(0) * channels);
      int pixels = planes == 0 ? 0 : Math.toIntExact(x.shape().elements() / planes);
      long given = of == null ? 0 : of.shape().elements();
      // kernels take whole vectors
      int whole = pixels / kernels.lanes() * kernels.lanes();
      WorkerPool.Body body =
          (plane, worker) -> {
            float[] factor = workspace.floats(worker);
            float shift;
            if (of == null) {
              factor[0] = factors[factors.length == 1 ? 0 : plane % channels];
              shift = shifts[shifts.length == 1 ? 0 : plane % channels];
            } else {
              float number = memory.get(DType.FLOAT, of.offset() + plane % given * Float.BYTES);
              factor[0] = product ? number : 1;
              shift = product ? 0 : number;
            }
            long at = (long) plane * pixels * Float.BYTES;
            if (whole > 0) {
              kernels.weightedSum(
                  memory, x.offset() + at, 1, whole, factor, 0, shift, y.offset() + at);
            }
            for (int i = whole; i < pixels; i++) {
              long pixel = at + (long) i * Float.BYTES;
              float value = memory.get(DType.FLOAT, x.offset() + pixel);
              memory.set(DType.FLOAT, y.offset() + pixel, Math.fma(value, factor[0], shift));
            }
          };
      return over(planes, y.shape().elements(), body);
    }
  }

  /** The mean of each plane. */
  record Mean(Slot x, Slot y) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int planes = Math.toIntExact(x.shape().extent(0) * x.shape().extent(1));
      int pixels = Math.toIntExact(x.shape().elements() / planes);
      WorkerPool.Body body =
          (plane, worker) -> {
            long from = x.offset() + (long) plane * pixels * Float.BYTES;
            double a = 0;
            double b = 0;
            int i = 0;
            // two sums, or each addition would wait for the one before
            for (; i + 1 < pixels; i += 2) {
              a += memory.get(DType.FLOAT, from + (long) i * Float.BYTES);
              b += memory.get(DType.FLOAT, from + (i + 1L) * Float.BYTES);
            }
            if (i < pixels) {
              a += memory.get(DType.FLOAT, from + (long) i * Float.BYTES);
            }
            memory.set(
                DType.FLOAT, y.offset() + (long) plane * Float.BYTES, (float) ((a + b) / pixels));
          };
      return over(planes, x.shape().elements(), body);
    }
  }

  /** Repeats each pixel in a block: resizing to the nearest by whole numbers. */
  record Repeat(Slot x, Slot y, int down, int across) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int planes = Math.toIntExact(x.shape().extent(0) * x.shape().extent(1));
      int height = (int) x.shape().extent(2);
      int width = (int) x.shape().extent(3);
      long row = (long) width * across * Float.BYTES;
      WorkerPool.Body body =
          (plane, worker) -> {
            long from = x.offset() + (long) plane * height * width * Float.BYTES;
            long to = y.offset() + (long) plane * height * down * row;
            for (int r = 0; r < height; r++, to += down * row) {
              for (int c = 0; c < width; c++, from += Float.BYTES) {
                float value = memory.get(DType.FLOAT, from);
                for (int i = 0; i < across; i++) {
                  memory.set(DType.FLOAT, to + ((long) c * across + i) * Float.BYTES, value);
                }
              }
              for (int i = 1; i < down; i++) {
                MemorySegment.copy(memory, to, memory, to + i * row, row);
              }
            }
          };
      return over(planes, y.shape().elements(), body);
    }
  }

  /** Puts the pixels of {@code block * block} planes beside each other. */
  record Interleave(Slot x, Slot y, int block) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int planes = Math.toIntExact(y.shape().extent(0) * y.shape().extent(1));
      int height = (int) x.shape().extent(2);
      int width = (int) x.shape().extent(3);
      long step = (long) block * Float.BYTES;
      WorkerPool.Body body =
          (plane, worker) -> {
            long size = (long) height * width * Float.BYTES;
            for (int place = 0; place < block * block; place++) {
              long from = x.offset() + ((long) plane * block * block + place) * size;
              for (int r = 0; r < height; r++) {
                long row = ((long) plane * height + r) * block + place / block;
                long to = y.offset() + (row * width * block + place % block) * Float.BYTES;
                for (int c = 0; c < width; c++) {
                  memory.set(DType.FLOAT, to, memory.get(DType.FLOAT, from));
                  from += Float.BYTES;
                  to += step;
                }
              }
            }
          };
      return over(planes, y.shape().elements(), body);
    }
  }
}
