package dev.filigree.text;

import dev.filigree.InputException;

/**
 * How texts are encoded.
 *
 * @param batch texts that run together at most
 * @param truncate whether a text longer than the model's limit is cut instead of refused
 */
public record EncoderOptions(int batch, boolean truncate) {
  /** Batches of 32, nothing cut. */
  public static final EncoderOptions DEFAULTS = new EncoderOptions(32, false);

  public EncoderOptions {
    if (batch < 1 || batch > 4096) {
      throw new InputException("option batch is " + batch, "choose a number from 1 to 4096");
    }
  }

  public EncoderOptions withTruncation() {
    return new EncoderOptions(batch, true);
  }
}
