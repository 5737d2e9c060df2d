package dev.filigree.format.entropy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.PriorityQueue;
import org.junit.jupiter.api.Test;

class HuffmanTest {
  /** Bytes of a few symbols, some far more often than others. */
  private static byte[] skewed(Samples samples, int count) {
    int symbols = samples.between(1, 256);
    int bend = samples.between(1, 4);
    byte[] bytes = samples.bytes(count);
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) (Math.pow((bytes[i] & 0xff) / 256.0, bend) * symbols);
    }
    return bytes;
  }

  @Seeded(100)
  void whatWasEncodedReturns(Samples samples) {
    byte[] bytes = skewed(samples, samples.between(0, samples.chance(0.2) ? 200_000 : 300));
    byte[] encoded = encode(bytes);
    assertArrayEquals(bytes, decode(encoded, false));
    assertArrayEquals(bytes, decode(encoded, true));
    assertArrayEquals(
        encoded, Huffman.encode(MemorySegment.ofArray(bytes), true).toArray(DType.BYTE));
  }

  private static byte[] encode(byte[] bytes) {
    return Huffman.encode(MemorySegment.ofArray(bytes), false).toArray(DType.BYTE);
  }

  private static byte[] decode(byte[] encoded, boolean threads) {
    MemorySegment coded = MemorySegment.ofArray(encoded);
    byte[] bytes = new byte[(int) Huffman.decodedBytes("test", coded)];
    Huffman.decode("test", coded, MemorySegment.ofArray(bytes), threads);
    return bytes;
  }

  @Test
  void theBytesAreThese() {
    // a three times, b once: lengths 1 and 1, codes 0 and 1, one byte a stream
    byte[] encoded = encode(new byte[] {0, 0, 1, 0});
    String lengths = "11" + "00".repeat(127);
    assertEquals(
        "0400000000000000"
            + "00000100"
            + lengths
            + "01000000".repeat(4)
            + "b0d3c55b"
            + "00000100"
            + "00".repeat(8),
        HexFormat.of().formatHex(encoded));
  }

  @Test
  void sizesComeCloseToTheEntropy() {
    byte[] bytes = new byte[1 << 18];
    float[] normal = new Samples(1).normal(bytes.length);
    long[] counts = new long[256];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) Math.round(4 * normal[i]);
      counts[bytes[i] & 0xff]++;
    }
    double entropy = 0;
    for (long count : counts) {
      double share = (double) count / bytes.length;
      entropy -= count == 0 ? 0 : share * Math.log(share) / Math.log(2);
    }
    double bits = 8.0 * encode(bytes).length / bytes.length;
    assertTrue(bits > entropy && bits < entropy * 1.02, bits + " bits, entropy " + entropy);
  }

  @Seeded(100)
  void lengthsAreThoseOfTheBestCodeWhereTheLimitAllowsIt(Samples samples) {
    long[] counts = new long[samples.between(2, 60)];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = samples.between(1, 1000);
    }
    int[] lengths = CodeLengths.of(counts, 40);
    long cost = 0;
    double kraft = 0;
    for (int i = 0; i < counts.length; i++) {
      cost += counts[i] * lengths[i];
      kraft += Math.scalb(1.0, -lengths[i]);
    }
    assertEquals(1, kraft);
    assertEquals(huffmanCost(counts), cost);
  }

  /** Bits of Huffman's own code: the sum of the weights of all inner nodes. */
  private static long huffmanCost(long[] counts) {
    PriorityQueue<Long> queue = new PriorityQueue<>();
    Arrays.stream(counts).forEach(queue::add);
    long cost = 0;
    while (queue.size() > 1) {
      long both = queue.remove() + queue.remove();
      cost += both;
      queue.add(both);
    }
    return cost;
  }

  @Test
  void noCodeIsLongerThanTheLimit() {
    // Fibonacci's numbers give the longest codes
    long[] counts = new long[40];
    counts[0] = 1;
    counts[1] = 1;
    for (int i = 2; i < counts.length; i++) {
      counts[i] = counts[i - 1] + counts[i - 2];
    }
    for (int limit = 6; limit < 45; limit++) {
      int[] lengths = CodeLengths.of(counts, limit);
      assertTrue(Arrays.stream(lengths).max().orElseThrow() <= limit);
      double kraft = Arrays.stream(lengths).mapToDouble(l -> Math.scalb(1.0, -l)).sum();
      assertEquals(1, kraft, "limit " + limit);
    }
  }

  @Seeded(300)
  void damageIsFound(Samples samples) {
    byte[] bytes = skewed(samples, samples.between(1, 3000));
    byte[] encoded = encode(bytes);
    byte[] damaged =
        samples.chance(0.3)
            ? Arrays.copyOf(encoded, samples.between(0, encoded.length - 1))
            : encoded.clone();
    for (int hits = samples.between(1, 4); hits > 0 && damaged.length > 0; hits--) {
      damaged[samples.between(0, damaged.length - 1)] ^= (byte) (1 << samples.between(0, 7));
    }
    try {
      // two hits may undo each other, or lie in bits that no code has
      assertArrayEquals(bytes, decode(damaged, false));
    } catch (FormatException found) {
      assertTrue(found.getMessage().startsWith("test: the Huffman-coded bytes are damaged"));
    }
  }

  @Test
  void noBytesAreRefused() {
    assertThrows(FormatException.class, () -> decode(new byte[0], false));
    assertThrows(FormatException.class, () -> decode(new byte[500], false));
  }
}
