package dev.filigree.text;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.InputException;
import dev.filigree.Model;
import java.util.ArrayList;
import java.util.List;

/**
 * Goes on writing where a prompt ends, with a decoder and its tokenizer, and hands out the text as
 * it comes. Thread-safe; texts of several threads take turns token by token.
 */
public final class TextGenerator implements AutoCloseable {
  /** What stands in a text for bytes that make no character yet. */
  private static final char INCOMPLETE = '\ufffd';

  private final Decoder decoder;
  private final Tokenizer tokenizer;

  private TextGenerator(Decoder decoder, Tokenizer tokenizer) {
    this.decoder = decoder;
    this.tokenizer = tokenizer;
  }

  /** Hears the text as it is written. */
  @FunctionalInterface
  public interface Listener {
    /**
     * More text was written.
     *
     * @param piece of whole characters
     * @return whether to go on
     */
    boolean piece(String piece);
  }

  /**
   * Opens a generator with the default options.
   *
   * @param model a decoder with its tokenizer; stays the caller's to close
   * @throws dev.filigree.UnsupportedException if the model is no decoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static TextGenerator open(Model model) {
    return open(model, DecoderOptions.defaults());
  }

  /**
   * Opens a generator.
   *
   * @throws dev.filigree.UnsupportedException if the model is no decoder
   * @throws dev.filigree.FormatException if it has no tokenizer
   */
  public static TextGenerator open(Model model, DecoderOptions options) {
    Decoder decoder = model.decoder(options);
    try {
      return new TextGenerator(decoder, Tokenizer.of(model));
    } catch (RuntimeException | Error failed) {
      decoder.close();
      throw failed;
    }
  }

  /** The decoder it runs. */
  public Decoder decoder() {
    return decoder;
  }

  /** Goes on writing where a prompt ends. */
  public Generation generate(String prompt, Sampling sampling) {
    return generate(prompt, sampling, piece -> true);
  }

  /**
   * Goes on writing where a prompt ends.
   *
   * @param listener hears each piece from this thread
   * @throws InputException if the prompt has no tokens, or more than the decoder takes
   * @throws dev.filigree.RejectedException if the cache is full
   */
  public Generation generate(String prompt, Sampling sampling, Listener listener) {
    long[] read = tokenizer.encode(List.of(prompt))[0].ids();
    if (read.length == 0) {
      throw new InputException("the prompt '" + prompt + "' has no tokens", "pass a text");
    }
    int longest = decoder.options().longest();
    if (read.length >= longest) {
      throw new InputException(
          "the prompt has " + read.length + " tokens, which leaves no room for more",
          "shorten it to less than " + longest + " tokens, or open the decoder for more");
    }
    Sampler sampler = new Sampler(sampling);
    try (Decoding decoding = decoder.start()) {
      long start = System.nanoTime();
      Writing writing = new Writing(listener);
      float[] scores = decoding.read(read);
      long first = System.nanoTime();
      Generation.End end = null;
      while (end == null) {
        long token = sampler.next(scores);
        if (decoder.ends().contains(token)) {
          end = Generation.End.COMPLETE;
        } else if (!writing.add(token)) {
          end = Generation.End.STOPPED;
        } else if (writing.tokens.size() == sampling.maxTokens() || decoding.length() == longest) {
          end = Generation.End.LENGTH;
        } else {
          scores = decoding.read(token);
        }
      }
      List<Long> prefix = new ArrayList<>();
      for (long token : read) {
        prefix.add(token);
      }
      return new Generation(
          writing.finish(),
          prefix,
          writing.tokens,
          end,
          (first - start) / 1e6,
          (System.nanoTime() - first) / 1e6);
    }
  }

  /** Turns tokens into pieces of text; a character may take several tokens. */
  private final class Writing {
    private final Listener listener;
    private final List<Long> tokens = new ArrayList<>();
    private String told = "";

    Writing(Listener listener) {
      this.listener = listener;
    }

    private String text() {
      return tokenizer.decode(tokens.stream().mapToLong(Long::longValue).toArray());
    }

    /** Whether the listener wants more. */
    boolean add(long token) {
      tokens.add(token);
      String text = text();
      boolean whole = !text.isEmpty() && text.charAt(text.length() - 1) != INCOMPLETE;
      if (!whole || !text.startsWith(told) || text.length() == told.length()) {
        return true;
      }
      String piece = text.substring(told.length());
      told = text;
      return listener.piece(piece);
    }

    /** The whole text; the listener hears what is left of it. */
    String finish() {
      String text = text();
      if (text.startsWith(told) && text.length() > told.length()) {
        listener.piece(text.substring(told.length()));
      }
      return text;
    }
  }

  /** Ends decoder and tokenizer; the model stays open. */
  @Override
  public void close() {
    decoder.close();
    tokenizer.close();
  }
}
