package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Codes into a codebook of shared values (k-means centroids). Code i takes the bits {@code [bits*i,
 * bits*(i+1))} of the stream, least significant bit first.
 *
 * @param bits of one code: 1, 2, 4 or 8
 * @param count number of codes
 * @param codes the packed codes
 * @param centroids f32 {@code [books, k]}, k = 2^bits
 * @param rowsPerBook neighbouring rows that share a codebook, the last one maybe fewer; {@link
 *     #ALL} if all rows share one
 */
public record CodeValues(
    int bits, long count, MemorySegment codes, MemorySegment centroids, int rowsPerBook)
    implements Values {
  /** Of memory that vectors read. */
  private static final long ALIGNMENT = 64;

  /** One codebook serves all rows. */
  public static final int ALL = 0;

  public CodeValues {
    requireBits(bits);
    if (rowsPerBook < 0) {
      throw new WeightsException(
          "a codebook for " + rowsPerBook + " rows", "let 1 or more rows share one, or all");
    }
    if (count < 0 || codes.byteSize() != packedBytes(count, bits)) {
      throw new WeightsException(
          count + " codes of " + bits + " bits in " + codes.byteSize() + " bytes",
          "store " + packedBytes(count, bits) + " bytes");
    }
    if (centroids.byteSize() == 0 || centroids.byteSize() % (4L << bits) != 0) {
      throw new WeightsException(
          "the codebook takes " + centroids.byteSize() + " bytes",
          "store " + (1 << bits) + " f32 centroids, once or for each row or group of rows");
    }
  }

  /** Codes into one codebook that all rows share, or into one for each row. */
  public CodeValues(int bits, long count, MemorySegment codes, MemorySegment centroids) {
    this(bits, count, codes, centroids, centroids.byteSize() > 4L << bits ? 1 : ALL);
  }

  /**
   * The same with codes where native code and vectors can read them; itself if they are there, as
   * those of files are.
   */
  public CodeValues offHeap() {
    if (codes.isNative()) {
      return this;
    }
    MemorySegment copy = Arena.ofAuto().allocate(codes.byteSize(), ALIGNMENT).copyFrom(codes);
    return new CodeValues(bits, count, copy, centroids, rowsPerBook);
  }

  /**
   * Packs codes, one a byte, into a stream.
   *
   * @param centroids of one codebook, or of one for each row
   * @throws WeightsException if a code does not fit the bits
   */
  public static CodeValues of(int bits, byte[] codes, float[] centroids) {
    return of(bits, codes, centroids, centroids.length > 1 << bits ? 1 : ALL);
  }

  /**
   * Packs codes whose codebooks belong to neighbouring rows.
   *
   * @param rowsPerBook rows of a codebook, or {@link #ALL}
   * @throws WeightsException if a code does not fit the bits
   */
  public static CodeValues of(int bits, byte[] codes, float[] centroids, int rowsPerBook) {
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
        bits,
        codes.length,
        MemorySegment.ofArray(packed),
        MemorySegment.ofArray(centroids),
        rowsPerBook);
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

  /** Whether all rows share one codebook. */
  public boolean isShared() {
    return rowsPerBook == ALL;
  }

  /** Codebooks that a matrix of some rows has. */
  public long books(int rows) {
    return isShared() ? 1 : Math.ceilDiv(rows, rowsPerBook);
  }

  /** The codebook of a row. */
  private long book(int row) {
    return isShared() ? 0 : row / rowsPerBook;
  }

  /**
   * The codebooks as kernels read them: {@code [k]} if all rows share one, else {@code [rows, k]},
   * repeated for the rows of a group.
   */
  public float[] centroidsOfRows(int rows) {
    float[] stored = centroids.toArray(DType.FLOAT);
    if (rowsPerBook <= 1) {
      return stored;
    }
    float[] repeated = new float[Math.multiplyExact(rows, size())];
    for (int row = 0; row < rows; row++) {
      System.arraycopy(stored, (int) book(row) * size(), repeated, row * size(), size());
    }
    return repeated;
  }

  /** The code at a position. */
  public int code(long position) {
    long bit = position * bits;
    return codes.get(DType.BYTE, bit >>> 3) >>> (bit & 7) & size() - 1;
  }

  /** The value a code stands for in a row. */
  public float centroid(int row, int code) {
    return centroids.get(DType.FLOAT, (book(row) * size() + code) * 4);
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
    long codebook = book(row) * size();
    for (int i = 0; i < count; i++) {
      into[at + i] = centroids.get(DType.FLOAT, (codebook + code(position + i * stride)) * 4);
    }
  }

  @Override
  public void validate(String layer, int rows) {
    long codebooks = centroids.byteSize() / (4L * size());
    if (codebooks != books(rows)) {
      throw new WeightsException(
          "layer " + layer + " has " + codebooks + " codebooks for " + rows + " rows",
          rowsPerBook > 1
              ? "store " + books(rows) + ", one for " + rowsPerBook + " rows each"
              : "store one codebook, or one for each row");
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
