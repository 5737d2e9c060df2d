package dev.filigree.kernels.cpu;

import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/** The codes of the native kernels; {@code linear.h} draws them. */
sealed interface PanelCode extends ActivationCode {
  /** Bytes to which a token's features are filled up: the row of a tile register. */
  int ROW = 64;

  /** Bytes of a token's features. */
  long rowBytes(int features);

  /** Bytes of a token, with what stands beside its features. */
  long tokenBytes(int features);

  @Override
  default long bytes(Panels panels, int features) {
    int last = panels.count() - 1;
    return last < 0 ? 0 : (panels.start(last) + (long) panels.width(last)) * tokenBytes(features);
  }

  /** The code for a kind of kernels. */
  static PanelCode of(NativeCalls calls) {
    return calls.instructions().isInteger() ? new Bytes(calls) : new Halves(calls);
  }

  private static long filled(long bytes) {
    return (bytes + ROW - 1) / ROW * ROW;
  }

  /** Bytes over the range of each token, or of the whole matrix. */
  record Bytes(NativeCalls calls) implements PanelCode, ActivationCode.Integers {
    /** Scale and zero point of a token. */
    private static final int ENDS = Float.BYTES + Integer.BYTES;

    @Override
    public String name() {
      return "int8 per token";
    }

    @Override
    public long rowBytes(int features) {
      return filled(features);
    }

    @Override
    public long tokenBytes(int features) {
      return rowBytes(features) + ENDS;
    }

    @Override
    public void encode(
        MemorySegment memory, Panels panels, int panel, int features, long x, long codes) {
      long base = memory.address();
      calls.encode(
          base + x + panels.offset(panel, features),
          panels.width(panel),
          features,
          base + codes + panels.start(panel) * tokenBytes(features));
    }

    @Override
    public void range(MemorySegment memory, long x, long count, long range) {
      long base = memory.address();
      calls.range(base + x, count, base + range);
    }

    @Override
    public void encode(
        MemorySegment memory,
        Panels panels,
        int panel,
        int features,
        long x,
        long codes,
        float scale,
        int zeroPoint) {
      long base = memory.address();
      calls.encode(
          base + x + panels.offset(panel, features),
          panels.width(panel),
          features,
          base + codes + panels.start(panel) * tokenBytes(features),
          scale,
          zeroPoint);
    }
  }

  /** bf16, the upper halves of floats. */
  record Halves(NativeCalls calls) implements PanelCode {
    @Override
    public String name() {
      return "bf16";
    }

    @Override
    public long rowBytes(int features) {
      return filled((long) features * Short.BYTES);
    }

    @Override
    public long tokenBytes(int features) {
      return rowBytes(features);
    }

    @Override
    public void encode(
        MemorySegment memory, Panels panels, int panel, int features, long x, long codes) {
      long base = memory.address();
      calls.encode(
          base + x + panels.offset(panel, features),
          panels.width(panel),
          features,
          base + codes + panels.start(panel) * tokenBytes(features));
    }
  }
}
