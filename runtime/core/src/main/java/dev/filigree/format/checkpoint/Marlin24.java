package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.weights.Mask;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * The {@code marlin-24} form of compressed-tensors: 2:4 weights of 4 or 8 bits in the order in
 * which the threads of the Sparse-Marlin kernel read them (R. Castro, D. Alistarh). Kept weights
 * form a matrix {@code [in / 2, out]} of unsigned codes, which is cut into tiles of 16 x 16; four
 * tiles side by side are permuted as 1024 codes, and packed into words. Which columns the weights
 * were kept from say 4-bit codes in the order of CUTLASS's interleaved metadata.
 *
 * <pre>
 *   weight_packed I32 [in / 32, 16 * out / codes in a word]
 *   scale_packed  F16 [groups, out]      outputs permuted within 8 if there are several groups
 *   meta          I16 [in / 32, 2 * out] four groups of four columns in each
 * </pre>
 *
 * All of this is undone here, without loss, into logical {@code [out, in]} weights.
 */
final class Marlin24 {
  private static final int TILE = 16;

  /** Codes that are permuted together. */
  private static final int BLOCK = 1024;

  /** Columns of the dense matrix that a scale is for. */
  private static final int GROUP = 128;

  /** Rows among which CUTLASS interleaves metadata. */
  private static final int META_ROWS = 64;

  /** Columns that a metadata element describes. */
  private static final int META_COLUMNS = 16;

  private static final int[] SCALE_ORDER = {0, 4, 1, 5, 2, 6, 3, 7};
  private static final int[] INTERLEAVED_4 = {0, 2, 4, 6, 1, 3, 5, 7};
  private static final int[] INTERLEAVED_8 = {0, 2, 1, 3};

  private Marlin24() {}

  /** Reads a layer. */
  static Weights read(LayerParts parts, Scheme scheme) {
    int bits = scheme.bits();
    if (bits != 4 && bits != 8 || !scheme.symmetric()) {
      throw parts.unsupported(
          "its marlin-24 weights are " + scheme, "the form has symmetric weights of 4 or 8 bits");
    }
    SafetensorsFile.Entry packed = parts.require("weight_packed");
    parts.requireType(packed, SafetensorsType.I32);
    int perWord = Integer.SIZE / bits;
    if (packed.shape().rank() != 2 || packed.shape().elements() == 0) {
      throw parts.wrong("its packed weights have the shape " + packed.shape());
    }
    int tiles = Math.toIntExact(packed.shape().extent(0));
    int words = Math.toIntExact(packed.shape().extent(1));
    int kept = Math.multiplyExact(tiles, TILE);
    int columns = Math.multiplyExact(kept, 2);
    int rows = Math.toIntExact((long) words * perWord / TILE);
    if (rows % META_ROWS != 0 || (long) rows * TILE != (long) words * perWord) {
      throw parts.unsupported(
          "its marlin-24 weights are for " + rows + " outputs",
          "the form is defined for multiples of " + META_ROWS);
    }
    byte[] codes = codes(packed.data(), tiles, rows, bits);
    Mask mask = mask(parts, rows, columns);
    SafetensorsFile.Entry scale = parts.require("scale_packed");
    parts.requireType(scale, SafetensorsType.F16);
    int groups = scale.shape().rank() == 2 ? Math.toIntExact(scale.shape().extent(0)) : 0;
    if (groups != 1 && groups != Math.ceilDiv(columns, GROUP)) {
      throw parts.wrong(
          "its scales have the shape " + scale.shape() + " for " + columns + " inputs");
    }
    parts.requireShape(scale, groups, rows);
    float[] scales = scales(scale.data(), groups, rows, groups > 1 && GROUP < kept);
    PackedIntegers values =
        PackedIntegers.of(bits, kept, groups == 1 ? kept : GROUP / 2, codes, DType.F16, scales);
    return new Sparse24(rows, columns, mask, values);
  }

