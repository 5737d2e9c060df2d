package dev.filigree.plan;

import dev.filigree.Shape;

/**
 * What a plan computes of a batch whose rows were padded to one length: tokens that are no padding,
 * one row's after the other's, so that no panel holds any of it but the last. Values of all tokens
 * have the shapes that the graph gives them and panels of fewer tokens; where they are row-major,
 * padding is there and is 0. Which tokens these are is told to each run ({@link Sequences}).
 *
 * <pre>
 *   row 0:  a b c . . .
 *   row 1:  d e f g h .      panels: a b c d e f g h i j
 *   row 2:  i j . . . .
 * </pre>
 *
 * @param rows of the batch
 * @param longest tokens of a row, padding included
 * @param tokens that there is room for
 */
record Ragged(int rows, int longest, int tokens) {
  /**
   * Whether a shape is one of a value of each token: {@code [rows, longest, features]}, or flat.
   */
  boolean isOver(Shape shape) {
    if (shape.rank() < 2) {
      return false;
    }
    long before = 1;
    boolean betweenRows = false;
    for (int axis = 0; axis < shape.rank() - 1; axis++) {
      before *= shape.extent(axis);
      betweenRows |= before == rows;
    }
    boolean flat = shape.rank() == 2;
    return before == (long) rows * longest && (betweenRows || flat);
  }
}
