package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Rows of weights where a file has them: nothing is copied, so that a model takes the memory of its
 * file and no more. Beside its codes a row has scales, which are read when its turn comes.
 */
sealed interface StoredRows {
  /** Bytes from which a copy of a matrix is worth avoiding: with smaller ones a model is small. */
  long LARGE = 1L << 20;

  /** Inputs that stay in the first cache for several rows: 16 KiB. */
  int STRETCH = 4096;

  /** Outputs of one tile. */
  int OUTPUTS = DenseTiles.OUTPUTS;

  /** Floats of scratch that products with one token need. */
  int scratch();

  /**
   * Prepares one token for all rows.
   *
   * @param x address of the inputs
   */
  void prepare(long x, float[] scratch);

  /**
   * The product of a stretch of a row with the token that was prepared last.
   *
   * @param from first input, a multiple of {@link #STRETCH}
   * @param to input after the last, the next multiple or the end
   */
  float dot(int row, int from, int to, float[] scratch);

  /**
   * The products of {@link #OUTPUTS} neighbouring rows.
   *
   * @param sums receives them from {@code at} on; may be the scratch
   */
  default void dots(int row, int from, int to, float[] scratch, float[] sums, int at) {
    for (int o = 0; o < OUTPUTS; o++) {
      sums[at + o] = dot(row + o, from, to, scratch);
    }
  }

  /** Decodes a stretch of a row, one value every {@link #OUTPUTS} floats. */
  void decode(int row, int k, int features, float[] into, int at);

  /**
   * Whether weights stay where a file has them: a copy in the order of tiles, which several tokens
   * would decode faster, is out of the question.
   */
  static boolean stay(Weights weights) {
    return NativeCodes.isIn(weights) && (weights instanceof Packed || weights.bytes() >= LARGE);
  }

  /**
   * The rows of weights, if they have a form that can be read as it is: integers of 4 and 8 bits
   * and codebooks of 4. They hold addresses: the weights must have {@link NativeCodes} before the
   * rows are read, and be kept as long.
   */
  static Optional<StoredRows> of(Weights weights) {
    return switch (weights) {
      case Quantized quantized -> BytesOfRows.of(quantized);
      case Packed packed when packed.values().bits() == 4 -> Nibbles.of(packed);
      case Packed packed when packed.values().bits() == 8 -> BytesOfRows.of(packed);
      case Codebook codebook -> Codes.of(codebook);
      default -> Optional.empty();
    };
  }

  /** Scales and zero points of a row's groups. */
  interface Groups {
    float scale(int row, int group);

    float zeroPoint(int row, int group);
  }

  /** The groups of packed integers. */
  record PackedGroups(PackedIntegers values, int perRow) implements Groups {
    static PackedGroups of(PackedIntegers values) {
      return new PackedGroups(values, values.isOneScale() ? 0 : values.groupsPerRow());
    }

    private long index(int row, int group) {
      return perRow == 0 ? 0 : (long) row * perRow + group;
    }

    @Override
    public float scale(int row, int group) {
      DType dtype = values.scaleType();
      return (float) dtype.readDouble(values.scales(), index(row, group) * dtype.bytes());
    }

    @Override
    public float zeroPoint(int row, int group) {
      return values.zeroPoints().byteSize() == 0
          ? 1 << values.bits() - 1
          : values.zeroPoints().get(DType.BYTE, index(row, group)) & 0xff;
    }

    private static boolean inOrder(PackedIntegers values) {
      return values.groupOf().byteSize() == 0;
    }
  }

  /** One scale and zero point a row. */
  record RowGroups(IntegerValues values) implements Groups {
    @Override
    public float scale(int row, int group) {
      return values.scale(row);
    }

    @Override
    public float zeroPoint(int row, int group) {
      return values.zeroPoint(row);
    }
  }

