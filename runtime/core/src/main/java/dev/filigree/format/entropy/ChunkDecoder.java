package dev.filigree.format.entropy;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Decodes the four streams of a chunk side by side: while one waits for the table, the others go
 * on. The memory it works in is its own; a decoder serves one thread.
 */
final class ChunkDecoder {
  /** Streams of a chunk. */
  static final int STREAMS = 4;

  /** Bytes that may be read behind the last stream. */
  static final int PADDING = Long.BYTES;

  /** Codes taken from eight bytes: 7 bits may be gone already, and four codes have 48. */
  private static final int PER_LOAD = 4;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private ChunkDecoder() {}

  /** First byte of a stream among the decoded bytes of a chunk. */
  static int from(int stream, int size) {
    return Math.min(size, stream * Math.ceilDiv(size, STREAMS));
  }

  /**
   * Decodes a chunk.
   *
   * @param in coded bytes, with {@link #PADDING} behind them
   * @param starts where each stream begins in them, and where the last ends
   * @param table of the code
   * @param out decoded bytes
   * @param size how many there are
   * @return what is wrong, or null
   */
  static String decode(byte[] in, int[] starts, short[] table, byte[] out, int size) {
    int o1 = from(1, size);
    int o2 = from(2, size);
    int o3 = from(3, size);
    int together = size - o3;
    long p0 = 8L * starts[0];
    long p1 = 8L * starts[1];
    long p2 = 8L * starts[2];
    long p3 = 8L * starts[3];
    // damaged streams can run past their ends, but not past the padding
    long last = 8L * starts[STREAMS];
    // written so that the compiler sees that no index leaves the table
    int mask = table.length - 1;
    int done = 0;
    for (; done + PER_LOAD <= together; done += PER_LOAD) {
      if (Math.max(Math.max(p0, p1), Math.max(p2, p3)) > last) {
        return "a stream has no end";
      }
      long w0 = (long) LONG.get(in, (int) (p0 >>> 3)) >>> (p0 & 7);
      long w1 = (long) LONG.get(in, (int) (p1 >>> 3)) >>> (p1 & 7);
      long w2 = (long) LONG.get(in, (int) (p2 >>> 3)) >>> (p2 & 7);
      long w3 = (long) LONG.get(in, (int) (p3 >>> 3)) >>> (p3 & 7);
      int symbols0 = 0;
      int symbols1 = 0;
      int symbols2 = 0;
      int symbols3 = 0;
      int bits0 = 0;
      int bits1 = 0;
      int bits2 = 0;
      int bits3 = 0;
      for (int shift = 0; shift < Byte.SIZE * PER_LOAD; shift += Byte.SIZE) {
        int e0 = table[(int) w0 & mask];
        int e1 = table[(int) w1 & mask];
        int e2 = table[(int) w2 & mask];
        int e3 = table[(int) w3 & mask];
        // a shift looks at the lowest six bits only, where the length is
        w0 >>>= e0;
        w1 >>>= e1;
        w2 >>>= e2;
        w3 >>>= e3;
        symbols0 |= e0 >> PrefixCode.LENGTH_BITS << shift;
        symbols1 |= e1 >> PrefixCode.LENGTH_BITS << shift;
        symbols2 |= e2 >> PrefixCode.LENGTH_BITS << shift;
        symbols3 |= e3 >> PrefixCode.LENGTH_BITS << shift;
        // four lengths are less than 64 together, so that the sum of the entries ends in theirs
        bits0 += e0;
        bits1 += e1;
        bits2 += e2;
        bits3 += e3;
      }
      INT.set(out, done, symbols0);
      INT.set(out, o1 + done, symbols1);
      INT.set(out, o2 + done, symbols2);
      INT.set(out, o3 + done, symbols3);
      p0 += bits0 & PrefixCode.LENGTH_MASK;
      p1 += bits1 & PrefixCode.LENGTH_MASK;
      p2 += bits2 & PrefixCode.LENGTH_MASK;
      p3 += bits3 & PrefixCode.LENGTH_MASK;
    }
    long[] positions = {p0, p1, p2, p3};
    for (int stream = 0; stream < STREAMS; stream++) {
      int first = from(stream, size) + done;
      String wrong =
          finish(in, positions[stream], starts, stream, table, out, first, from(stream + 1, size));
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  /** Decodes the rest of a stream and checks that it ends where it should. */
  private static String finish(
      byte[] in,
      long position,
      int[] starts,
      int stream,
      short[] table,
      byte[] out,
      int first,
      int end) {
    long p = position;
    for (int o = first; o < end; o++) {
      if (p > 8L * starts[STREAMS]) {
        return "stream " + stream + " has no end";
      }
      long word = (long) LONG.get(in, (int) (p >>> 3)) >>> (p & 7);
      int entry = table[(int) word & table.length - 1];
      out[o] = (byte) (entry >> PrefixCode.LENGTH_BITS);
      p += entry & PrefixCode.LENGTH_MASK;
    }
    return (p + 7) / 8 == starts[stream + 1]
        ? null
        : "stream " + stream + " ends at another byte than it says";
  }
}
