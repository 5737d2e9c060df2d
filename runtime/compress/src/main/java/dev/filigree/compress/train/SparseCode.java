package dev.filigree.compress.train;

import dev.filigree.format.entropy.Huffman;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Which weights are stored, as distances, and which value each has, as codes: a symbol a byte, for
 * an entropy coder. A gap below the greatest counts the zeros before a stored weight; the greatest
 * says that as many zeros follow and no weight, so that fillers take no code.
 *
 * @param gaps one for each stored weight, and fillers
 * @param codes one for each stored weight
 */
record SparseCode(byte[] gaps, byte[] codes) {
  /**
   * The symbols of a layer.
   *
   * @param assignment the code of each weight, or {@link Parameter#ZERO}
   * @param gapBits of a gap
   */
  static SparseCode of(int[] assignment, int gapBits) {
    int most = (1 << gapBits) - 1;
    ByteArrayOutputStream gaps = new ByteArrayOutputStream();
    ByteArrayOutputStream codes = new ByteArrayOutputStream();
    int gap = 0;
    for (int code : assignment) {
      if (code == Parameter.ZERO) {
        gap++;
        if (gap == most) {
          gaps.write(most);
          gap = 0;
        }
      } else {
        gaps.write(gap);
        codes.write(code);
        gap = 0;
      }
    }
    return new SparseCode(gaps.toByteArray(), codes.toByteArray());
  }

  /** The assignment of a layer of so many weights: the way back. */
  int[] assignment(int weights, int gapBits) {
    int most = (1 << gapBits) - 1;
    int[] assignment = new int[weights];
    Arrays.fill(assignment, Parameter.ZERO);
    int at = 0;
    int next = 0;
    for (byte symbol : gaps) {
      int gap = symbol & 0xFF;
      at += gap;
      if (gap < most) {
        assignment[at++] = codes[next++] & 0xFF;
      }
    }
    return assignment;
  }

  /** Bytes after coding, tables and all. */
  long codedGaps() {
    return Huffman.encode(MemorySegment.ofArray(gaps), false).byteSize();
  }

  /** Bytes after coding, tables and all. */
  long codedCodes() {
    return Huffman.encode(MemorySegment.ofArray(codes), false).byteSize();
  }
}
