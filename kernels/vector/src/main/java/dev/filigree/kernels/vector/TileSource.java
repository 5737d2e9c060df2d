package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.util.Arrays;

/**
 * Weights in the order of {@link DenseKernel}'s tiles, as floats or in an encoding that is decoded
 * when used.
 */
interface TileSource {
  /**
   * Features of floats that are read for all tiles of a block of outputs before the next ones: with
   * 64 tokens 24 KiB of activations, or 32 where vectors of 512 bits come with a larger cache.
   */
  int CHUNK = Lanes.MANY_REGISTERS ? 128 : 96;

  /** Bytes the packed weights take. */
  long bytes();

  /**
   * Decodes a stretch of a tile.
   *
   * @param tile four outputs
   * @param k first feature
   * @param features how many
   * @param into receives {@code [features][4]} from {@code at} on
   */
  void decode(int tile, int k, int features, float[] into, int at);

  /** Lays weights out, keeping their encoding where it is narrower than a float. */
  static TileSource of(Weights weights) {
    return switch (weights) {
      case Quantized quantized -> QuantizedTiles.pack(quantized);
      case Codebook codebook -> CodebookTiles.pack(codebook);
      case Dense dense when dense.tensor().dtype() != DType.F32 -> HalfTiles.pack(dense);
      default -> FloatTiles.pack(weights);
    };
  }

  /** Bytes a weight takes in the layout of {@link #of}. */
  static int bytesPerWeight(Weights weights) {
    return switch (weights) {
      case Quantized quantized -> Byte.BYTES;
      case Codebook codebook -> Byte.BYTES;
      case Dense dense -> dense.tensor().dtype().bytes();
      default -> Float.BYTES;
    };
  }

  /** Weights of a padded number of rows, checked to fit an array. */
  static int size(int rows, int columns) {
    long size = (long) tiles(rows) * DenseTiles.OUTPUTS * columns;
    if (size > Integer.MAX_VALUE - 8) {
      throw new WeightsException(
          "a matrix of " + rows + " x " + columns + " has more weights than a Java array holds",
          "split the layer, or use a narrower format on the GPU");
    }
    return (int) size;
  }

  /** Tiles that hold a number of rows. */
  static int tiles(int rows) {
    return (rows + DenseTiles.OUTPUTS - 1) / DenseTiles.OUTPUTS;
  }

  /**
   * Floats as they are, in the order in which {@link DenseKernel} reads them: the tiles of a block
   * of outputs side by side for each chunk of features. A processor fetches memory ahead only while
   * it is read from one end to the other.
   */
  record FloatTiles(float[] floats, int rows, int columns) implements TileSource {
    /** Features that are laid out together: four lines of a cache for each tile. */
    private static final int FEATURES = 16;

    static FloatTiles pack(Weights weights) {
      if (weights instanceof Dense dense && dense.tensor().stride(0) == 1) {
        return packByFeatures(dense);
      }
      FloatTiles tiles = FloatTiles.empty(weights);
      int columns = weights.columns();
      float[] packed = tiles.floats;
      float[] row = new float[columns];
      for (int r = 0; r < weights.rows(); r++) {
        weights.unpackRow(r, row, 0);
        for (int chunk = 0; chunk < columns; chunk += CHUNK) {
          int at = tiles.at(r / DenseTiles.OUTPUTS, chunk) + r % DenseTiles.OUTPUTS;
          int end = Math.min(columns, chunk + CHUNK);
          for (int k = chunk; k < end; k++, at += DenseTiles.OUTPUTS) {
            packed[at] = row[k];
          }
        }
      }
      return tiles;
    }

    private static FloatTiles empty(Weights weights) {
      float[] floats = new float[TileSource.size(weights.rows(), weights.columns())];
      return new FloatTiles(floats, weights.rows(), weights.columns());
    }

    /** Where the weights of a tile start for a feature; those of the chunk's next ones follow. */
    int at(int tile, int k) {
      int first = tile / DenseTiles.PER_BLOCK * DenseTiles.PER_BLOCK;
      int tiles = Math.min(DenseTiles.PER_BLOCK, TileSource.tiles(rows) - first);
      int chunk = k / CHUNK * CHUNK;
      int features = Math.min(CHUNK, columns - chunk);
      return (first * columns + tiles * chunk + (tile - first) * features + k - chunk)
          * DenseTiles.OUTPUTS;
    }

    /**
     * Lays weights out that are stored with a feature's outputs side by side, as ONNX does: some
     * features at a time, so that every line of the cache is written whole.
     */
    private static FloatTiles packByFeatures(Dense weights) {
      FloatTiles packed = FloatTiles.empty(weights);
      int rows = weights.rows();
      int columns = weights.columns();
      float[][] features = new float[Math.min(columns, FEATURES)][tiles(rows) * DenseTiles.OUTPUTS];
      for (int k = 0; k < columns; k += features.length) {
        int count = Math.min(features.length, columns - k);
        for (int i = 0; i < count; i++) {
          weights.unpackColumn(k + i, features[i]);
        }
        for (int row = 0; row < rows; row += DenseTiles.OUTPUTS) {
          int at = packed.at(row / DenseTiles.OUTPUTS, k);
          for (int i = 0; i < count; i++, at += DenseTiles.OUTPUTS) {
            System.arraycopy(features[i], row, packed.floats, at, DenseTiles.OUTPUTS);
          }
        }
      }
      return packed;
    }

