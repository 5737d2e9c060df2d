package dev.filigree.kernel.image;

/**
 * Which elements of an axis each element of the result is made of.
 *
 * @param elements of the input, for each element of the result; null where it lies outside
 * @param weights of those elements
 */
public record Taps(int[][] elements, double[][] weights) {
  private static final double[] ONE = {1};

  /** Every element stays itself. */
  static Taps same(long extent) {
    Taps taps = of(extent);
    for (int i = 0; i < extent; i++) {
      taps.single(i, i);
    }
    return taps;
  }

  static Taps of(long extent) {
    return new Taps(new int[Math.toIntExact(extent)][], new double[(int) extent][]);
  }

  /** Makes an element of the result of one of the input. */
  void single(int at, int element) {
    elements[at] = new int[] {element};
    weights[at] = ONE;
  }
}