  /**
   * Integers of 8 bits.
   *
   * @param address of the first code
   * @param rowBytes from one row to the next
   * @param group consecutive codes that share a scale
   */
  record BytesOfRows(
      long address, long rowBytes, int columns, boolean signed, int group, Groups groups)
      implements StoredRows {
    static Optional<StoredRows> of(Quantized weights) {
      IntegerValues values = weights.values();
      return weights.columnStride() == 1
          ? Optional.of(
              new BytesOfRows(
                  values.codes().address(),
                  weights.rowStride(),
                  weights.columns(),
                  values.dtype() == DType.I8,
                  weights.columns(),
                  new RowGroups(values)))
          : Optional.empty();
    }

    static Optional<StoredRows> of(Packed weights) {
      PackedIntegers values = weights.values();
      return PackedGroups.inOrder(values)
          ? Optional.of(
              new BytesOfRows(
                  values.words().address(),
                  (long) values.wordsPerRow() * Integer.BYTES,
                  weights.columns(),
                  false,
                  Math.min(values.group(), weights.columns()),
                  PackedGroups.of(values)))
          : Optional.empty();
    }

    @Override
    public int scratch() {
      return columns + Math.ceilDiv(columns, group);
    }

    @Override
    public void prepare(long x, float[] scratch) {
      MemorySegment.copy(ALL, DType.FLOAT, x, scratch, 0, columns);
      for (int g = 0; g * group < columns; g++) {
        int first = g * group;
        scratch[columns + g] =
            StoredDots.sum(scratch, first, Math.min(columns, first + group) - first);
      }
    }

    @Override
    public float dot(int row, int from, int to, float[] scratch) {
      long first = address + row * rowBytes;
      float sum = 0;
      for (int g = from / group; g * group < to; g++) {
        int k = Math.max(from, g * group);
        int count = Math.min(to, (g + 1) * group) - k;
        float product = StoredDots.bytes(first + k, count, signed, scratch, k);
        // all of a group's inputs count where it begins
        float zero = k == g * group ? groups.zeroPoint(row, g) * scratch[columns + g] : 0;
        sum += (product - zero) * groups.scale(row, g);
      }
      return sum;
    }

    @Override
    public void dots(int row, int from, int to, float[] scratch, float[] sums, int at) {
      int count = to - from;
      if (!signed || group < columns || count % Lanes.COUNT != 0 || Lanes.COUNT < 8) {
        StoredRows.super.dots(row, from, to, scratch, sums, at);
        return;
      }
      long first = address + row * rowBytes + from;
      StoredDots.fourRows(first, rowBytes, count, scratch, from, sums, at);
      for (int o = 0; o < OUTPUTS; o++) {
        float zero = from == 0 ? groups.zeroPoint(row + o, 0) * scratch[columns] : 0;
        sums[at + o] = (sums[at + o] - zero) * groups.scale(row + o, 0);
      }
    }

    @Override
    public void decode(int row, int k, int features, float[] into, int at) {
      long from = address + row * rowBytes;
      int mask = signed ? -1 : 0xff;
      for (int end = k; end < k + features; ) {
        int first = end;
        int g = first / group;
        end = Math.min(k + features, (g + 1) * group);
        float scale = groups.scale(row, g);
        float zero = groups.zeroPoint(row, g);
        for (int i = first; i < end; i++) {
          into[at + (i - k) * OUTPUTS] = ((ALL.get(DType.BYTE, from + i) & mask) - zero) * scale;
        }
      }
    }
  }

