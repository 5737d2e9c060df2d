package dev.filigree.format.entropy;

import dev.filigree.DType;
import dev.filigree.FormatException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A tensor's bytes in the shortest of a few lossless forms, each made of Huffman-coded bytes.
 *
 * <pre>
 *   planes   u8 1 | u8 size of an element | 6 zeros | u64 [size] bytes of each plane * 2 + coded | planes
 *            plane p has byte p of every element; coded ones as Huffman has them, others as they are
 *   gaps     u8 2 | 7 zeros | Huffman-coded gaps: for each set bit, counted from the lowest bit of the
 *            first byte on, how many clear bits lie before it; 255 stands for 255 clear bits and no set one
 * </pre>
 *
 * Planes of one byte suit codes and the bitmasks of 2:4, whose bytes are two patterns each; wider
 * ones suit floats, whose exponents have little to say. Gaps are Deep Compression's (Han et al.,
 * arXiv 1510.00149), for masks of few set bits.
 */
public final class Coded {
  private static final byte PLANES = 1;
  private static final byte GAPS = 2;
  private static final int HEADER = Long.BYTES;

  /** A gap's greatest byte: clear bits without a set one behind them. */
  private static final int FILLER = 255;

  /** Below this size nothing is won. */
  private static final long LEAST = 256;

  /** Masks of a greater density are shorter byte by byte. */
  private static final double SPARSE = 0.3;

  /** What gaps must win, since they are decoded one by one. */
  private static final double WORTH = 0.97;

  private Coded() {}

  /**
   * Encodes bytes.
   *
   * @param element bytes of an element
   * @param threads whether several may work
   * @return null if no form is shorter than the bytes are
   */
  public static MemorySegment encode(MemorySegment bytes, int element, boolean threads) {
    if (bytes.byteSize() < LEAST) {
      return null;
    }
    MemorySegment best = planes(bytes, 1, threads);
    if (element > 1 && bytes.byteSize() % element == 0) {
      best = shorter(best, planes(bytes, element, threads));
    }
    if (element == 1 && setBits(bytes) < SPARSE * Byte.SIZE * bytes.byteSize()) {
      MemorySegment gaps = gaps(bytes, threads);
      best = gaps.byteSize() < WORTH * best.byteSize() ? gaps : best;
    }
    return best.byteSize() < bytes.byteSize() ? best : null;
  }

  private static MemorySegment shorter(MemorySegment a, MemorySegment b) {
    return b.byteSize() < a.byteSize() ? b : a;
  }

  private static long setBits(MemorySegment bytes) {
    long set = 0;
    for (long i = 0; i < bytes.byteSize(); i++) {
      set += Integer.bitCount(bytes.get(DType.BYTE, i) & 0xff);
    }
    return set;
  }

  private static MemorySegment planes(MemorySegment bytes, int element, boolean threads) {
    MemorySegment[] planes = new MemorySegment[element];
    long[] sizes = new long[element];
    long total = HEADER + (long) element * Long.BYTES;
    for (int p = 0; p < element; p++) {
      MemorySegment plain = element == 1 ? bytes : plane(bytes, element, p);
      MemorySegment coded = Huffman.encode(plain, threads);
      boolean pays = coded.byteSize() < plain.byteSize();
      planes[p] = pays ? coded : plain;
      sizes[p] = planes[p].byteSize() << 1 | (pays ? 1 : 0);
      total += planes[p].byteSize();
    }
    MemorySegment encoded = Arena.ofAuto().allocate(total, Long.BYTES);
    encoded.set(DType.BYTE, 0, PLANES);
    encoded.set(DType.BYTE, 1, (byte) element);
    long at = HEADER;
    for (long size : sizes) {
      encoded.set(DType.LONG, at, size);
      at += Long.BYTES;
    }
    for (MemorySegment plane : planes) {
      MemorySegment.copy(plane, 0, encoded, at, plane.byteSize());
      at += plane.byteSize();
    }
    return encoded;
  }

  private static MemorySegment plane(MemorySegment bytes, int element, int which) {
    long size = bytes.byteSize() / element;
    MemorySegment plane = Arena.ofAuto().allocate(size);
    for (long i = 0; i < size; i++) {
      plane.set(DType.BYTE, i, bytes.get(DType.BYTE, i * element + which));
    }
    return plane;
  }

