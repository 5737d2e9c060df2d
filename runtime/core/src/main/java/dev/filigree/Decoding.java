package dev.filigree;

import dev.filigree.spi.SequenceRunner;

/** A sequence that a {@link Decoder} reads. To be used by one thread at a time. */
public final class Decoding implements AutoCloseable {
  private final SequenceRunner runner;
  private final SequenceRunner.Sequence sequence;
  private final float[] logits;

  Decoding(SequenceRunner runner, int vocabulary) {
    this.runner = runner;
    this.sequence = runner.sequence();
    this.logits = new float[vocabulary];
  }

  /**
   * Reads further tokens.
   *
   * @return the score of each token to follow the last one {@code [vocabulary]}; valid until the
   *     next call
   * @throws InputException if there are none, a token is none of the vocabulary, or the sequence
   *     becomes too long
   * @throws RejectedException if the cache is full; the sequence stays as it was
   * @throws IllegalStateException if the decoder was closed
   */
  public float[] read(long... tokens) {
    runner.run(sequence, tokens, logits);
    return logits;
  }

  /** Tokens that were read. */
  public int length() {
    return sequence.length();
  }

  /**
   * Forgets the last tokens.
   *
   * @param kept tokens that stay
   */
  public void truncate(int kept) {
    sequence.truncate(kept);
  }

  /** Gives its part of the cache back. */
  @Override
  public void close() {
    sequence.close();
  }
}
