package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.weights.Mask;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which weights may be pruned together: chooses, from a score of every weight, the ones that stay.
 */
public sealed interface Structure {
  /** Two of every four consecutive inputs: what sparse tensor cores run. */
  Groups TWO_OF_FOUR = new Groups(2, 4);

  /**
   * The weights that stay.
   *
   * @param scores {@code [rows, columns]}, none of them NaN; the higher, the more a weight matters
   */
  Mask choose(float[] scores, int rows, int columns);

  /** The text that names it in recipes: {@code 2:4}, {@code unstructured} or {@code block}. */
  String label();

  /** What a fraction of weights is counted over. */
  enum Scope {
    /** All layers that a stage prunes, with one threshold. */
    GLOBAL,
    /** Each layer. */
    LAYER,
    /** Each output. */
    ROW
  }

  /**
   * Keeps the best of every few consecutive inputs. Of equal scores the lower index wins, so that
   * the choice does not depend on how sorting is done.
   *
   * @param keep weights that stay of a group
   * @param of weights of a group
   * @param shared neighbouring outputs that keep the same weights: a kernel loads an input once for
   *     all of them; what they lose together decides
   */
  record Groups(int keep, int of, int shared) implements Structure {
    public Groups {
      if (shared != 1 && shared != 2 && shared != 4 && shared != 8 && shared != 16) {
        throw new InputException(
            "a mask shared by " + shared + " outputs is not supported", "use 1, 2, 4, 8 or 16");
      }
      if (keep < 1 || keep >= of) {
        throw new InputException(
            "mask_structure " + keep + ":" + of + " keeps " + keep + " of every " + of + " weights",
            "keep at least 1 and fewer than all, for example 2:4");
      }
    }

    /** Every output for itself. */
    public Groups(int keep, int of) {
      this(keep, of, 1);
    }

    /** Whether the mask is one that sparse tensor cores run. */
    boolean is24() {
      return keep == 2 && of == 4;
    }

    @Override
    public Mask choose(float[] scores, int rows, int columns) {
      if (shared > 1) {
        float[] together = together(scores, rows, columns);
        Mask chosen = new Groups(keep, of).choose(together, Math.ceilDiv(rows, shared), columns);
        return Mask.of(rows, columns, (row, column) -> chosen.kept(row / shared, column));
      }
      Mask mask = Mask.none(rows, columns);
      for (int row = 0; row < rows; row++) {
        for (int first = 0; first < columns; first += of) {
          int end = Math.min(columns, first + of);
          for (int column = first; column < end; column++) {
            if (rank(scores, row * columns, first, end, column) < keep) {
              mask.keep(row, column);
            }
          }
        }
      }
      return mask;
    }

