package dev.filigree.weights;

/**
 * Which lane of a warp supplies which metadata nibble to {@code mma.sp}, for the three large
 * shapes. A register word holds eight nibbles, nibble i in the bits {@code [4i, 4i+4)}. Chunks are
 * counted along K inside one instruction.
 *
 * <pre>
 *   m16n8k32 f16/bf16 and m16n8k16 tf32, selector s: one word a lane serves two m-tiles (s = 0 and 1)
 *     row r (0..15), chunk c (0..7)    lane = 4*(r%8) + 2*s + c/4            nibble = 4*(r/8) + c%4
 *
 *   m16n8k64 s8/u8, selector 0: one word a lane serves one m-tile; the row moves into the lane
 *     row r (0..15), chunk c (0..15)   lane = 4*(r%8) + r/8 + 2*(c/8)        nibble = c%8
 * </pre>
 *
 * Source: PTX ISA 9.7.14.6.1; checked against the reordering of CUTLASS's {@code host_reorder.h}.
 */
public enum FragmentMetadata {
  /** m16n8k32 with f16 or bf16 values. */
  F16_K32(8, 2),
  /** m16n8k64 with s8 or u8 values. */
  S8_K64(16, 1),
  /** m16n8k16 with tf32 values, where a chunk is a pair of columns of which one is kept. */
  TF32_K16(8, 2);

  /** Lanes of a warp. */
  public static final int LANES = 32;

  /** Rows of an m-tile. */
  private static final int TILE_ROWS = 16;

  private final int chunks;
  private final int tilesPerWord;

  FragmentMetadata(int chunks, int tilesPerWord) {
    this.chunks = chunks;
    this.tilesPerWord = tilesPerWord;
  }

  /** Nibbles of a row that one instruction consumes. */
  public int chunksPerStep() {
    return chunks;
  }

  /** Rows that one register word of every lane describes. */
  public int rowsPerWord() {
    return TILE_ROWS * tilesPerWord;
  }

  /**
   * The register word of every lane for one step along K.
   *
   * @param nibbles of the rows {@code [rowsPerWord, chunksPerStep]} of this step
   */
  public int[] lanes(Nibbles nibbles) {
    int[] words = new int[LANES];
    for (int row = 0; row < rowsPerWord(); row++) {
      int selector = row / TILE_ROWS;
      int r = row % TILE_ROWS;
      for (int c = 0; c < chunks; c++) {
        int lane;
        int nibble;
        if (this == S8_K64) {
          lane = 4 * (r % 8) + r / 8 + 2 * (c / 8);
          nibble = c % 8;
        } else {
          lane = 4 * (r % 8) + 2 * selector + c / 4;
          nibble = 4 * (r / 8) + c % 4;
        }
        words[lane] |= nibbles.at(row, c) << 4 * nibble;
      }
    }
    return words;
  }

  /** Reads the nibble of a row and chunk. */
  @FunctionalInterface
  public interface Nibbles {
    int at(int row, int chunk);
  }
}
