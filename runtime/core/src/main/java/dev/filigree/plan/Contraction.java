package dev.filigree.plan;

import dev.filigree.Shape;
import java.util.List;

/**
 * A sum of products of two operands as products of matrices: {@code [shared, m, k]} by {@code
 * [shared, k, n]}, each of these a group of axes.
 *
 * @param leftOrder axes of the left operand: those shared, those of its own, those summed
 * @param rightOrder axes of the right operand: those shared, those summed, those of its own
 * @param left {@code [shared, m, k]}
 * @param right {@code [shared, k, n]}
 * @param product {@code [shared, m, n]}
 * @param resultStrides elements of the product to step along each axis of the result
 * @param isInOrder whether the product lies as the result does
 */
record Contraction(
    int[] leftOrder,
    int[] rightOrder,
    Shape left,
    Shape right,
    Shape product,
    long[] resultStrides,
    boolean isInOrder) {
  /**
   * The groups of axes.
   *
   * @param terms letters of the operands' axes
   * @param result letters of the result's axes
   * @return null if some axis is in no group: it repeats, stretches, or is summed in one operand
   *     alone; or none is summed
   */
  static Contraction of(List<String> terms, String result, Shape a, Shape b) {
    String left = terms.get(0);
    String right = terms.get(1);
    StringBuilder shared = new StringBuilder();
    StringBuilder rows = new StringBuilder();
    StringBuilder columns = new StringBuilder();
    StringBuilder summed = new StringBuilder();
    for (char letter : result.toCharArray()) {
      boolean both = left.indexOf(letter) >= 0 && right.indexOf(letter) >= 0;
      (both ? shared : left.indexOf(letter) >= 0 ? rows : columns).append(letter);
    }
    for (char letter : left.toCharArray()) {
      if (result.indexOf(letter) < 0) {
        summed.append(letter);
      }
    }
    String leftAxes = "" + shared + rows + summed;
    String rightAxes = "" + shared + summed + columns;
    boolean grouped =
        !summed.isEmpty()
            && isSame(left, leftAxes)
            && isSame(right, rightAxes)
            && agree(left, a, right, b);
    if (!grouped) {
      return null;
    }
    long batch = size(shared, left, a);
    long m = size(rows, left, a);
    long k = size(summed, left, a);
    long n = size(columns, right, b);
    String made = "" + shared + rows + columns;
    long[] strides = new long[result.length()];
    long stride = 1;
    for (int axis = made.length() - 1; axis >= 0; axis--) {
      char letter = made.charAt(axis);
      strides[result.indexOf(letter)] = stride;
      stride *= left.indexOf(letter) >= 0 ? extent(left, a, letter) : extent(right, b, letter);
    }
    return new Contraction(
        order(leftAxes, left),
        order(rightAxes, right),
        Shape.of(batch, m, k),
        Shape.of(batch, k, n),
        Shape.of(batch, m, n),
        strides,
        made.equals(result));
  }

  /** Whether a term has each of some letters once and no other. */
  private static boolean isSame(String term, String letters) {
    return term.length() == letters.length()
        && term.chars().distinct().count() == term.length()
        && letters.chars().allMatch(letter -> term.indexOf(letter) >= 0);
  }

  private static boolean agree(String left, Shape a, String right, Shape b) {
    return left.chars()
        .filter(letter -> right.indexOf(letter) >= 0)
        .allMatch(letter -> extent(left, a, (char) letter) == extent(right, b, (char) letter));
  }

  private static long extent(String term, Shape shape, char letter) {
    return shape.extent(term.indexOf(letter));
  }

  private static long size(CharSequence letters, String term, Shape shape) {
    return letters.chars().mapToLong(l -> extent(term, shape, (char) l)).reduce(1, (x, y) -> x * y);
  }

  private static int[] order(String letters, String term) {
    return letters.chars().map(term::indexOf).toArray();
  }
}