    /** The squares of the scores, summed over the outputs that share a mask. */
    private float[] together(float[] scores, int rows, int columns) {
      float[] sums = new float[Math.ceilDiv(rows, shared) * columns];
      for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
          float score = scores[row * columns + column];
          sums[row / shared * columns + column] += score * score;
        }
      }
      return sums;
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
      return keep + ":" + of + (shared == 1 ? "" : " shared by " + shared);
    }
  }

  /**
   * Prunes a fraction of weights, wherever they are: the nearest whole number of them. Of equal
   * scores the lower index stays.
   *
   * @param sparsity weights that go, from 0 to 1
   * @param scope over which they are counted
   */
  record Unstructured(double sparsity, Scope scope) implements Structure {
    public Unstructured {
      check(sparsity);
    }

    /** A fraction of each layer. */
    public Unstructured(double sparsity) {
      this(sparsity, Scope.LAYER);
    }

    @Override
    public Mask choose(float[] scores, int rows, int columns) {
      Mask mask = Mask.none(rows, columns);
      int together = scope == Scope.ROW ? columns : scores.length;
      for (int from = 0; from < scores.length; from += together) {
        int pruned = (int) Math.round(together * sparsity);
        int start = from;
        keep(
            Arrays.copyOfRange(scores, from, from + together),
            pruned,
            i -> mask.keep((start + i) / columns, (start + i) % columns));
      }
      return mask;
    }

    @Override
    public String label() {
      return "unstructured";
    }
  }

  /**
   * Prunes a fraction of rectangular blocks, by the sum of their squared scores. Blocks at the
   * edges may be smaller and are judged by the mean.
   *
   * @param rows outputs of a block
   * @param columns inputs of a block
   * @param sparsity blocks that go, from 0 to 1
   */
  record Block(int rows, int columns, double sparsity) implements Structure {
    public Block {
      check(sparsity);
      if (rows < 1 || columns < 1) {
        throw new InputException(
            "blocks of " + rows + " x " + columns, "choose 1 or more of both, for example 4x4");
      }
    }

    @Override
    public Mask choose(float[] scores, int ofRows, int ofColumns) {
      int across = Math.ceilDiv(ofColumns, columns);
      float[] blocks = new float[Math.ceilDiv(ofRows, rows) * across];
      double[] sums = new double[blocks.length];
      int[] counts = new int[blocks.length];
      for (int i = 0; i < scores.length; i++) {
        int block = i / ofColumns / rows * across + i % ofColumns / columns;
        sums[block] += (double) scores[i] * scores[i];
        counts[block]++;
      }
      for (int block = 0; block < blocks.length; block++) {
        blocks[block] = (float) (sums[block] / counts[block]);
      }
      boolean[] stays = new boolean[blocks.length];
      keep(blocks, (int) Math.round(blocks.length * sparsity), block -> stays[block] = true);
      return Mask.of(ofRows, ofColumns, (r, c) -> stays[r / rows * across + c / columns]);
    }

    @Override
    public String label() {
      return "block";
    }
  }

  private static void check(double sparsity) {
    if (!(sparsity > 0 && sparsity < 1)) {
      throw new InputException(
          "a sparsity of " + sparsity + " prunes nothing or everything",
          "choose a number between 0 and 1");
    }
  }

  /** Receives the index of what stays. */
  interface Keeper {
    void keep(int i);
  }

  /** Keeps all but the lowest scores; of equal ones the last go. */
  private static void keep(float[] scores, int pruned, Keeper keeper) {
    float[] sorted = scores.clone();
    Arrays.sort(sorted);
    float threshold = pruned == 0 ? Float.NEGATIVE_INFINITY : sorted[pruned - 1];
    int below = 0;
    while (below < pruned && sorted[below] < threshold) {
      below++;
    }
    int atThreshold = pruned - below;
    for (int i = scores.length - 1; i >= 0; i--) {
      if (scores[i] > threshold || scores[i] == threshold && --atThreshold < 0) {
        keeper.keep(i);
      }
    }
  }

  /** Texts of the form N:M, or N:M shared by R. */
  Pattern N_OF_M = Pattern.compile("(\\d{1,3}):(\\d{1,3})(?: shared by (\\d{1,2}))?");

  /** Texts of the form 4x4. */
  Pattern BLOCK = Pattern.compile("block (\\d{1,4})x(\\d{1,4})");

  /**
   * The structure a recipe names.
   *
   * @param label N:M (keep N of every M), {@code N:M shared by R}, {@code unstructured} or {@code
   *     block RxC}
   * @param sparsity of the others, null for N:M
   * @param scope of an unstructured one, null for a layer
   * @throws InputException if there is no such structure
   */
  static Structure of(String label, Double sparsity, Scope scope) {
    Matcher groups = N_OF_M.matcher(label);
    Matcher block = BLOCK.matcher(label);
    if (scope != null && !label.equals("unstructured")) {
      throw new InputException(
          "mask_structure " + label + " has no scope", "leave scope out, or use unstructured");
    }
    if (groups.matches()) {
      Groups found =
          new Groups(
              Integer.parseInt(groups.group(1)),
              Integer.parseInt(groups.group(2)),
              groups.group(3) == null ? 1 : Integer.parseInt(groups.group(3)));
      double implied = 1 - (double) found.keep / found.of;
      if (sparsity != null && Math.abs(sparsity - implied) > 1e-9) {
        throw new InputException(
            "mask_structure "
                + label
                + " keeps "
                + found.keep
                + " of "
                + found.of
                + ", a sparsity of "
                + String.format(Locale.ROOT, "%.3f", implied)
                + " and not "
                + sparsity,
            "leave sparsity out, or set mask_structure to unstructured");
      }
      return found;
    }
    if (!label.equals("unstructured") && !block.matches()) {
      throw new InputException(
          "mask_structure '" + label + "' is not supported",
          "use N:M such as 2:4 or 2:4 shared by 4, unstructured, or block RxC such as block 4x4");
    }
    if (sparsity == null) {
      throw new InputException(
          "mask_structure " + label + " needs a sparsity", "add for example \"sparsity\": 0.8");
    }
    return block.matches()
        ? new Block(Integer.parseInt(block.group(1)), Integer.parseInt(block.group(2)), sparsity)
        : new Unstructured(sparsity, scope == null ? Scope.LAYER : scope);
  }
}
