package dev.filigree.compress;

import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Values;
import java.util.Arrays;

/**
 * Rounds to the centroids of codebooks.
 *
 * @param bits of a code
 * @param rowsPerBook neighbouring rows that share a codebook, or {@link CodeValues#ALL}
 * @param centroids {@code [books, 2^bits]}, ascending as far as they are used
 * @param used centroids of each codebook that are
 * @param cost within the clusters of all codebooks
 * @param overOptimum within-cluster cost of all codebooks over the least possible; 1 if exact
 */
record CodebookCoder(
    int bits, int rowsPerBook, float[] centroids, int[] used, double cost, double overOptimum)
    implements Coder {
  private static final long SEED = 0;

  static CodebookCoder fit(
      Encoding.Codes encoding, float[] values, int rows, int perRowCount, float[] sensitivity) {
    int rowsPerBook = encoding.rowsPerBook();
    int size = 1 << encoding.bits();
    int together = rowsPerBook == CodeValues.ALL ? Math.max(1, rows) : rowsPerBook;
    int books = Math.max(1, Math.ceilDiv(rows, together));
    float[] centroids = new float[books * size];
    int[] used = new int[books];
    double[] costs = new double[2];
    for (int book = 0; book < books; book++) {
      int from = book * together * perRowCount;
      int to = Math.min(values.length, from + together * perRowCount);
      float[] found =
          centroids(
              encoding,
              Arrays.copyOfRange(values, from, to),
              sensitivity == null ? null : Arrays.copyOfRange(sensitivity, from, to),
              size,
              costs);
      System.arraycopy(found, 0, centroids, book * size, found.length);
      used[book] = Math.max(1, found.length);
    }
    double overOptimum = costs[0] == costs[1] ? 1 : costs[0] / costs[1];
    return new CodebookCoder(encoding.bits(), rowsPerBook, centroids, used, costs[0], overOptimum);
  }

  /** Sum of the squares of values, each as often as it matters. */
  static double energy(float[] values, float[] sensitivity) {
    double energy = 0;
    for (int i = 0; i < values.length; i++) {
      double square = (double) values[i] * values[i];
      energy += sensitivity == null ? square : sensitivity[i] * square;
    }
    return energy;
  }

  /**
   * Centroids in ascending order; a zero among the values is kept exactly.
   *
   * @param costs to which the cost of the clusters, and the least possible, are added
   */
  private static float[] centroids(
      Encoding.Codes encoding, float[] values, float[] sensitivity, int size, double[] costs) {
    float[] others = new float[values.length];
    float[] weights = sensitivity == null ? null : new float[values.length];
    int count = 0;
    for (int i = 0; i < values.length; i++) {
      if (values[i] != 0) {
        if (weights != null) {
          weights[count] = sensitivity[i];
        }
        others[count++] = values[i];
      }
    }
    boolean hasZero = count < values.length;
    float[] nonzero = Arrays.copyOf(others, count);
    float[] matters = weights == null ? null : Arrays.copyOf(weights, count);
    int k = hasZero ? size - 1 : size;
    KMeans.Clusters clusters =
        encoding.start() == null
            ? KMeans.exact(nonzero, matters, k)
            : Lloyd.cluster(nonzero, matters, k, encoding.start(), encoding.restarts(), SEED);
    costs[0] += clusters.cost();
    costs[1] +=
        encoding.start() == null ? clusters.cost() : KMeans.exact(nonzero, matters, k).cost();
    float[] found = clusters.centroids();
    if (!hasZero) {
      return found;
    }
    float[] withZero = Arrays.copyOf(found, found.length + 1);
    Arrays.sort(withZero);
    return withZero;
  }

  private int book(int row) {
    return rowsPerBook == CodeValues.ALL ? 0 : row / rowsPerBook;
  }

  private int code(int row, float value) {
    int book = book(row);
    int from = book << bits;
    return KMeans.nearest(centroids, from, from + used[book], value) - from;
  }

  @Override
  public double round(int row, int column, double value) {
    return centroids[(book(row) << bits) + code(row, (float) value)];
  }

  @Override
  public Values encode(float[] values, int rows, int perRowCount) {
    byte[] codes = new byte[values.length];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) code(i / perRowCount, values[i]);
    }
    return CodeValues.of(bits, codes, centroids, rowsPerBook);
  }

  @Override
  public Values encode(float[] values, Mask mask) {
    byte[] codes = new byte[values.length];
    int at = 0;
    for (int row = 0; row < mask.rows(); row++) {
      for (int end = at + mask.keptInRow(row); at < end; at++) {
        codes[at] = (byte) code(row, values[at]);
      }
    }
    return CodeValues.of(bits, codes, centroids, rowsPerBook);
  }
}
