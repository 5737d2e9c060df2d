package dev.filigree.format.entropy;

import dev.filigree.DType;
import dev.filigree.FormatException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/**
 * Bytes in canonical Huffman codes, lossless. Only the lengths of the codes are stored. The bytes
 * are cut into chunks that are decoded independently of each other, by several threads; a chunk
 * consists of four streams, whose decoding overlaps in one thread, and tells its checksum.
 *
 * <pre>
 *   u64 bytes | u32 chunk size | 128 bytes: 256 code lengths of 4 bits, even symbol in the low nibble
 *   u32 [chunks][5]  bytes of each of the four streams, CRC-32C of the chunk's decoded bytes
 *   streams, chunk by chunk; a chunk's byte i is in stream i / ceil(size / 4); codes begin at the
 *   least significant bit, the first bit of a code first
 *   8 bytes of zeros, so that a reader may take eight bytes anywhere
 * </pre>
 *
 * All numbers are little-endian. Bytes may be more than an array holds.
 */
public final class Huffman {
  /** Bytes of a chunk: some microseconds of work, so that threads share evenly. */
  private static final int CHUNK = 1 << 16;

  private static final int STREAMS = ChunkDecoder.STREAMS;
  private static final int SYMBOLS = PrefixCode.SYMBOLS;
  private static final int LENGTHS = SYMBOLS / 2;
  private static final int HEADER = Long.BYTES + Integer.BYTES + LENGTHS;

  /** Numbers that a chunk has in the table. */
  private static final int PER_CHUNK = STREAMS + 1;

  private Huffman() {}

  /**
   * Encodes bytes.
   *
   * @param threads whether several may work
   */
  public static MemorySegment encode(MemorySegment bytes, boolean threads) {
    long size = bytes.byteSize();
    int chunks = Math.toIntExact(Math.ceilDiv(size, CHUNK));
    long[] counts = counts(bytes);
    int[] lengths = size == 0 ? new int[SYMBOLS] : CodeLengths.of(counts, PrefixCode.LIMIT);
    int[] codes = PrefixCode.codes(lengths);
    int[] numbers = new int[chunks * PER_CHUNK];
    chunks(chunks, threads).forEach(c -> measure(bytes, c, lengths, numbers));
    long[] starts = new long[chunks + 1];
    starts[0] = HEADER + (long) numbers.length * Integer.BYTES;
    for (int c = 0; c < chunks; c++) {
      starts[c + 1] = starts[c];
      for (int s = 0; s < STREAMS; s++) {
        starts[c + 1] += numbers[c * PER_CHUNK + s];
      }
    }
    MemorySegment encoded =
        Arena.ofAuto().allocate(starts[chunks] + ChunkDecoder.PADDING, Long.BYTES);
    ByteBuffer header = encoded.asSlice(0, starts[0]).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(size).putInt(CHUNK);
    for (int i = 0; i < SYMBOLS; i += 2) {
      header.put((byte) (lengths[i] | lengths[i + 1] << 4));
    }
    header.asIntBuffer().put(numbers);
    chunks(chunks, threads)
        .forEach(
            c -> {
              byte[] coded = new byte[(int) (starts[c + 1] - starts[c])];
              write(chunk(bytes, c), lengths, codes, numbers, c, coded);
              MemorySegment.copy(coded, 0, encoded, DType.BYTE, starts[c], coded.length);
            });
    return encoded;
  }

  private static IntStream chunks(int chunks, boolean threads) {
    IntStream stream = IntStream.range(0, chunks);
    return threads ? stream.parallel() : stream;
  }

  private static byte[] chunk(MemorySegment bytes, int chunk) {
    long from = (long) chunk * CHUNK;
    return bytes.asSlice(from, Math.min(CHUNK, bytes.byteSize() - from)).toArray(DType.BYTE);
  }

  private static long[] counts(MemorySegment bytes) {
    long[] counts = new long[SYMBOLS];
    for (int c = 0; (long) c * CHUNK < bytes.byteSize(); c++) {
      for (byte symbol : chunk(bytes, c)) {
        counts[symbol & 0xff]++;
      }
    }
    return counts;
  }

  /** Notes the bytes of a chunk's streams and its checksum. */
  private static void measure(MemorySegment bytes, int chunk, int[] lengths, int[] numbers) {
    byte[] plain = chunk(bytes, chunk);
    for (int s = 0; s < STREAMS; s++) {
      long bits = 0;
      int end = ChunkDecoder.from(s + 1, plain.length);
      for (int i = ChunkDecoder.from(s, plain.length); i < end; i++) {
        bits += lengths[plain[i] & 0xff];
      }
      numbers[chunk * PER_CHUNK + s] = (int) ((bits + 7) / 8);
    }
    numbers[chunk * PER_CHUNK + STREAMS] = checksum(plain, plain.length);
  }

