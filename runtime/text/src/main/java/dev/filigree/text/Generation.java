package dev.filigree.text;

import java.util.List;

/**
 * A text that a decoder wrote.
 *
 * @param text without the prompt
 * @param prompt tokens of the prompt
 * @param tokens that were written, without the one that ended it
 * @param end why it ended
 * @param promptMillis spent on reading the prompt
 * @param writeMillis spent on all tokens after the first
 */
public record Generation(
    String text,
    List<Long> prompt,
    List<Long> tokens,
    End end,
    double promptMillis,
    double writeMillis) {
  public Generation {
    prompt = List.copyOf(prompt);
    tokens = List.copyOf(tokens);
  }

  /** Why a text ends. */
  public enum End {
    /** The model wrote one of its end tokens. */
    COMPLETE,
    /** As many tokens as were asked for, or as the decoder can hold, are written. */
    LENGTH,
    /** The listener wanted no more. */
    STOPPED
  }

  /** Tokens a second after the first; NaN if there was only one. */
  public double tokensPerSecond() {
    return tokens.size() < 2 ? Double.NaN : (tokens.size() - 1) / writeMillis * 1e3;
  }
}