    @Override
    public long bytes() {
      return (long) floats.length * Float.BYTES;
    }

    @Override
    public void decode(int tile, int k, int features, float[] into, int at) {
      throw new IllegalStateException("floats need no decoding");
    }
  }

  /** f16 or bf16, converted by loops that the compiler turns into vector conversions. */
  record HalfTiles(short[] halves, DType dtype, int columns) implements TileSource {
    static HalfTiles pack(Dense dense) {
      int columns = dense.columns();
      DType dtype = dense.tensor().dtype();
      short[] packed = new short[TileSource.size(dense.rows(), columns)];
      float[] row = new float[columns];
      for (int r = 0; r < dense.rows(); r++) {
        dense.unpackRow(r, row, 0);
        int at = r / DenseTiles.OUTPUTS * DenseTiles.OUTPUTS * columns + r % DenseTiles.OUTPUTS;
        for (int k = 0; k < columns; k++) {
          packed[at + k * DenseTiles.OUTPUTS] =
              dtype == DType.F16 ? Float.floatToFloat16(row[k]) : DType.toBfloat16(row[k]);
        }
      }
      return new HalfTiles(packed, dtype, columns);
    }

    @Override
    public long bytes() {
      return (long) halves.length * Short.BYTES;
    }

    @Override
    public void decode(int tile, int k, int features, float[] into, int at) {
      int from = (tile * columns + k) * DenseTiles.OUTPUTS;
      int count = features * DenseTiles.OUTPUTS;
      if (dtype == DType.F16) {
        for (int i = 0; i < count; i++) {
          into[at + i] = Float.float16ToFloat(halves[from + i]);
        }
      } else {
        for (int i = 0; i < count; i++) {
          into[at + i] = Float.intBitsToFloat(halves[from + i] << 16);
        }
      }
    }
  }

  /** 8-bit integers; zero point and scale of each of a tile's four rows are applied on decoding. */
  record QuantizedTiles(
      byte[] codes, float[] scales, float[] zeroPoints, boolean signed, int columns)
      implements TileSource {
    static QuantizedTiles pack(Quantized weights) {
      IntegerValues values = weights.values();
      int rows = weights.rows();
      int columns = weights.columns();
      byte[] packed = new byte[TileSource.size(rows, columns)];
      float[] scales = new float[rows];
      float[] zeroPoints = new float[rows];
      for (int r = 0; r < rows; r++) {
        scales[r] = values.scale(r);
        zeroPoints[r] = values.zeroPoint(r);
        int at = r / DenseTiles.OUTPUTS * DenseTiles.OUTPUTS * columns + r % DenseTiles.OUTPUTS;
        for (int k = 0; k < columns; k++) {
          packed[at + k * DenseTiles.OUTPUTS] =
              values.codes().get(DType.BYTE, r * weights.rowStride() + k * weights.columnStride());
        }
      }
      return new QuantizedTiles(
          packed,
          Decoding.patterns(scales, tiles(rows)),
          Decoding.patterns(zeroPoints, tiles(rows)),
          values.dtype() == DType.I8,
          columns);
    }

    @Override
    public long bytes() {
      return codes.length + 8L * scales.length;
    }

    @Override
    public void decode(int tile, int k, int features, float[] into, int at) {
      int from = (tile * columns + k) * DenseTiles.OUTPUTS;
      Decoding.integers(
          codes, from, features * DenseTiles.OUTPUTS, signed, scales, zeroPoints, tile, into, at);
    }
  }

  /** Codes of up to 8 bits, one a byte, into one codebook or one for each row. */
  record CodebookTiles(byte[] codes, float[] centroids, int size, boolean perRow, int columns)
      implements TileSource {
    static CodebookTiles pack(Codebook weights) {
      CodeValues values = weights.values();
      int rows = weights.rows();
      int columns = weights.columns();
      byte[] packed = new byte[TileSource.size(rows, columns)];
      int books = values.isShared() ? 1 : tiles(rows) * DenseTiles.OUTPUTS;
      float[] centroids =
          Arrays.copyOf(values.centroidsOfRows(rows), Math.multiplyExact(books, values.size()));
      for (int r = 0; r < rows; r++) {
        int at = r / DenseTiles.OUTPUTS * DenseTiles.OUTPUTS * columns + r % DenseTiles.OUTPUTS;
        for (int k = 0; k < columns; k++) {
          packed[at + k * DenseTiles.OUTPUTS] = (byte) values.code((long) r * columns + k);
        }
      }
      return new CodebookTiles(packed, centroids, values.size(), !values.isShared(), columns);
    }

    @Override
    public long bytes() {
      return codes.length + 4L * centroids.length;
    }

    @Override
    public void decode(int tile, int k, int features, float[] into, int at) {
      int from = (tile * columns + k) * DenseTiles.OUTPUTS;
      int book = perRow ? tile * DenseTiles.OUTPUTS * size : 0;
      Decoding.codes(
          codes, from, features * DenseTiles.OUTPUTS, centroids, book, perRow ? size : 0, into, at);
    }
  }
}