  private static int checksum(byte[] bytes, int size) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, 0, size);
    return (int) sum.getValue();
  }

  private static void write(
      byte[] plain, int[] lengths, int[] codes, int[] numbers, int chunk, byte[] into) {
    int start = 0;
    for (int s = 0; s < STREAMS; s++) {
      int at = start;
      long pending = 0;
      int bits = 0;
      int end = ChunkDecoder.from(s + 1, plain.length);
      for (int i = ChunkDecoder.from(s, plain.length); i < end; i++) {
        int symbol = plain[i] & 0xff;
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
      start += numbers[chunk * PER_CHUNK + s];
    }
  }

  /**
   * How many bytes decoding gives.
   *
   * @param source named in the message
   * @throws FormatException if these are no encoded bytes
   */
  public static long decodedBytes(String source, MemorySegment encoded) {
    if (encoded.byteSize() < HEADER + ChunkDecoder.PADDING) {
      throw damaged(source, encoded.byteSize() + " bytes are too few for a header");
    }
    long size = encoded.get(DType.LONG, 0);
    // a code has one bit at least, so nothing decodes to more than eight times its size
    if (size < 0 || size / 8 > encoded.byteSize() || size / CHUNK > Integer.MAX_VALUE / PER_CHUNK) {
      throw damaged(source, "it claims to hold " + size + " bytes");
    }
    return size;
  }

  /**
   * Decodes bytes.
   *
   * @param source named in the message
   * @param into as many as {@link #decodedBytes} says
   * @param threads whether several may work
   * @throws FormatException if these are no encoded bytes, or not those that were encoded
   */
  public static void decode(
      String source, MemorySegment encoded, MemorySegment into, boolean threads) {
    long size = decodedBytes(source, encoded);
    if (size != into.byteSize()) {
      throw damaged(source, "it holds " + size + " bytes instead of " + into.byteSize());
    }
    int chunkSize = encoded.get(DType.INT, Long.BYTES);
    if (chunkSize != CHUNK) {
      throw damaged(source, "its chunks have " + chunkSize + " bytes instead of " + CHUNK);
    }
    int[] lengths = new int[SYMBOLS];
    for (int i = 0; i < SYMBOLS; i += 2) {
      int pair = encoded.get(DType.BYTE, HEADER - LENGTHS + i / 2);
      lengths[i] = pair & 0xf;
      lengths[i + 1] = pair >>> 4 & 0xf;
    }
    short[] table = PrefixCode.table(lengths, size == 0);
    if (table == null) {
      throw damaged(source, "its code lengths are none of a prefix code");
    }
    int chunks = Math.toIntExact(Math.ceilDiv(size, CHUNK));
    long tableEnd = HEADER + (long) chunks * PER_CHUNK * Integer.BYTES;
    if (tableEnd > encoded.byteSize() - ChunkDecoder.PADDING) {
      throw damaged(source, "its " + chunks + " chunks do not fit");
    }
    int[] numbers = encoded.asSlice(HEADER, tableEnd - HEADER).toArray(DType.INT);
    long[] starts = starts(source, numbers, chunks, tableEnd, encoded.byteSize());
    chunks(chunks, threads)
        .forEach(
            c -> {
              MemorySegment coded =
                  encoded.asSlice(starts[c], starts[c + 1] - starts[c] + ChunkDecoder.PADDING);
              long from = (long) c * CHUNK;
              decode(
                  source,
                  c,
                  coded,
                  numbers,
                  table,
                  into.asSlice(from, Math.min(CHUNK, size - from)));
            });
  }

  private static long[] starts(
      String source, int[] numbers, int chunks, long tableEnd, long bytes) {
    long[] starts = new long[chunks + 1];
    long at = tableEnd;
    for (int c = 0; c < chunks; c++) {
      starts[c] = at;
      for (int s = 0; s < STREAMS; s++) {
        int length = numbers[c * PER_CHUNK + s];
        // no code is longer than twelve bits
        if (length < 0 || length > 2 * CHUNK) {
          throw damaged(source, "a stream of chunk " + c + " claims " + length + " bytes");
        }
        at += length;
      }
      if (at > bytes - ChunkDecoder.PADDING) {
        throw damaged(source, "chunk " + c + " ends beyond it");
      }
    }
    if (at != bytes - ChunkDecoder.PADDING) {
      throw damaged(source, (bytes - ChunkDecoder.PADDING - at) + " bytes follow its last stream");
    }
    starts[chunks] = at;
    return starts;
  }

  private static void decode(
      String source,
      int chunk,
      MemorySegment coded,
      int[] numbers,
      short[] table,
      MemorySegment into) {
    int[] starts = new int[STREAMS + 1];
    for (int s = 0; s < STREAMS; s++) {
      starts[s + 1] = starts[s] + numbers[chunk * PER_CHUNK + s];
    }
    byte[] out = new byte[(int) into.byteSize()];
    String wrong = ChunkDecoder.decode(coded.toArray(DType.BYTE), starts, table, out, out.length);
    if (wrong == null && checksum(out, out.length) != numbers[chunk * PER_CHUNK + STREAMS]) {
      wrong = "its checksum is another";
    }
    if (wrong != null) {
      throw damaged(source, "chunk " + chunk + ": " + wrong);
    }
    MemorySegment.copy(out, 0, into, DType.BYTE, 0, out.length);
  }

  private static FormatException damaged(String source, String problem) {
    return new FormatException(
        source + ": the Huffman-coded bytes are damaged: " + problem,
        "write the file again or copy it anew");
  }
}