  private static MemorySegment gaps(MemorySegment mask, boolean threads) {
    long bits = mask.byteSize() * Byte.SIZE;
    MemorySegment gaps = Arena.ofAuto().allocate(setBits(mask) + bits / FILLER + 1);
    long at = 0;
    int gap = 0;
    for (long bit = 0; bit < bits; bit++) {
      boolean set = (mask.get(DType.BYTE, bit >> 3) >> (bit & 7) & 1) != 0;
      if (set || ++gap == FILLER) {
        gaps.set(DType.BYTE, at++, (byte) gap);
        gap = 0;
      }
    }
    MemorySegment coded = Huffman.encode(gaps.asSlice(0, at), threads);
    MemorySegment encoded = Arena.ofAuto().allocate(HEADER + coded.byteSize(), Long.BYTES);
    encoded.set(DType.BYTE, 0, GAPS);
    MemorySegment.copy(coded, 0, encoded, HEADER, coded.byteSize());
    return encoded;
  }

  /**
   * Decodes bytes.
   *
   * @param source named in the message
   * @param into as many bytes as were encoded, all zero
   * @param threads whether several may work
   * @throws FormatException if these are no encoded bytes, or not those that were encoded
   */
  public static void decode(
      String source, MemorySegment encoded, MemorySegment into, boolean threads) {
    if (encoded.byteSize() < HEADER) {
      throw damaged(source, encoded.byteSize() + " bytes are too few for a header");
    }
    switch (encoded.get(DType.BYTE, 0)) {
      case PLANES -> readPlanes(source, encoded, into, threads);
      case GAPS -> readGaps(source, encoded.asSlice(HEADER), into, threads);
      default -> throw damaged(source, "form " + encoded.get(DType.BYTE, 0) + " is not known");
    }
  }

  /**
   * Bytes that decoding gives at most: a code has a bit at least, and stands for a byte or for 255
   * clear bits. Memory is given to no tensor that claims more.
   */
  public static long most(MemorySegment encoded) {
    boolean gaps = encoded.byteSize() > 0 && encoded.get(DType.BYTE, 0) == GAPS;
    return encoded.byteSize() * (gaps ? FILLER : Byte.SIZE);
  }

  private static void readPlanes(
      String source, MemorySegment encoded, MemorySegment into, boolean threads) {
    int element = encoded.get(DType.BYTE, 1);
    long at = HEADER + (long) element * Long.BYTES;
    if (element < 1 || element > Long.BYTES || into.byteSize() % element != 0) {
      throw damaged(source, "elements of " + element + " bytes do not make " + into.byteSize());
    }
    if (at > encoded.byteSize()) {
      throw damaged(source, "its planes do not fit");
    }
    long size = into.byteSize() / element;
    for (int p = 0; p < element; p++) {
      long number = encoded.get(DType.LONG, HEADER + (long) p * Long.BYTES);
      long bytes = number >>> 1;
      if (bytes > encoded.byteSize() - at || (number & 1) == 0 && bytes != size) {
        throw damaged(source, "plane " + p + " claims " + bytes + " bytes");
      }
      MemorySegment stored = encoded.asSlice(at, bytes);
      at += bytes;
      if (element == 1 && (number & 1) != 0) {
        Huffman.decode(source, stored, into, threads);
        continue;
      }
      MemorySegment plane = stored;
      if ((number & 1) != 0) {
        plane = MemorySegment.ofArray(new byte[Math.toIntExact(size)]);
        Huffman.decode(source, stored, plane, threads);
      }
      spread(plane, into, element, p);
    }
    if (at != encoded.byteSize()) {
      throw damaged(source, (encoded.byteSize() - at) + " bytes follow its last plane");
    }
  }

  private static void spread(MemorySegment plane, MemorySegment into, int element, int which) {
    long size = plane.byteSize();
    for (long i = 0; i < size; i++) {
      into.set(DType.BYTE, i * element + which, plane.get(DType.BYTE, i));
    }
  }

  private static void readGaps(
      String source, MemorySegment coded, MemorySegment mask, boolean threads) {
    long size = Huffman.decodedBytes(source, coded);
    long bits = mask.byteSize() * Byte.SIZE;
    if (size > bits) {
      throw damaged(source, size + " gaps lie in " + bits + " bits");
    }
    byte[] gaps = new byte[Math.toIntExact(size)];
    Huffman.decode(source, coded, MemorySegment.ofArray(gaps), threads);
    long bit = 0;
    for (byte signed : gaps) {
      int gap = signed & 0xff;
      bit += gap;
      if (gap < FILLER) {
        if (bit >= bits) {
          throw damaged(source, "its gaps end beyond the mask");
        }
        byte old = mask.get(DType.BYTE, bit >> 3);
        mask.set(DType.BYTE, bit >> 3, (byte) (old | 1 << (bit & 7)));
        bit++;
      }
    }
    if (bit > bits) {
      throw damaged(source, "its gaps end beyond the mask");
    }
  }

  private static FormatException damaged(String source, String problem) {
    return new FormatException(
        source + ": the coded bytes are damaged: " + problem,
        "write the file again or copy it anew");
  }
}
