package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Moves between row-major rows and panels, in squares of as many tokens and features as a vector
 * has lanes. Each cache line is touched whole. A square is transposed by exchanging its parts, as
 * J. O. Eklundh described (A Fast Computer Method for Matrix Transposing, 1972): of two rows that
 * are d apart, the lanes that have bit d in the first with those that lack it in the second.
 *
 * <pre>
 *   d = 1:  a b   a e      d = 2: the same with squares of two, and so on
 *           e f   b f
 * </pre>
 *
 * The rows of the result keep what is between two exchanges.
 */
final class Transposition {
  private static final VectorShuffle<Float> BACK_1 = shuffle(-1);
  private static final VectorShuffle<Float> BACK_2 = shuffle(-2);
  private static final VectorShuffle<Float> BACK_4 = shuffle(-4);
  private static final VectorShuffle<Float> BACK_8 = shuffle(-8);
  private static final VectorShuffle<Float> AHEAD_1 = shuffle(1);
  private static final VectorShuffle<Float> AHEAD_2 = shuffle(2);
  private static final VectorShuffle<Float> AHEAD_4 = shuffle(4);
  private static final VectorShuffle<Float> AHEAD_8 = shuffle(8);
  private static final VectorMask<Float> WITH_1 = mask(1);
  private static final VectorMask<Float> WITH_2 = mask(2);
  private static final VectorMask<Float> WITH_4 = mask(4);
  private static final VectorMask<Float> WITH_8 = mask(8);

  /** Whether {@link #square} is made for this number of lanes. */
  private static final boolean HAS_SQUARES = COUNT == 4 || COUNT == 8 || COUNT == 16;

  private Transposition() {}

  /** Each lane from one some lanes ahead, around the end. */
  private static VectorShuffle<Float> shuffle(int ahead) {
    return VectorShuffle.fromOp(F, lane -> Math.floorMod(lane + ahead, COUNT));
  }

  /** The lanes whose number has a bit. */
  private static VectorMask<Float> mask(int bit) {
    boolean[] lanes = new boolean[COUNT];
    for (int lane = 0; lane < COUNT; lane++) {
      lanes[lane] = (lane & bit) != 0;
    }
    return VectorMask.fromArray(F, lanes, 0);
  }

  static void toPanel(long rows, long panel, int width, int used, int features) {
    long row = (long) features * Float.BYTES;
    long line = (long) width * Float.BYTES;
    for (int t = 0; t < width; t += COUNT) {
      int lastToken = Math.min(width, t + COUNT);
      boolean whole = HAS_SQUARES && t + COUNT <= used;
      for (int f = 0; f < features; f += COUNT) {
        long from = rows + t * row + (long) f * Float.BYTES;
        long to = panel + f * line + (long) t * Float.BYTES;
        if (whole && f + COUNT <= features) {
          square(from, row, to, line);
        } else {
          int lastFeature = Math.min(features, f + COUNT);
          for (int j = f; j < lastFeature; j++) {
            for (int i = t; i < lastToken; i++) {
              long at = rows + i * row + (long) j * Float.BYTES;
              float value = i < used ? ALL.get(DType.FLOAT, at) : 0;
              ALL.set(DType.FLOAT, panel + j * line + (long) i * Float.BYTES, value);
            }
          }
        }
      }
    }
  }

  static void fromPanel(
      long panel, int width, int used, int features, MemorySegment target, long rows) {
    long row = (long) features * Float.BYTES;
    long line = (long) width * Float.BYTES;
    boolean reached = HAS_SQUARES && target.isNative();
    for (int t = 0; t < used; t += COUNT) {
      int lastToken = Math.min(used, t + COUNT);
      for (int f = 0; f < features; f += COUNT) {
        if (reached && t + COUNT <= used && f + COUNT <= features) {
          long to = target.address() + rows + t * row + (long) f * Float.BYTES;
          square(panel + f * line + (long) t * Float.BYTES, line, to, row);
        } else {
          int lastFeature = Math.min(features, f + COUNT);
          for (int i = t; i < lastToken; i++) {
            for (int j = f; j < lastFeature; j++) {
              float value = ALL.get(DType.FLOAT, panel + j * line + (long) i * Float.BYTES);
              target.set(DType.FLOAT, rows + i * row + (long) j * Float.BYTES, value);
            }
          }
        }
      }
    }
  }

