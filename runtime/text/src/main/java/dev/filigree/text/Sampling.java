package dev.filigree.text;

import dev.filigree.InputException;

/**
 * How the next token is chosen. Immutable; every {@code with} method checks its value and says what
 * is allowed.
 *
 * @param maxTokens tokens to write at most
 * @param temperature divisor of the scores; 0 always takes the likeliest token
 * @param topK only that many of the likeliest tokens are considered; 0 for all
 * @param topP only the likeliest tokens that together reach this probability are considered (A.
 *     Holtzman et al., The Curious Case of Neural Text Degeneration, 2019); 1 for all
 * @param seed of the random numbers: the same seed writes the same text
 */
public record Sampling(int maxTokens, double temperature, int topK, double topP, long seed) {
  public Sampling {
    if (maxTokens < 1) {
      throw new InputException("option maxTokens is " + maxTokens, "choose 1 or more");
    }
    if (!(temperature >= 0) || temperature > 1e6) {
      throw new InputException(
          "option temperature is " + temperature, "choose 0 for the likeliest token, or up to 1e6");
    }
    if (topK < 0) {
      throw new InputException("option topK is " + topK, "choose 0 for all tokens, or more");
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new InputException("option topP is " + topP, "choose above 0, and 1 for all tokens");
    }
  }

  /** The likeliest token each time, at most 128. */
  public static Sampling greedy() {
    return new Sampling(128, 0, 0, 1, 0);
  }

  public Sampling withMaxTokens(int tokens) {
    return new Sampling(tokens, temperature, topK, topP, seed);
  }

  public Sampling withTemperature(double divisor) {
    return new Sampling(maxTokens, divisor, topK, topP, seed);
  }

  public Sampling withTopK(int tokens) {
    return new Sampling(maxTokens, temperature, tokens, topP, seed);
  }

  public Sampling withTopP(double probability) {
    return new Sampling(maxTokens, temperature, topK, probability, seed);
  }

  public Sampling withSeed(long number) {
    return new Sampling(maxTokens, temperature, topK, topP, number);
  }
}
