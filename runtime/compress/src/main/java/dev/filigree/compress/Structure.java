package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.weights.Mask;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which weights may be pruned together: chooses, from a score of every weight, the ones that stay.
 */
public sealed interface Structure {
  /**
   * The weights that stay.
   *
   * @param scores {@code [rows, columns]}, none of them NaN; the higher, the more a weight matters
   */
  Mask choose(float[] scores, int rows, int columns);

  /** The text that names it in recipes: {@code 2:4} or {@code unstructured}. */
  String label();

  /**
   * Keeps the best two of every four consecutive inputs. Of equal scores the lower index wins, so
   * that the choice does not depend on how sorting is done.
   */
  record TwoOfFour() implements Structure {
    private static final int GROUP = 4;
    private static final int KEPT = 2;

    @Override
    public Mask choose(float[] scores, int rows, int columns) {
      Mask mask = Mask.none(rows, columns);
      for (int row = 0; row < rows; row++) {
        for (int first = 0; first < columns; first += GROUP) {
          int end = Math.min(columns, first + GROUP);
          for (int column = first; column < end; column++) {
            if (rank(scores, row * columns, first, end, column) < KEPT) {
              mask.keep(row, column);
            }
          }
        }
      }
      return mask;
    }

    /** How many of a group come before a column. */
    private static int rank(float[] scores, int start, int first, int end, int column) {
      int better = 0;
      for (int other = first; other < end; other++) {
        float difference = scores[start + other] - scores[start + column];
        if (difference > 0 || difference == 0 && other < column) {
          better++;
        }
      }
      return better;
    }

    @Override
    public String label() {
      return "2:4";
    }
  }

  /**
   * Prunes a fraction of all weights of a layer, wherever they are: the nearest whole number of
   * them. Of equal scores the lower index stays.
   *
   * @param sparsity weights that go, from 0 to 1
   */
  record Unstructured(double sparsity) implements Structure {
    public Unstructured {
      if (!(sparsity > 0 && sparsity < 1)) {
        throw new InputException(
            "a sparsity of " + sparsity + " prunes nothing or everything",
            "choose a number between 0 and 1");
      }
    }

    @Override
    public Mask choose(float[] scores, int rows, int columns) {
      int pruned = (int) Math.round(scores.length * sparsity);
      float[] sorted = scores.clone();
      Arrays.sort(sorted);
      float threshold = pruned == 0 ? Float.NEGATIVE_INFINITY : sorted[pruned - 1];
      int below = 0;
      while (below < pruned && sorted[below] < threshold) {
        below++;
      }
      // of the weights at the threshold itself the last ones go
      int atThreshold = pruned - below;
      Mask mask = Mask.none(rows, columns);
      for (int i = scores.length - 1; i >= 0; i--) {
        if (scores[i] > threshold) {
          mask.keep(i / columns, i % columns);
        } else if (scores[i] == threshold) {
          if (atThreshold > 0) {
            atThreshold--;
          } else {
            mask.keep(i / columns, i % columns);
          }
        }
      }
      return mask;
    }

    @Override
    public String label() {
      return "unstructured";
    }
  }

  /** Texts of the form N:M. */
  Pattern N_OF_M = Pattern.compile("(\\d{1,3}):(\\d{1,3})");

  /**
   * The structure a recipe names.
   *
   * @param label {@code 2:4} or {@code unstructured}
   * @param sparsity of an unstructured one, null otherwise
   * @throws InputException if there is no such structure
   */
  static Structure of(String label, Double sparsity) {
    Matcher pattern = N_OF_M.matcher(label);
    if (label.equals("2:4")) {
      if (sparsity != null && sparsity != 0.5) {
        throw new InputException(
            "mask_structure 2:4 has a sparsity of one half, not " + sparsity,
            "leave sparsity out, or set mask_structure to unstructured");
      }
      return new TwoOfFour();
    }
    if (label.equals("unstructured")) {
      if (sparsity == null) {
        throw new InputException(
            "mask_structure unstructured needs a sparsity", "add for example \"sparsity\": 0.8");
      }
      return new Unstructured(sparsity);
    }
    throw new InputException(
        "mask_structure '" + label + "' is not supported" + (pattern.matches() ? " yet" : ""),
        "use 2:4 or unstructured");
  }
}
