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
  /** Blocks whose threads stride over all elements. */
  ELEMENTS("elements");

  private final String label;

  GridRule(String label) {
    this.label = label;
  }

  /** The manifest's name. */
  public String label() {
    return label;
  }
}
