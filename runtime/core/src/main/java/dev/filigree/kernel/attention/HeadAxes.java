package dev.filigree.kernel.attention;

import dev.filigree.Tensor;

/**
 * Where the features of a token in a head lie, in {@code [batch, heads, tokens, width]} as in
 * {@code [batch, tokens, heads * width]}. Rows are counted by batch, head and token.
 */
record HeadAxes(long batches, long heads, long tokens, long width, boolean split) {
  /** The axes of a tensor; the number of heads matters only where they are joined. */
  static HeadAxes of(Tensor x, long heads) {
    return x.shape().rank() == 4
        ? new HeadAxes(
            x.shape().extent(0),
            x.shape().extent(1),
            x.shape().extent(2),
            x.shape().extent(3),
            true)
        : new HeadAxes(
            x.shape().extent(0), heads, x.shape().extent(1), x.shape().extent(2) / heads, false);
  }

  long rows() {
    return batches * heads * tokens;
  }

  long token(long row) {
    return row % tokens;
  }

  long batch(long row) {
    return row / tokens / heads;
  }

  /** First element of a row. */
  long start(long row) {
    return start(batch(row), row / tokens % heads, token(row));
  }

  /** First element of a token in a head of a batch. */
  long start(long batch, long head, long token) {
    return split
        ? ((batch * heads + head) * tokens + token) * width
        : ((batch * tokens + token) * heads + head) * width;
  }
}