  /** Signed codes {@code [out, in / 2]}. */
  private static byte[] codes(MemorySegment words, int tiles, int rows, int bits) {
    int[] order = order(bits);
    int perWord = Integer.SIZE / bits;
    int inTile = rows * TILE;
    int kept = tiles * TILE;
    int half = 1 << bits - 1;
    byte[] codes = new byte[Math.multiplyExact(rows, kept)];
    for (int tile = 0; tile < tiles; tile++) {
      for (int i = 0; i < inTile; i++) {
        long word = (long) tile * (inTile / perWord) + i / perWord;
        int code = words.get(DType.INT, word * Integer.BYTES) >>> i % perWord * bits;
        int from = i / BLOCK * BLOCK + order[i % BLOCK];
        int row = from / (TILE * TILE) * TILE + from % TILE;
        int column = tile * TILE + from / TILE % TILE;
        codes[row * kept + column] = (byte) ((code & (1 << bits) - 1) - half);
      }
    }
    return codes;
  }

  /** Where in a block of four tiles each packed code comes from. */
  static int[] order(int bits) {
    int[] plain = new int[BLOCK];
    int at = 0;
    for (int lane = 0; lane < 32; lane++) {
      int column = lane / 4;
      for (int part = 0; part < 4; part++) {
        for (int block = 0; block < 2; block++) {
          for (int i = 0; i < 4; i++) {
            int row = 2 * (lane % 4 + i / 2 * 4) + i % 2;
            plain[at++] =
                TILE * row + column / 2 * TILE * TILE + 8 * (column % 2) + 4 * block + part;
          }
        }
      }
    }
    int[] interleaved = bits == 4 ? INTERLEAVED_4 : INTERLEAVED_8;
    int[] order = new int[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
      int run = i / interleaved.length * interleaved.length;
      order[i] = plain[run + interleaved[i % interleaved.length]];
    }
    return order;
  }

  private static Mask mask(LayerParts parts, int rows, int columns) {
    int metaColumns = columns / META_COLUMNS;
    MemorySegment meta =
        parts.data("meta", SafetensorsType.I16, metaColumns / 2, Math.multiplyExact(rows, 2));
    Mask mask = Mask.none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < metaColumns; column++) {
        int element = meta.get(DType.SHORT, 2L * place(row, column, rows));
        for (int group = 0; group < 4; group++) {
          int code = element >>> 4 * group;
          int first = code & 3;
          int second = code >>> 2 & 3;
          if (first >= second) {
            throw parts.wrong(
                "its metadata keeps the columns "
                    + first
                    + " and "
                    + second
                    + " of a group in row "
                    + row);
          }
          int start = column * META_COLUMNS + group * Sparse24.GROUP;
          mask.keep(row, start + first);
          mask.keep(row, start + second);
        }
      }
    }
    return mask;
  }

  /**
   * Where the metadata of a row's 16 columns lies, in elements: rows reordered within 64, blocks of
   * 2 x 2 swizzled, pairs of columns interleaved.
   */
  static long place(int row, int column, int rows) {
    int to =
        row / META_ROWS * META_ROWS
            + row % 2 * 2
            + row % 8 / 4
            + row % 4 / 2 * 32
            + row % META_ROWS / 8 * 4;
    int swizzle = to % 2 == 0 && column % 2 == 1 ? 1 : to % 2 == 1 && column % 2 == 0 ? -1 : 0;
    int toRow = to + swizzle;
    int toColumn = column - swizzle;
    return (long) (toColumn / 2) * rows * 2 + toRow * 2L + toColumn % 2;
  }

  private static float[] scales(MemorySegment packed, int groups, int rows, boolean permuted) {
    float[] scales = new float[Math.multiplyExact(rows, groups)];
    int run = SCALE_ORDER.length;
    for (int group = 0; group < groups; group++) {
      for (int i = 0; i < rows; i++) {
        int row = permuted ? i / run * run + SCALE_ORDER[i % run] : i;
        scales[row * groups + group] =
            Float.float16ToFloat(packed.get(DType.SHORT, 2L * ((long) group * rows + i)));
      }
    }
    return scales;
  }
}