  /**
   * Transposes a square.
   *
   * @param x address of its first row
   * @param ldx bytes from one row to the next
   */
  private static void square(long x, long ldx, long y, long ldy) {
    near(x, ldx, y, ldy);
    if (COUNT == 8) {
      middle(y, ldy);
    } else if (COUNT == 16) {
      far(y, ldy);
    }
  }

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  /** Exchanges of rows one and two apart. */
  private static void near(long x, long ldx, long y, long ldy) {
    for (int i = 0; i < COUNT; i += 4, x += 4 * ldx, y += 4 * ldy) {
      FloatVector a = load(x);
      FloatVector b = load(x + ldx);
      FloatVector c = load(x + 2 * ldx);
      FloatVector d = load(x + 3 * ldx);
      FloatVector ab = a.blend(b.rearrange(BACK_1), WITH_1);
      FloatVector ba = a.rearrange(AHEAD_1).blend(b, WITH_1);
      FloatVector cd = c.blend(d.rearrange(BACK_1), WITH_1);
      FloatVector dc = c.rearrange(AHEAD_1).blend(d, WITH_1);
      ab.blend(cd.rearrange(BACK_2), WITH_2).intoMemorySegment(ALL, y, ORDER);
      ba.blend(dc.rearrange(BACK_2), WITH_2).intoMemorySegment(ALL, y + ldy, ORDER);
      ab.rearrange(AHEAD_2).blend(cd, WITH_2).intoMemorySegment(ALL, y + 2 * ldy, ORDER);
      ba.rearrange(AHEAD_2).blend(dc, WITH_2).intoMemorySegment(ALL, y + 3 * ldy, ORDER);
    }
  }

  /** Exchanges of rows four apart, in place. */
  private static void middle(long y, long ldy) {
    for (int i = 0; i < 4; i++, y += ldy) {
      FloatVector a = load(y);
      FloatVector b = load(y + 4 * ldy);
      a.blend(b.rearrange(BACK_4), WITH_4).intoMemorySegment(ALL, y, ORDER);
      a.rearrange(AHEAD_4).blend(b, WITH_4).intoMemorySegment(ALL, y + 4 * ldy, ORDER);
    }
  }

  /** Exchanges of rows four and eight apart, in place. */
  private static void far(long y, long ldy) {
    for (int i = 0; i < 4; i++, y += ldy) {
      FloatVector a = load(y);
      FloatVector b = load(y + 4 * ldy);
      FloatVector c = load(y + 8 * ldy);
      FloatVector d = load(y + 12 * ldy);
      FloatVector ab = a.blend(b.rearrange(BACK_4), WITH_4);
      FloatVector ba = a.rearrange(AHEAD_4).blend(b, WITH_4);
      FloatVector cd = c.blend(d.rearrange(BACK_4), WITH_4);
      FloatVector dc = c.rearrange(AHEAD_4).blend(d, WITH_4);
      ab.blend(cd.rearrange(BACK_8), WITH_8).intoMemorySegment(ALL, y, ORDER);
      ba.blend(dc.rearrange(BACK_8), WITH_8).intoMemorySegment(ALL, y + 4 * ldy, ORDER);
      ab.rearrange(AHEAD_8).blend(cd, WITH_8).intoMemorySegment(ALL, y + 8 * ldy, ORDER);
      ba.rearrange(AHEAD_8).blend(dc, WITH_8).intoMemorySegment(ALL, y + 12 * ldy, ORDER);
    }
  }
}
