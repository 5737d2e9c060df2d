package dev.filigree.format.entropy;

import dev.filigree.FormatException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;

/**
 * Bytes in canonical Huffman codes, lossless. Only the lengths of the codes are stored. The bytes
 * are cut into chunks that are decoded independently of each other, by several threads; a chunk
 * consists of four streams, whose decoding overlaps in one thread.
 *
 * <pre>
 *   u64 bytes | u32 chunk size | 128 bytes: 256 code lengths of 4 bits, even symbol in the low nibble
 *   u32 [chunks][4]  bytes of each stream
 *   streams, chunk by chunk; a chunk's byte i is in stream i / ceil(size / 4); codes begin at the
 *   least significant bit, the first bit of a code first
 *   8 bytes of zeros, so that a reader may take eight bytes anywhere
 * </pre>
 *
 * All numbers are little-endian.
 */
public final class Huffman {
  /** Longest code: a table of all prefixes of that length stays in the first cache. */
  static final int LIMIT = 12;

  /** Bytes of a chunk: some microseconds of work, so that threads share evenly. */
  private static final int CHUNK = 1 << 16;

  private static final int STREAMS = 4;
  private static final int SYMBOLS = 256;
  private static final int LENGTHS = SYMBOLS / 2;
  private static final int HEADER = Long.BYTES + Integer.BYTES + LENGTHS;
  private static final int PADDING = Long.BYTES;

  /** Codes taken from eight bytes: 7 bits may be gone already, and four codes have 48. */
  private static final int PER_LOAD = 4;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private Huffman() {}

  /** Encodes bytes. */
  public static byte[] encode(byte[] bytes) {
    long[] counts = new long[SYMBOLS];
    for (byte symbol : bytes) {
      counts[symbol & 0xff]++;
    }
    int[] lengths = bytes.length == 0 ? new int[SYMBOLS] : CodeLengths.of(counts, LIMIT);
    int[] codes = codes(lengths);
    int chunks = Math.ceilDiv(bytes.length, CHUNK);
    int[] sizes = new int[chunks * STREAMS];
    long total = 0;
    for (int s = 0; s < sizes.length; s++) {
      long bits = 0;
      for (int i = from(s, bytes.length); i < to(s, bytes.length); i++) {
        bits += lengths[bytes[i] & 0xff];
      }
      sizes[s] = (int) ((bits + 7) / 8);
      total += sizes[s];
    }
    byte[] encoded =
        new byte[Math.toIntExact(HEADER + (long) sizes.length * Integer.BYTES + total + PADDING)];
    ByteBuffer out = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(bytes.length).putInt(CHUNK);
    for (int i = 0; i < SYMBOLS; i += 2) {
      out.put((byte) (lengths[i] | lengths[i + 1] << 4));
    }
    for (int size : sizes) {
      out.putInt(size);
    }
    int at = out.position();
    for (int s = 0; s < sizes.length; s++) {
      write(bytes, from(s, bytes.length), to(s, bytes.length), lengths, codes, encoded, at);
      at += sizes[s];
    }
    return encoded;
  }

  private static void write(
      byte[] bytes, int from, int to, int[] lengths, int[] codes, byte[] into, int at) {
    long pending = 0;
    int bits = 0;
    for (int i = from; i < to; i++) {
      int symbol = bytes[i] & 0xff;
      pending |= (long) codes[symbol] << bits;
      bits += lengths[symbol];
      for (; bits >= 8; bits -= 8) {
        into[at++] = (byte) pending;
        pending >>>= 8;
      }
    }
    if (bits > 0) {
      into[at] = (byte) pending;
    }
  }

  /** First byte of a stream. */
  private static int from(int stream, int length) {
    int chunk = stream / STREAMS * CHUNK;
    int size = Math.min(CHUNK, length - chunk);
    return chunk + Math.min(size, stream % STREAMS * Math.ceilDiv(size, STREAMS));
  }

