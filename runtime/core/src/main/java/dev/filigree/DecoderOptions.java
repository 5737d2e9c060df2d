package dev.filigree;

/**
 * How a decoder runs. Immutable; every {@code with} method checks its value and says what is
 * allowed.
 *
 * @param session device, threads and kernels
 * @param longest tokens of a sequence at most, those that are read and those that are written
 * @param cacheBytes bytes that keys and values of all sequences together may take
 */
public record DecoderOptions(SessionOptions session, int longest, long cacheBytes) {
  /** Tokens of a sequence at most. */
  private static final int MAX_LONGEST = 1 << 20;

  public DecoderOptions {
    if (longest < 1 || longest > MAX_LONGEST) {
      throw new InputException(
          "option longest is " + longest, "choose a number from 1 to " + MAX_LONGEST);
    }
    if (cacheBytes < 1) {
      throw new InputException(
          "option cacheBytes is " + cacheBytes, "choose a positive number of bytes");
    }
  }

  /** The fastest device with all processors, 4096 tokens, 1 GiB of cache. */
  public static DecoderOptions defaults() {
    return new DecoderOptions(SessionOptions.defaults(), 4096, 1L << 30);
  }

  public DecoderOptions withSession(SessionOptions other) {
    return new DecoderOptions(other, longest, cacheBytes);
  }

  public DecoderOptions withLongest(int tokens) {
    return new DecoderOptions(session, tokens, cacheBytes);
  }

  public DecoderOptions withCacheBytes(long bytes) {
    return new DecoderOptions(session, longest, bytes);
  }
}
