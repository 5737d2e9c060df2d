package dev.filigree.kernels.cpu;

import dev.filigree.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * What is taken from weights so that products of bytes fit 16 bits. AVX2 multiplies codes, 0 to
 * 255, with signed weights and adds neighbouring products with saturation; {@code int8_avx2.c}
 * draws which four weights of two groups meet in a lane. Where the positive ones of the four sum to
 * more than {@value #MOST}, or the negative ones to less than its opposite, what is too much moves
 * into entries of four bytes that the kernel adds afterwards: every sum stays exact.
 *
 * @param starts of each row's entries, one more than rows, i32
 * @param groups group of each entry, i32
 * @param bytes the four weights of each entry
 */
record Remainders(MemorySegment starts, MemorySegment groups, MemorySegment bytes) {
  /** What the kernels take that never saturate. */
  static final Remainders NONE =
      new Remainders(MemorySegment.NULL, MemorySegment.NULL, MemorySegment.NULL);

  /** 255 times it is the greatest product below 2^15. */
  private static final int MOST = 128;

  /** Weights of a group. */
  private static final int GROUP = 4;

  /**
   * Takes from weights what is too much for a lane.
   *
   * @param weights rows of signed bytes, changed in place
   * @param rowBytes of a row, a multiple of eight
   */
  static Remainders take(MemorySegment weights, int rows, long rowBytes) {
    int[] starts = new int[rows + 1];
    Entries entries = new Entries();
    byte[] row = new byte[Math.toIntExact(rowBytes)];
    byte[] rest = new byte[2 * GROUP];
    for (int o = 0; o < rows; o++) {
      MemorySegment stored = weights.asSlice(o * rowBytes, rowBytes);
      MemorySegment.copy(stored, DType.BYTE, 0, row, 0, row.length);
      int before = entries.count;
      for (int at = 0; at < row.length; at += rest.length) {
        if (takePair(row, at, rest) | takePair(row, at + 2, rest)) {
          entries.addAll(at / GROUP, rest, 0);
          entries.addAll(at / GROUP + 1, rest, GROUP);
        }
      }
      starts[o + 1] = entries.count;
      if (entries.count > before) {
        MemorySegment.copy(row, 0, stored, DType.BYTE, 0, row.length);
      }
    }
    return entries.stored(starts);
  }

  /** Bounds the four weights that meet in a lane; whether something had to be taken. */
  private static boolean takePair(byte[] row, int at, byte[] rest) {
    int positive = MOST;
    int negative = -MOST;
    boolean taken = false;
    for (int i = 0; i < 4; i++) {
      // w0, w1, w4, w5 of two groups, or w2, w3, w6, w7
      int k = at + i / 2 * GROUP + i % 2;
      int kept = Math.clamp(row[k], negative, positive);
      rest[k % rest.length] = (byte) (row[k] - kept);
      taken |= row[k] != kept;
      row[k] = (byte) kept;
      positive -= Math.max(kept, 0);
      negative -= Math.min(kept, 0);
    }
    return taken;
  }

  /** Bytes they take. */
  long byteSize() {
    return starts.byteSize() + groups.byteSize() + bytes.byteSize();
  }

  /** Entries as they are found. */
  private static final class Entries {
    private int[] groups = new int[64];
    private int[] bytes = new int[64];
    private int count;

    /** Adds the entries of a group, of which no pair can saturate: as many as it takes. */
    void addAll(int group, byte[] rest, int at) {
      while (add(group, rest, at)) {
        // what is left of the group follows
      }
    }

    private boolean add(int group, byte[] rest, int at) {
      int entry = 0;
      for (int pair = 0; pair < GROUP; pair += 2) {
        int first = rest[at + pair];
        int second = bounded(rest[at + pair + 1], first);
        rest[at + pair] = 0;
        rest[at + pair + 1] -= (byte) second;
        entry |= (first & 0xff) << 8 * pair | (second & 0xff) << 8 * (pair + 1);
      }
      if (entry == 0) {
        return false;
      }
      if (count == groups.length) {
        groups = Arrays.copyOf(groups, Math.multiplyExact(2, count));
        bytes = Arrays.copyOf(bytes, groups.length);
      }
      groups[count] = group;
      bytes[count++] = entry;
      return true;
    }

    /** The part of a weight that fits beside another. */
    private static int bounded(int weight, int other) {
      return Math.clamp(weight, -MOST - Math.min(other, 0), MOST - Math.max(other, 0));
    }

    Remainders stored(int[] starts) {
      Arena arena = Arena.ofAuto();
      return new Remainders(
          arena.allocateFrom(DType.INT, starts),
          arena.allocateFrom(DType.INT, Arrays.copyOf(groups, count)),
          arena.allocateFrom(DType.INT, Arrays.copyOf(bytes, count)));
    }
  }
}
