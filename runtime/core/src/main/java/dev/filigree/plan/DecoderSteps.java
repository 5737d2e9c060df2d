package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/** The smaller steps of a decoder's plan, each over panels. */
final class DecoderSteps {
  private DecoderSteps() {}

  /** Normalises every token by the root of its mean square. */
  record RootMeanSquare(Slot x, Slot y, float[] scale, float epsilon) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return x.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      Panels panels = x.panels();
      WorkerPool.Body body =
          (p, worker) -> {
            long panel = panels.offset(p, x.features());
            if (panels.used(p) < panels.width(p)) {
              // attention multiplies padding by 0, which must be a number
              long bytes = (long) panels.width(p) * x.features() * Float.BYTES;
              memory.asSlice(y.offset() + panel, bytes).fill((byte) 0);
            }
            for (int t = 0; t < panels.used(p); t++) {
              token(memory, panel, panels.width(p), t);
            }
          };
      return PanelWork.each(panels.count(), body);
    }

    private void token(MemorySegment memory, long panel, int width, int token) {
      int features = x.features();
      long step = (long) width * Float.BYTES;
      long from = x.offset() + panel + (long) token * Float.BYTES;
      double square = 0;
      for (int f = 0; f < features; f++) {
        float value = memory.get(DType.FLOAT, from + f * step);
        square += (double) value * value;
      }
      double inverse = 1 / Math.sqrt(square / features + epsilon);
      long to = y.offset() + panel + (long) token * Float.BYTES;
      for (int f = 0; f < features; f++) {
        float value = memory.get(DType.FLOAT, from + f * step);
        memory.set(DType.FLOAT, to + f * step, (float) (value * inverse) * scale[f]);
      }
    }
  }

  /** Applies a function to a gate and multiplies another value by it; all lie alike. */
  record Gated(Kernels kernels, Activation activation, Slot gate, Slot x, Slot y) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return y.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return PanelSteps.stretches(
          y,
          (at, count) -> {
            long to = y.offset() + at;
            MemorySegment.copy(memory, gate.offset() + at, memory, to, count * Float.BYTES);
            kernels.activate(activation, memory, to, count);
            for (long i = 0; i < count * Float.BYTES; i += Float.BYTES) {
              float factor = memory.get(DType.FLOAT, x.offset() + at + i);
              memory.set(DType.FLOAT, to + i, memory.get(DType.FLOAT, to + i) * factor);
            }
          });
    }
  }

  /** Takes the last token of the piece, of which the run knows the length. */
  record LastToken(Slot x, Slot y) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      DecoderState state = workspace.decoder();
      Panels panels = x.panels();
      int features = x.features();
      return pool -> {
        int token = state.count() - 1;
        int panel = panels.of(token);
        long step = (long) panels.width(panel) * Float.BYTES;
        long from =
            x.offset()
                + panels.offset(panel, features)
                + (long) (token - panels.start(panel)) * Float.BYTES;
        for (int f = 0; f < features; f++) {
          memory.set(
              DType.FLOAT,
              y.offset() + (long) f * Float.BYTES,
              memory.get(DType.FLOAT, from + f * step));
        }
      };
    }
  }
}
