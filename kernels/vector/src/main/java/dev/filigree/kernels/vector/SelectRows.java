package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.util.Arrays;

/**
 * 2:4 weights of two rows beside each other in a vector, each with the place of its input among as
 * many as the vector has lanes. Of so many inputs 2:4 keeps half, so two rows fill a vector
 * whatever they keep:
 *
 * <pre>
 *   16 lanes, inputs 0..15     row a: lanes 0..7, row b: lanes 8..15
 *     kept inputs              0 3 4 5 9 10 14 15 | 1 2 4 7 8 11 12 13
 *     places, 4 bits a lane    0 3 4 5 9 10 14 15 | 1 2 4 7 8 11 12 13
 *     values                   one a lane: floats, bytes, or codes of 4 bits
 *   eight such steps fill a vector of words with places, and one with codes:
 *     step s of lane l is in the bits 4s .. 4s+3 of word l
 * </pre>
 *
 * <p>Rows that fill no two pairs are padded with anything, and inputs that fill no eight steps with
 * zeros.
 *
 * @param places {@code [pairs][blocks][lanes]} words of eight places
 * @param values {@code [pairs][steps][lanes]}, or null
 * @param integers {@code [pairs][steps][lanes]}, or null
 * @param codes {@code [pairs][blocks][lanes]} words of eight codes, or null
 * @param table scales {@code [rows]} of integers, centroids {@code [rows or 1][16]} of codes, or
 *     null
 */
