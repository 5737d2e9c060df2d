package dev.filigree.spi;

import java.util.Arrays;

/**
 * How a matrix of activations {@code [tokens, features]} lies in memory so that vectors run along
 * tokens: in panels of up to 64 tokens, and inside a panel feature by feature. A kernel reads the
 * activations of one feature for many tokens with consecutive loads, the output of one layer is the
 * input of the next as it is, and a sparse kernel chooses the rows it needs by their index.
 *
 * <pre>
 *   panel 0: tokens 0..63            panel 1: tokens 64..95           panel 2: tokens 96..99 and 12 of padding
 *   f0: t0 t1 t2 ... t63             f0: t64 ... t95                  f0: t96 t97 t98 t99 . . .
 *   f1: t0 t1 t2 ... t63             f1: t64 ... t95                  f1: ...
 *   ...                              ...
 * </pre>
 *
 * Widths are powers of two from 64 down to the number of lanes of a vector, so that fewer than
 * {@code lanes} tokens are padding. A single token has one panel of width 1: a row. All values are
 * f32. Immutable.
 */
public final class Panels {
  /**
   * Tokens of a full panel: four 512-bit vectors, whose block of 128 features fits the first cache.
   */
  public static final int FULL = 64;

  private final int tokens;
  private final int[] starts;
  private final int[] widths;
  private final int padded;

  private Panels(int tokens, int[] starts, int[] widths, int padded) {
    this.tokens = tokens;
    this.starts = starts;
    this.widths = widths;
    this.padded = padded;
  }

  /**
   * Panels for a number of tokens.
   *
   * @param lanes f32 lanes of a vector, a power of two up to 64
   */
  public static Panels of(int tokens, int lanes) {
    int smallest = tokens == 1 ? 1 : lanes;
    int[] starts = new int[tokens / FULL + Integer.SIZE];
    int[] widths = new int[starts.length];
    int count = 0;
    int at = 0;
    for (int width = FULL; at < tokens; ) {
      // a wide panel is faster than two narrow ones with as much padding
      int rest = Math.ceilDiv(tokens - at, smallest) * smallest;
      if (rest >= width || width == smallest) {
        starts[count] = at;
        widths[count++] = width;
        at += width;
      } else {
        width /= 2;
      }
    }
    return new Panels(tokens, Arrays.copyOf(starts, count), Arrays.copyOf(widths, count), at);
  }

  /**
   * Panels of one width, for tokens that are gathered from other panels. All are full.
   *
   * @param count of panels
   * @param width a power of two from the lanes of a vector to {@link #FULL}, more than 1
   */
  public static Panels uniform(int count, int width) {
    int[] starts = new int[count];
    int[] widths = new int[count];
    Arrays.setAll(starts, panel -> panel * width);
    Arrays.fill(widths, width);
    return new Panels(count * width, starts, widths, count * width);
  }

  /** Whether tokens lie in the same panels. */
  public boolean areAlike(Panels other) {
    return tokens == other.tokens
        && Arrays.equals(starts, other.starts)
        && Arrays.equals(widths, other.widths);
  }

  /** Tokens without padding. */
  public int tokens() {
    return tokens;
  }

  /** Number of panels. */
  public int count() {
    return starts.length;
  }

  /** First token of a panel. */
  public int start(int panel) {
    return starts[panel];
  }

  /** Tokens of a panel, padding included. */
  public int width(int panel) {
    return widths[panel];
  }

  /** Tokens of a panel that are no padding. */
  public int used(int panel) {
    return Math.min(widths[panel], tokens - starts[panel]);
  }

  /** The panel a token is in. */
  public int of(int token) {
    int panel = Math.min(token / FULL, starts.length - 1);
    while (panel + 1 < starts.length && starts[panel + 1] <= token) {
      panel++;
    }
    return panel;
  }

  /** Byte offset of a panel in a matrix. */
  public long offset(int panel, int features) {
    return (long) starts[panel] * features * Float.BYTES;
  }

  /** Bytes of a matrix, padding included. */
  public long bytes(int features) {
    return (long) padded * features * Float.BYTES;
  }
}
