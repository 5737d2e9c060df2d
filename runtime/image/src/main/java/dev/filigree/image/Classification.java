package dev.filigree.image;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What a classifier makes of an image. Immutable.
 *
 * @param probabilities of all classes, together 1
 */
public record Classification(float[] probabilities) {
  public Classification {
    probabilities = probabilities.clone();
  }

  @Override
  public float[] probabilities() {
    return probabilities.clone();
  }

  /** The probability of a class. */
  public float probability(int index) {
    return probabilities[index];
  }

  /** The likeliest class; the first of several. */
  public int best() {
    return top(1).getFirst();
  }

  /** The likeliest classes, the likeliest first. */
  public List<Integer> top(int count) {
    return IntStream.range(0, probabilities.length)
        .boxed()
        .sorted(Comparator.comparingDouble(index -> -probabilities[index]))
        .limit(count)
        .toList();
  }
}