record SelectRows(
    int rows,
    int columns,
    int[] places,
    float[] values,
    byte[] integers,
    int[] codes,
    float[] table,
    boolean bookPerRow)
    implements TileSource {
  /** Rows that are multiplied together: two pairs. */
  static final int ROWS = 4;

  /** Steps whose places of four bits fill a word. */
  static final int STEPS = 8;

  /** Inputs of a block of steps. */
  static final int BLOCK = STEPS * Lanes.COUNT;

  /** Kept inputs of a row in a step. */
  static final int KEPT = Lanes.COUNT / 2;

  /** Centroids that codes of four bits choose from. */
  static final int CENTROIDS = 16;

  private static final int BITS = 4;

  /** Whether weights can be laid out so, at this width of vectors. */
  static boolean fits(Weights weights) {
    // with fewer lanes a select is no instruction of its own
    if (!(weights instanceof Sparse24 sparse) || Lanes.COUNT < 8) {
      return false;
    }
    long padded = (weights.rows() + ROWS - 1L) * Math.ceilDiv(weights.columns(), BLOCK) * BLOCK / 2;
    return padded < Integer.MAX_VALUE - 8
        && switch (sparse.values()) {
          case FloatValues floats -> floats.dtype() == DType.F32;
          case IntegerValues integers ->
              integers.dtype() == DType.I8 && integers.zeroPoints().byteSize() == 0;
          case CodeValues codes -> codes.bits() == BITS && Lanes.COUNT == CENTROIDS;
          default -> false;
        };
  }

  /** Lays weights out that {@linkplain #fits fit}. */
  static SelectRows pack(Weights weights) {
    Sparse24 sparse = (Sparse24) weights;
    int pairs = Math.ceilDiv(sparse.rows(), ROWS) * 2;
    int words = pairs * Math.ceilDiv(sparse.columns(), BLOCK) * Lanes.COUNT;
    Values encoded = sparse.values();
    SelectRows packed =
        new SelectRows(
            sparse.rows(),
            sparse.columns(),
            new int[words],
            encoded instanceof FloatValues ? new float[words * STEPS] : null,
            encoded instanceof IntegerValues ? new byte[words * STEPS] : null,
            encoded instanceof CodeValues ? new int[words] : null,
            table(sparse, pairs * 2),
            encoded instanceof CodeValues codes && !codes.isShared());
    for (int row = 0; row < sparse.rows(); row++) {
      packed.put(sparse, row);
    }
    return packed;
  }

  private static float[] table(Sparse24 weights, int rows) {
    return switch (weights.values()) {
      case IntegerValues integers -> {
        float[] scales = new float[rows];
        for (int row = 0; row < weights.rows(); row++) {
          scales[row] = integers.scale(row);
        }
        yield scales;
      }
      case CodeValues codes -> {
        float[] centroids = codes.centroidsOfRows(weights.rows());
        yield codes.isShared() ? centroids : Arrays.copyOf(centroids, rows * CENTROIDS);
      }
      default -> null;
    };
  }

  private void put(Sparse24 weights, int row) {
    pad(weights, row);
    int perRow = weights.groups() * Sparse24.KEPT;
    float[] decoded = new float[values == null ? 0 : perRow];
    long first = (long) row * perRow;
    if (values != null) {
      weights.values().decode(row, first, 1, perRow, decoded, 0);
    }
    int kept = 0;
    for (int group = 0; group < weights.groups(); group++) {
      int mask = weights.mask().group(row, group);
      for (int c = 0; c < Sparse24.GROUP; c++) {
        if ((mask >> c & 1) != 0) {
          int step = kept / KEPT;
          int lane = lane(row, kept);
          int place = (group * Sparse24.GROUP + c) % Lanes.COUNT;
          places[word(row, step, lane)] |= place << step % STEPS * BITS;
          switch (weights.values()) {
            case IntegerValues scaled ->
                integers[value(row, step, lane)] = scaled.codes().get(DType.BYTE, first + kept);
            case CodeValues shared ->
                codes[word(row, step, lane)] |= shared.code(first + kept) << step % STEPS * BITS;
            default -> values[value(row, step, lane)] = decoded[kept];
          }
          kept++;
        }
      }
    }
  }

  /** Lets the weights behind the last group select inputs behind the last one, which are zeros. */
  private void pad(Sparse24 weights, int row) {
    for (int kept = weights.groups() * Sparse24.KEPT; kept < blocks() * BLOCK / 2; kept++) {
      int step = kept / KEPT;
      int place = kept / Sparse24.KEPT * Sparse24.GROUP % Lanes.COUNT;
      places[word(row, step, lane(row, kept))] |= place << step % STEPS * BITS;
    }
  }

  /** Blocks of eight steps of a row. */
  int blocks() {
    return Math.ceilDiv(columns, BLOCK);
  }

  private static int lane(int row, int kept) {
    return row % 2 * KEPT + kept % KEPT;
  }

  private int word(int row, int step, int lane) {
    return (row / 2 * blocks() + step / STEPS) * Lanes.COUNT + lane;
  }

  private int value(int row, int step, int lane) {
    return (row / 2 * blocks() * STEPS + step) * Lanes.COUNT + lane;
  }

  /** What a row's sum is multiplied with. */
  float scale(int row) {
    return integers == null ? 1 : table[row];
  }

  /** Position of a row's codebook in the table. */
  private int book(int row) {
    return bookPerRow ? row * CENTROIDS : 0;
  }

  @Override
  public long bytes() {
    return 4L * places.length
        + (values == null ? 0 : 4L * values.length)
        + (integers == null ? 0 : integers.length)
        + (codes == null ? 0 : 4L * codes.length)
        + (table == null ? 0 : 4L * table.length);
  }

  /**
   * {@inheritDoc}
   *
   * @param k a multiple of the lanes
   */
  @Override
  public void decode(int tile, int k, int features, float[] into, int at) {
    Arrays.fill(into, at, at + features * DenseTiles.OUTPUTS, 0);
    for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
      int row = tile * DenseTiles.OUTPUTS + o;
      for (int step = k / Lanes.COUNT; row < rows && step * Lanes.COUNT < k + features; step++) {
        for (int kept = 0; kept < KEPT; kept++) {
          int lane = lane(row, kept);
          int shift = step % STEPS * BITS;
          int place = places[word(row, step, lane)] >>> shift & (1 << BITS) - 1;
          int column = step * Lanes.COUNT + place;
          if (column < columns) {
            into[at + (column - k) * DenseTiles.OUTPUTS + o] = weight(row, step, lane, shift);
          }
        }
      }
    }
  }

  private float weight(int row, int step, int lane, int shift) {
    if (values != null) {
      return values[value(row, step, lane)];
    }
    return integers != null
        ? integers[value(row, step, lane)] * table[row]
        : table[book(row) + (codes[word(row, step, lane)] >>> shift & CENTROIDS - 1)];
  }
}