  /** Byte after the last of a stream. */
  private static int to(int stream, int length) {
    int chunk = stream / STREAMS * CHUNK;
    int size = Math.min(CHUNK, length - chunk);
    return chunk + Math.min(size, (stream % STREAMS + 1) * Math.ceilDiv(size, STREAMS));
  }

  /** Canonical codes, their bits reversed since streams begin at the least significant bit. */
  private static int[] codes(int[] lengths) {
    int[] codes = new int[SYMBOLS];
    int next = 0;
    for (int length = 1; length <= LIMIT; length++) {
      for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        if (lengths[symbol] == length) {
          codes[symbol] = Integer.reverse(next++) >>> Integer.SIZE - length;
        }
      }
      next <<= 1;
    }
    return codes;
  }

  /**
   * Decodes bytes.
   *
   * @param source named in the message
   * @param threads whether several may work
   * @throws FormatException if these are no encoded bytes
   */
  public static byte[] decode(String source, byte[] encoded, boolean threads) {
    if (encoded.length < HEADER + PADDING) {
      throw damaged(source, encoded.length + " bytes are too few for a header");
    }
    ByteBuffer in = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN);
    long length = in.getLong();
    int chunk = in.getInt();
    // a code has one bit at least, so nothing decodes to more than eight times its size
    if (length < 0 || length > 8L * encoded.length || length > Integer.MAX_VALUE - 8) {
      throw damaged(source, "it claims to hold " + length + " bytes");
    }
    if (chunk != CHUNK) {
      throw damaged(source, "its chunks have " + chunk + " bytes instead of " + CHUNK);
    }
    int[] lengths = new int[SYMBOLS];
    for (int i = 0; i < SYMBOLS; i += 2) {
      int pair = in.get();
      lengths[i] = pair & 0xf;
      lengths[i + 1] = pair >>> 4 & 0xf;
    }
    short[] table = table(source, lengths, length == 0);
    int[] starts = starts(source, in, (int) length, encoded.length);
    byte[] bytes = new byte[(int) length];
    IntStream chunks = IntStream.range(0, starts.length / STREAMS);
    (threads ? chunks.parallel() : chunks)
        .forEach(c -> decode(source, encoded, starts, c * STREAMS, table, bytes));
    return bytes;
  }

  private static int[] starts(String source, ByteBuffer in, int length, int end) {
    int streams = Math.ceilDiv(length, CHUNK) * STREAMS;
    if (in.remaining() < (long) streams * Integer.BYTES + PADDING) {
      throw damaged(source, "its " + streams + " streams do not fit");
    }
    int[] starts = new int[streams + 1];
    long at = in.position() + (long) streams * Integer.BYTES;
    for (int s = 0; s < streams; s++) {
      starts[s] = (int) at;
      at += in.getInt() & 0xffff_ffffL;
      if (at > end - PADDING) {
        throw damaged(source, "stream " + s + " ends beyond it");
      }
    }
    if (at != end - PADDING) {
      throw damaged(source, (end - PADDING - at) + " bytes follow its last stream");
    }
    starts[streams] = (int) at;
    return starts;
  }

  /** For every prefix the symbol it begins with in the upper bits, and the code's length below. */
  private static short[] table(String source, int[] lengths, boolean empty) {
    int[] codes = codes(lengths);
    long filled = 0;
    int used = 0;
    for (int length : lengths) {
      if (length > LIMIT) {
        throw damaged(source, "a code has " + length + " bits");
      }
      filled += length == 0 ? 0 : 1 << LIMIT - length;
      used += length == 0 ? 0 : 1;
    }
    boolean lone = used == 1 && filled == 1 << LIMIT - 1;
    if (empty ? used != 0 : filled != 1 << LIMIT && !lone) {
      throw damaged(source, "its code lengths are none of a prefix code");
    }
    short[] table = new short[1 << LIMIT];
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
      int length = lengths[symbol];
      // the other half of a lone symbol's table is no code, but decodes to it and goes unnoticed
      for (int high = 0; length > 0 && high < 1 << LIMIT - length; high++) {
        table[high << length | codes[symbol]] = (short) (symbol << 4 | length);
      }
    }
    if (lone) {
      for (int i = 0; i < table.length; i++) {
        table[i] = table[i & ~1];
      }
    }
    return table;
  }

  private static void decode(
      String source, byte[] in, int[] starts, int first, short[] table, byte[] out) {
    int o0 = from(first, out.length);
    int o1 = from(first + 1, out.length);
    int o2 = from(first + 2, out.length);
    int o3 = from(first + 3, out.length);
    long p0 = 8L * starts[first];
    long p1 = 8L * starts[first + 1];
    long p2 = 8L * starts[first + 2];
    long p3 = 8L * starts[first + 3];
    int together = to(first + 3, out.length) - o3;
    int done = 0;
    // damaged streams can run past their ends, but not past the padding
    long last = 8L * (in.length - PADDING);
    for (; done + PER_LOAD <= together; done += PER_LOAD) {
      if ((p0 | p1 | p2 | p3) < 0 || Math.max(Math.max(p0, p1), Math.max(p2, p3)) > last) {
        throw damaged(source, "a stream has no end");
      }
      long w0 = (long) LONG.get(in, (int) (p0 >>> 3)) >>> (p0 & 7);
      long w1 = (long) LONG.get(in, (int) (p1 >>> 3)) >>> (p1 & 7);
      long w2 = (long) LONG.get(in, (int) (p2 >>> 3)) >>> (p2 & 7);
      long w3 = (long) LONG.get(in, (int) (p3 >>> 3)) >>> (p3 & 7);
      for (int i = 0; i < PER_LOAD; i++) {
        int e0 = table[(int) w0 & (1 << LIMIT) - 1];
        int e1 = table[(int) w1 & (1 << LIMIT) - 1];
        int e2 = table[(int) w2 & (1 << LIMIT) - 1];
        int e3 = table[(int) w3 & (1 << LIMIT) - 1];
        out[o0 + done + i] = (byte) (e0 >> 4);
        out[o1 + done + i] = (byte) (e1 >> 4);
        out[o2 + done + i] = (byte) (e2 >> 4);
        out[o3 + done + i] = (byte) (e3 >> 4);
        w0 >>>= e0 & 15;
        w1 >>>= e1 & 15;
        w2 >>>= e2 & 15;
        w3 >>>= e3 & 15;
        p0 += e0 & 15;
        p1 += e1 & 15;
        p2 += e2 & 15;
        p3 += e3 & 15;
      }
    }
    finish(source, in, starts, first, table, out, o0 + done, p0);
    finish(source, in, starts, first + 1, table, out, o1 + done, p1);
    finish(source, in, starts, first + 2, table, out, o2 + done, p2);
    finish(source, in, starts, first + 3, table, out, o3 + done, p3);
  }

  /** Decodes the rest of a stream and checks that it ends where it should. */
  private static void finish(
      String source,
      byte[] in,
      int[] starts,
      int stream,
      short[] table,
      byte[] out,
      int from,
      long position) {
    long p = position;
    for (int o = from; o < to(stream, out.length); o++) {
      if (p > 8L * (in.length - PADDING)) {
        throw damaged(source, "stream " + stream + " has no end");
      }
      long word = (long) LONG.get(in, (int) (p >>> 3)) >>> (p & 7);
      int entry = table[(int) word & (1 << LIMIT) - 1];
      out[o] = (byte) (entry >> 4);
      p += entry & 15;
    }
    if ((p + 7) / 8 != starts[stream + 1]) {
      throw damaged(source, "stream " + stream + " ends at another byte than it says");
    }
  }

  private static FormatException damaged(String source, String problem) {
    return new FormatException(
        source + ": the Huffman-coded bytes are damaged: " + problem, "write the file again");
  }
}
