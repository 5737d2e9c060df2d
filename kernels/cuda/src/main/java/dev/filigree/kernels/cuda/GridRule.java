package dev.filigree.kernels.cuda;

/** How many blocks a kernel is launched with. */
public enum GridRule {
  /** One block. */
  SINGLE("single"),
  /**
   * Any number of blocks from 1 to tiles times K-steps of a linear layer, which share the work
   * evenly; with as many as there are tiles none is split. See {@code gemm/linear.cuh}.
   */
  STREAM_K("streamK"),
  /** One block for each row. */
  BLOCK_PER_ROW("blockPerRow"),
  /** One warp for each row, as many rows in a block as it has warps. */
  WARP_PER_ROW("warpPerRow"),
  /** One thread for each element. */
  ELEMENTS("elements"),
  /** For each element a share of a block's threads, a power of two that the launch chooses. */
  SHARES("shares"),
  /** One thread for each eight neighbours of a row that is padded to its pitch. */
  EIGHT_PER_THREAD("eightPerThread"),
  /**
   * Squares of a matrix under the outer axes; an edge has 32 elements, 64 of two bytes, 128 of one.
   * See {@code shape/transpose.cu}.
   */
  SQUARES("squares"),
  /** Along x the tiles of queries of each sequence, along y the heads. */
  QUERY_TILES("queryTiles"),
  /** One block for each tile of outputs, up to the pitch, and tokens. */
  OUTPUT_TILES("outputTiles"),
  /** Along x the tiles of a product of matrices, up to the pitch, along y the products. */
  MATRIX_TILES("matrixTiles"),
  /** One block for each 256 features of a sequence. */
  SEQUENCES("sequences"),
  /** Along x the sequences, along y the directions. */
  SEQUENCES_DIRECTIONS("sequencesDirections"),
  /** Along x any number of blocks that share an image, along y the images. */
  IMAGES("images"),
  /** Along x the tokens, along y the heads. */
  TOKENS_HEADS("tokensHeads");

  private final String label;

  GridRule(String label) {
    this.label = label;
  }

  /** The manifest's name. */
  public String label() {
    return label;
  }
}