  /**
   * Integers of 4 bits.
   *
   * @param address of the first word
   * @param rowBytes from one row to the next
   * @param group consecutive codes that share a scale, a multiple of 8
   */
  record Nibbles(long address, long rowBytes, int columns, int group, Groups groups)
      implements StoredRows {
    static Optional<StoredRows> of(Packed weights) {
      PackedIntegers values = weights.values();
      boolean fits =
          PackedGroups.inOrder(values)
              && (values.group() % StoredDots.PER_WORD == 0 || values.group() >= weights.columns());
      return fits
          ? Optional.of(
              new Nibbles(
                  values.words().address(),
                  (long) values.wordsPerRow() * Integer.BYTES,
                  weights.columns(),
                  values.group() >= weights.columns()
                      ? Math.ceilDiv(weights.columns(), 8) * 8
                      : values.group(),
                  PackedGroups.of(values)))
          : Optional.empty();
    }

    private int words() {
      return Math.ceilDiv(columns, StoredDots.PER_WORD);
    }

    @Override
    public int scratch() {
      return columns + 3 * words();
    }

    @Override
    public void prepare(long x, float[] scratch) {
      StoredDots.arrange(x, columns, scratch);
      StoredDots.wordSums(scratch, columns, scratch, columns);
    }

    @Override
    public float dot(int row, int from, int to, float[] scratch) {
      int words = words();
      int scales = columns + words;
      int zeros = scales + words;
      int wordsPerGroup = group / StoredDots.PER_WORD;
      int firstWord = from / StoredDots.PER_WORD;
      int endWord = Math.ceilDiv(to, StoredDots.PER_WORD);
      for (int g = firstWord / wordsPerGroup; g * wordsPerGroup < endWord; g++) {
        int end = Math.min(endWord, (g + 1) * wordsPerGroup);
        float scale = groups.scale(row, g);
        float zero = groups.zeroPoint(row, g);
        for (int w = Math.max(firstWord, g * wordsPerGroup); w < end; w++) {
          scratch[scales + w] = scale;
          scratch[zeros + w] = zero;
        }
      }
      long first = address + row * rowBytes;
      float sum = StoredDots.integers(first, from, to, scratch, columns, scales, zeros);
      for (int k = to / StoredDots.BLOCK * StoredDots.BLOCK; k < to; k++) {
        int w = k / StoredDots.PER_WORD;
        float code = StoredDots.code(first, k) - scratch[zeros + w];
        sum += code * scratch[scales + w] * scratch[k];
      }
      return sum;
    }

    @Override
    public void decode(int row, int k, int features, float[] into, int at) {
      long from = address + row * rowBytes;
      for (int end = k; end < k + features; ) {
        int first = end;
        int g = first / group;
        end = Math.min(k + features, (g + 1) * group);
        float scale = groups.scale(row, g);
        float zero = groups.zeroPoint(row, g);
        for (int i = first; i < end; i++) {
          into[at + (i - k) * OUTPUTS] = (StoredDots.code(from, i) - zero) * scale;
        }
      }
    }
  }

  /**
   * Codes of 4 bits into codebooks.
   *
   * @param address of the first code
   * @param centroids of one codebook, or of one for each row
   * @param perRow whether there is one for each row; rows of a group hold copies
   */
  record Codes(long address, int columns, float[] centroids, boolean perRow) implements StoredRows {
    private static final int SIZE = 16;

    static Optional<StoredRows> of(Codebook weights) {
      CodeValues values = weights.values();
      boolean fits =
          (Lanes.COUNT == SIZE || 2 * Lanes.COUNT == SIZE)
              && values.bits() == 4
              && weights.columns() % 2 == 0;
      return fits
          ? Optional.of(
              new Codes(
                  values.codes().address(),
                  weights.columns(),
                  values.centroidsOfRows(weights.rows()),
                  !values.isShared()))
          : Optional.empty();
    }

    private long row(int row) {
      return address + (long) row * columns / 2;
    }

    private int book(int row) {
      return perRow ? row * SIZE : 0;
    }

    @Override
    public int scratch() {
      return columns;
    }

    @Override
    public void prepare(long x, float[] scratch) {
      StoredDots.arrange(x, columns, scratch);
    }

    @Override
    public float dot(int row, int from, int to, float[] scratch) {
      long first = row(row);
      float sum =
          Lanes.COUNT == SIZE
              ? StoredDots.codes(first, from, to, scratch, centroids, book(row))
              : TwoTables.codes(first, from, to, scratch, centroids, book(row));
      for (int k = to / StoredDots.BLOCK * StoredDots.BLOCK; k < to; k++) {
        sum += centroids[book(row) + StoredDots.code(first, k)] * scratch[k];
      }
      return sum;
    }

    @Override
    public void dots(int row, int from, int to, float[] scratch, float[] sums, int at) {
      if (Lanes.COUNT != SIZE) {
        StoredRows.super.dots(row, from, to, scratch, sums, at);
        return;
      }
      long first = row(row);
      long rowBytes = columns / 2;
      int step = perRow ? SIZE : 0;
      StoredDots.codesOfFourRows(
          first, rowBytes, from, to, scratch, centroids, book(row), step, sums, at);
      for (int k = to / StoredDots.BLOCK * StoredDots.BLOCK; k < to; k++) {
        for (int o = 0; o < OUTPUTS; o++) {
          int code = StoredDots.code(first + o * rowBytes, k);
          sums[at + o] += centroids[book(row + o) + code] * scratch[k];
        }
      }
    }

    @Override
    public void decode(int row, int k, int features, float[] into, int at) {
      long from = row(row);
      int book = book(row);
      for (int i = 0; i < features; i++) {
        into[at + i * OUTPUTS] = centroids[book + StoredDots.code(from, k + i)];
      }
    }
  }
}
