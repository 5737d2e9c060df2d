package dev.filigree.format.entropy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CodedTest {
  private static final byte GAPS = 2;

  private static byte[] decode(byte[] encoded, int size) {
    byte[] bytes = new byte[size];
    Coded.decode("test", MemorySegment.ofArray(encoded), MemorySegment.ofArray(bytes), false);
    return bytes;
  }

  private static byte[] encode(byte[] bytes, int element) {
    MemorySegment coded = Coded.encode(MemorySegment.ofArray(bytes), element, false);
    return coded == null ? null : coded.toArray(DType.BYTE);
  }

  /** Bits set with a probability. */
  private static byte[] mask(Samples samples, int bytes, double density) {
    byte[] mask = new byte[bytes];
    for (int bit = 0; bit < 8 * bytes; bit++) {
      if (samples.chance(density)) {
        mask[bit / 8] |= (byte) (1 << bit % 8);
      }
    }
    return mask;
  }

  private static byte[] floats(Samples samples, int count) {
    return MemorySegment.ofArray(samples.normal(count)).toArray(DType.BYTE);
  }

  @Seeded(60)
  void whatIsShorterReturnsAsItWas(Samples samples) {
    int element = samples.oneOf(List.of(1, 2, 4, 8));
    byte[] bytes =
        switch (samples.between(0, 3)) {
          case 0 -> samples.bytes(samples.between(0, 4000));
          case 1 -> floats(samples, samples.between(1, 4000));
          case 2 -> mask(samples, samples.between(1, 20_000), 0.002);
          default -> mask(samples, samples.between(1, 9_000), samples.between(0, 100) / 100.0);
        };
    byte[] encoded = encode(bytes, element);
    if (encoded != null) {
      assertTrue(encoded.length < bytes.length);
      assertArrayEquals(bytes, decode(encoded, bytes.length));
      assertTrue(Coded.most(MemorySegment.ofArray(encoded)) >= bytes.length);
    }
  }

  @Test
  void fewBytesAndNoiseStayAsTheyAre() {
    assertNull(encode(new byte[100], 1));
    assertNull(encode(new Samples(1).bytes(1 << 16), 4));
  }

  @Test
  void floatsLoseTheirExponentsBits() {
    byte[] bytes = floats(new Samples(1), 1 << 16);
    double bits = 32.0 * encode(bytes, 4).length / bytes.length;
    // sign and exponent of a normal distribution have 3.6 bits and not 9
    assertTrue(bits < 28 && bits > 25, bits + " bits");
  }

  @Test
  void masksOfFewBitsAreWrittenAsGaps() {
    Samples samples = new Samples(1);
    for (double density : new double[] {0.002, 0.01, 0.08, 0.2, 0.5}) {
      byte[] mask = mask(samples, 1 << 16, density);
      byte[] encoded = encode(mask, 1);
      double entropy =
          -(density * Math.log(density) + (1 - density) * Math.log(1 - density)) / Math.log(2);
      if (density == 0.5) {
        assertNull(encoded);
        continue;
      }
      double bits = (double) encoded.length / mask.length;
      assertTrue(bits < entropy * 1.06 + 0.003, density + ": " + bits + " bits, not " + entropy);
      if (density < 0.05) {
        assertEquals(GAPS, encoded[0]);
      }
    }
  }

  /** Six patterns of four bits, two in a byte: log2(36) bits where the bitmask has eight. */
  @Test
  void patternsOf24TakeTheirEntropy() {
    Samples samples = new Samples(1);
    List<Integer> patterns = List.of(3, 5, 6, 9, 10, 12);
    byte[] mask = new byte[1 << 16];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = (byte) (samples.oneOf(patterns) | samples.oneOf(patterns) << 4);
    }
    double bits = 8.0 * encode(mask, 1).length / mask.length;
    assertEquals(Math.log(36) / Math.log(2), bits, 0.08);
  }

  @Seeded(200)
  void damageIsFound(Samples samples) {
    boolean sparse = samples.chance(0.5);
    byte[] bytes = sparse ? mask(samples, 9000, 0.004) : floats(samples, 600);
    byte[] encoded = encode(bytes, sparse ? 1 : 4);
    byte[] damaged =
        samples.chance(0.3)
            ? Arrays.copyOf(encoded, samples.between(0, encoded.length - 1))
            : encoded.clone();
    for (int hits = samples.between(1, 3); hits > 0 && damaged.length > 0; hits--) {
      // headers are damaged as often as the bytes behind them
      int end = samples.chance(0.5) ? Math.min(60, damaged.length) : damaged.length;
      damaged[samples.between(0, end - 1)] ^= (byte) (1 << samples.between(0, 7));
    }
    try {
      byte[] decoded = decode(damaged, bytes.length);
      assertEquals(bytes.length, decoded.length);
    } catch (FormatException found) {
      assertTrue(found.getMessage().startsWith("test: the "), found.getMessage());
    }
  }

  @Test
  void anotherFormIsRefused() {
    byte[] encoded = encode(new byte[1000], 1);
    encoded[0] = 9;
    assertThrows(FormatException.class, () -> decode(encoded, 1000));
    encoded[0] = 1;
    assertThrows(FormatException.class, () -> decode(encoded, 999));
  }
}
