package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;

/**
 * Codes into a codebook of shared values (k-means centroids). Code i takes the bits {@code [bits*i,
 * bits*(i+1))} of the stream, least significant bit first.
 *
 * @param bits of one code: 1, 2, 4 or 8
 * @param count number of codes
 * @param codes the packed codes
 * @param centroids f32 {@code [1, k]} shared by all rows or {@code [rows, k]}, k = 2^bits
 */
public record CodeValues(int bits, long count, MemorySegment codes, MemorySegment centroids)
    implements Values {
  public CodeValues {
    requireBits(bits);
    if (count < 0 || codes.byteSize() != packedBytes(count, bits)) {
      throw new WeightsException(
          count + " codes of " + bits + " bits in " + codes.byteSize() + " bytes",
          "store " + packedBytes(count, bits) + " bytes");
    }
    if (centroids.byteSize() == 0 || centroids.byteSize() % (4L << bits) != 0) {
      throw new WeightsException(
          "the codebook takes " + centroids.byteSize() + " bytes",
          "store " + (1 << bits) + " f32 centroids, once or for each row");
    }
  }

  /**
   * Packs codes, one a byte, into a stream.
   *
   * @throws WeightsException if a code does not fit the bits
   */
  public static CodeValues of(int bits, byte[] codes, float[] centroids) {
    requireBits(bits);
    byte[] packed = new byte[Math.toIntExact(packedBytes(codes.length, bits))];
    int perByte = 8 / bits;
    for (int i = 0; i < codes.length; i++) {
      if ((codes[i] & 0xff) >>> bits != 0) {
        throw new WeightsException(
            "code " + (codes[i] & 0xff) + " at position " + i + " does not fit " + bits + " bits",
            "use codes from 0 to " + ((1 << bits) - 1));
      }
      packed[i / perByte] |= (byte) ((codes[i] & 0xff) << i % perByte * bits);
    }
    return new CodeValues(
        bits, codes.length, MemorySegment.ofArray(packed), MemorySegment.ofArray(centroids));
  }

  private static void requireBits(int bits) {
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8) {
      throw new WeightsException(
          "codes of " + bits + " bits are not supported", "use 1, 2, 4 or 8 bits");
    }
  }

  private static long packedBytes(long count, int bits) {
    return Math.ceilDiv(count, 8 / bits);
  }

  /** Centroids of one codebook. */
  public int size() {
    return 1 << bits;
  }

  /** Whether every row has a codebook of its own. */
  public boolean perRow() {
    return centroids.byteSize() > 4L * size();
  }

  /** The code at a position. */
  public int code(long position) {
    long bit = position * bits;
    return codes.get(DType.BYTE, bit >>> 3) >>> (bit & 7) & size() - 1;
  }

  /** The value a code stands for in a row. */
  public float centroid(int row, int code) {
    long codebook = perRow() ? (long) row * size() : 0;
    return centroids.get(DType.FLOAT, (codebook + code) * 4);
  }

  @Override
  public long bytes() {
    return codes.byteSize() + centroids.byteSize();
  }

  @Override
  public String encoding() {
    return "codebook-" + bits + "bit";
  }

  @Override
  public void decode(int row, long position, long stride, int count, float[] into, int at) {
    long codebook = perRow() ? (long) row * size() : 0;
    for (int i = 0; i < count; i++) {
      into[at + i] = centroids.get(DType.FLOAT, (codebook + code(position + i * stride)) * 4);
    }
  }

  @Override
  public void validate(String layer, int rows) {
    long codebooks = centroids.byteSize() / (4L * size());
    if (codebooks != 1 && codebooks != rows) {
      throw new WeightsException(
          "layer " + layer + " has " + codebooks + " codebooks for " + rows + " rows",
          "store one codebook, or one for each row");
    }
    for (long i = 0; i < codebooks * size(); i++) {
      float centroid = centroids.get(DType.FLOAT, i * 4);
      if (!Float.isFinite(centroid)) {
        throw new WeightsException(
            "layer " + layer + " has the centroid " + centroid + " in codebook " + i / size(),
            "share the layer's weights again from finite ones");
      }
    }
    long inLastByte = count % (8 / bits) * bits;
    if (inLastByte != 0
        && (codes.get(DType.BYTE, codes.byteSize() - 1) & 0xff) >>> inLastByte != 0) {
      throw new WeightsException(
          "the codes of layer " + layer + " set bits behind the last one", "clear them");
    }
  }
}
