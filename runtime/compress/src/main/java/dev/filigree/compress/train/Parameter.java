package dev.filigree.compress.train;

import dev.filigree.InputException;
import dev.filigree.weights.Mask;

/**
 * Values that training changes: all of a tensor's; those that a mask keeps, the others being zero;
 * or the centroids that weights share, the assignment being fixed and zeros staying zero. The
 * gradient of a centroid is the sum of those of its weights (Han, Mao and Dally, arXiv 1510.00149,
 * equation 3). Not safe to share.
 */
public final class Parameter {
  /** Code of a weight that belongs to no centroid and stays zero. */
  public static final int ZERO = -1;

  private final String constant;
  private final int rows;
  private final int columns;
  private final float[] values;
  private final float[] gradient;
  private boolean[] kept;
  private int[] codes;
  private float[] centroids;

  /**
   * A parameter, all of whose values are free.
   *
   * @param constant of the graph whose place it takes
   * @param values {@code [rows, columns]}; changed by training
   */
  public Parameter(String constant, int rows, int columns, float[] values) {
    if (values.length != rows * columns) {
      throw new InputException(
          "parameter " + constant + " has " + values.length + " values",
          "pass " + rows + " x " + columns);
    }
    this.constant = constant;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
    this.gradient = new float[values.length];
  }

  /** The constant of the graph whose place it takes. */
  public String constant() {
    return constant;
  }

  public int rows() {
    return rows;
  }

  public int columns() {
    return columns;
  }

  /** The values {@code [rows, columns]}, not a copy. */
  public float[] values() {
    return values;
  }

  /** Sum of the gradients since it was last cleared, not a copy. */
  float[] gradient() {
    return gradient;
  }

  /** From now on the mask's zeros are zero and stay so. */
  public void prune(Mask mask) {
    if (mask.rows() != rows || mask.columns() != columns) {
      throw new InputException(
          "the mask of " + constant + " is " + mask.rows() + " x " + mask.columns(),
          "pass one of " + rows + " x " + columns);
    }
    kept = new boolean[values.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        kept[r * columns + c] = mask.kept(r, c);
      }
    }
    clearPruned();
  }

  /** What is kept, or null if all is. */
  public Mask mask() {
    return kept == null ? null : Mask.of(rows, columns, (r, c) -> kept[r * columns + c]);
  }

  /** Whether a value may be other than zero. */
  boolean isKept(int i) {
    return kept == null || kept[i];
  }

  /**
   * From now on weights are centroids.
   *
   * @param assignment the centroid of each weight, or {@link #ZERO}
   * @param values the centroids
   */
  public void share(int[] assignment, float[] values) {
    if (assignment.length != this.values.length) {
      throw new InputException(
          "parameter " + constant + " got " + assignment.length + " codes",
          "pass one for each of its " + this.values.length + " values");
    }
    codes = assignment.clone();
    centroids = values.clone();
    publish();
  }

  /** The centroid of each weight, or null if weights share none. */
  public int[] codes() {
    return codes == null ? null : codes.clone();
  }

  /** What training changes, not a copy: the centroids, or all values. */
  public float[] free() {
    return centroids == null ? values : centroids;
  }

  /** The gradient of what training changes, those of pruned values being zero. */
  float[] freeGradient() {
    if (centroids == null) {
      if (kept != null) {
        for (int i = 0; i < gradient.length; i++) {
          gradient[i] = kept[i] ? gradient[i] : 0;
        }
      }
      return gradient;
    }
    double[] sums = new double[centroids.length];
    for (int i = 0; i < codes.length; i++) {
      if (codes[i] != ZERO) {
        sums[codes[i]] += gradient[i];
      }
    }
    float[] summed = new float[sums.length];
    for (int i = 0; i < summed.length; i++) {
      summed[i] = (float) sums[i];
    }
    return summed;
  }

  /** Brings the values up to date after what training changes has moved. */
  void publish() {
    if (centroids != null) {
      for (int i = 0; i < codes.length; i++) {
        values[i] = codes[i] == ZERO ? 0 : centroids[codes[i]];
      }
    } else {
      clearPruned();
    }
  }

  private void clearPruned() {
    if (kept != null) {
      for (int i = 0; i < values.length; i++) {
        if (!kept[i]) {
          values[i] = 0;
        }
      }
    }
  }
}
