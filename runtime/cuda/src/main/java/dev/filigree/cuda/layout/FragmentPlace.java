package dev.filigree.cuda.layout;

import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.FragmentMetadata;

/**
 * Where a stored weight lies among the bytes that a warp's lanes hold of a 64-row panel and one
 * step along K, and how long a step is: the Java side of {@code gemm/panel.cuh}, which explains the
 * panel, its tiles and their rows.
 *
 * <pre>
 *   panel row r = 8g + 4h + t     tile t, fragment row g + 8h, so lane 4g + q
 *
 *   bytes of a lane for a tile, stored column k of the step
 *     16-bit, s8   b = k * bytes:  16 * (b/32) + 8 * (b%32/16) + 4h + b%4       q = b%16/4
 *     i8 as f16                     8 * (k/16) + 4h + 2 * (k%16/8) + k%2        q = k%8/2
 *     codes        half of it: the same number, in nibbles                      q = k%8/2
 *     books         as i8 as f16, but the lane's tiles are in the order q, q+1, q+2, q+3 (modulo 4)
 *
 *   a lane's bytes of tiles 0..3 in a row, B, lie in pieces of 16:   512 * (B/16) + 16 * lane + B%16
 * </pre>
 */
enum FragmentPlace {
  DENSE16(16, 32, 32, false),
  SPARSE16(16, 16, 16, true),
  DENSE8(8, 64, 32, false),
  SPARSE8(8, 32, 16, true),
  DENSE_BYTES(8, 32, 16, false),
  SPARSE_BYTES(8, 16, 8, true),
  DENSE_BOOKS(8, 32, 16, false),
  SPARSE_BOOKS(8, 16, 8, true),
  DENSE_CODES(4, 32, 8, false),
  SPARSE_CODES(4, 16, 4, true);

  /** Rows of a panel. */
  static final int PANEL_ROWS = 64;

  /** Bytes of activations in a step. */
  static final int STEP_BYTES = 64;

  /** Steps that K is padded to a multiple of. */
  static final int STEPS_TOGETHER = 2;

  private static final int TILES = 4;
  private static final int PIECE = 16;

  private final int bits;
  private final int storedPerStep;
  private final int laneBytes;
  private final boolean sparse;

  FragmentPlace(int bits, int storedPerStep, int laneBytes, boolean sparse) {
    this.bits = bits;
    this.storedPerStep = storedPerStep;
    this.laneBytes = laneBytes;
    this.sparse = sparse;
  }

  /** The place of a form of weights under activations of a type. */
  static FragmentPlace of(WeightsForm form, ActivationType activation) {
    boolean sparse = form.structure() == Structure.SPARSE24;
    return switch (form.values()) {
      case F16, BF16 -> sparse ? SPARSE16 : DENSE16;
      case I8 ->
          activation == ActivationType.I8
              ? sparse ? SPARSE8 : DENSE8
              : sparse ? SPARSE_BYTES : DENSE_BYTES;
      case I8_GROUPS -> sparse ? SPARSE_BYTES : DENSE_BYTES;
      case I4, CODEBOOK16 -> sparse ? SPARSE_CODES : DENSE_CODES;
      case CODEBOOK256 -> sparse ? SPARSE_BOOKS : DENSE_BOOKS;
    };
  }

  /** Bits of a stored weight. */
  int bits() {
    return bits;
  }

  /** Weights stored of a row in a step. */
  int storedPerStep() {
    return storedPerStep;
  }

  /** Columns of a step. */
  int columnsPerStep() {
    return sparse ? 2 * storedPerStep : storedPerStep;
  }

  /** Whether two of every four columns are stored, with metadata. */
  boolean isSparse() {
    return sparse;
  }

  /** Steps that cover columns, with the padding. */
  int steps(int columns) {
    return STEPS_TOGETHER * Math.ceilDiv(columns, STEPS_TOGETHER * columnsPerStep());
  }

  /** Panels that cover rows. */
  static int panels(int rows) {
    return Math.ceilDiv(rows, PANEL_ROWS);
  }

  /** Bytes of a panel and step. */
  int blockBytes() {
    return FragmentMetadata.LANES * TILES * laneBytes;
  }

  /** The metadata that goes with the instruction; meaningless for dense weights. */
  FragmentMetadata metadata() {
    return this == SPARSE8 ? FragmentMetadata.S8_K64 : FragmentMetadata.F16_K32;
  }

  /** Metadata words of a lane in a panel and step. */
  int metadataWords() {
    return sparse ? PANEL_ROWS / metadata().rowsPerWord() : 0;
  }

  /** Bytes of metadata of a panel and step. */
  int metadataBlockBytes() {
    return FragmentMetadata.LANES * metadataWords() * Integer.BYTES;
  }

  /** The panel row that is a fragment row of a tile. */
  static int panelRow(int tile, int fragmentRow) {
    return 8 * (fragmentRow % 8) + 4 * (fragmentRow / 8) + tile;
  }

  /** Half bytes from the start of a block to a stored weight. */
  int nibble(int panelRow, int stored) {
    int group = panelRow / 8;
    int half = panelRow % 8 / 4;
    int tile = panelRow % 4;
    int quad;
    int inTile;
    if (bits == 16 || this == DENSE8 || this == SPARSE8) {
      int b = stored * bits / 8;
      quad = b % 16 / 4;
      inTile = 2 * (16 * (b / 32) + 8 * (b % 32 / 16) + 4 * half + b % 4);
    } else {
      quad = stored % 8 / 2;
      inTile = bits / 4 * (8 * (stored / 16) + 4 * half + 2 * (stored % 16 / 8) + stored % 2);
    }
    // codes are looked up at different times, see gemm/format/books.cuh
    boolean inTurn = this == DENSE_BOOKS || this == SPARSE_BOOKS;
    int inOrder = inTurn ? Math.floorMod(tile - quad, TILES) : tile;
    int ofLane = 2 * laneBytes * inOrder + inTile;
    int lane = 4 * group + quad;
    return ofLane / (2 * PIECE) * (2 * PIECE * FragmentMetadata.LANES)
        + lane * 2 * PIECE
        + ofLane % (2 * PIECE);
  }
}
