package dev.filigree.spi;

import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.plan.LayerPlan;
import java.util.List;

/**
 * Runs a decoder that remembers what its sequences have read, on one device. Thread-safe; one run
 * at a time.
 */
public interface SequenceRunner extends AutoCloseable {
  /** What was read of one text. Used by one thread at a time. */
  interface Sequence extends AutoCloseable {
    /** Tokens that were read. */
    int length();

    /**
     * Forgets the last tokens, so that the sequence may go on differently.
     *
     * @param kept tokens that stay
     */
    void truncate(int kept);

    /** Gives its part of the cache back. May be called again. */
    @Override
    void close();
  }

  /** Name of the kernel set. */
  String kernels();

  /** Bytes of weights laid out for the kernels, beside the model's own. */
  long packedBytes();

  /** Bytes of the cache's pages, those in use and those that were. */
  long cacheBytes();

  /** Bytes of cache that a token takes. */
  double bytesPerToken();

  /** What reading a number of tokens at once does, layer by layer. */
  List<LayerPlan> layers(int tokens);

  /** A sequence that has read nothing. */
  Sequence sequence();

  /**
   * Reads tokens.
   *
   * @param sequence of this runner, to go on
   * @param tokens one or more
   * @param logits receives the scores of what follows the last of them {@code [vocabulary]}
   * @throws InputException if there are none, a token is none of the vocabulary, or the sequence
   *     becomes too long
   * @throws RejectedException if the cache is full; the sequence stays as it was
   * @throws dev.filigree.DeviceException if the device fails
   */
  void run(Sequence sequence, long[] tokens, float[] logits);

  /** Frees everything; sequences cannot be read on. May be called again. */
  @Override
  void close();
}
