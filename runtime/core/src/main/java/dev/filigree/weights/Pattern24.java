package dev.filigree.weights;

import java.util.Arrays;
import java.util.Optional;

/**
 * Tells whether the zeros of a matrix follow the 2:4 pattern, and along which axis. Hardware needs
 * it along the inputs; pruning along the outputs by mistake looks the same in every summary and
 * costs the accuracy for nothing.
 */
public final class Pattern24 {
  private Pattern24() {}

  /** Axes along which groups of four may run. */
  public enum Axis {
    /** Consecutive inputs of one output: the reduction axis, which sparse kernels need. */
    IN("in"),
    /** Consecutive outputs of one input. */
    OUT("out");

    private final String label;

    Axis(String label) {
      this.label = label;
    }

    public String label() {
      return label;
    }
  }

  /** Weights that are not zero over all weights. */
  public static double density(Weights weights) {
    float[] row = new float[weights.columns()];
    long kept = 0;
    for (int r = 0; r < weights.rows(); r++) {
      weights.unpackRow(r, row, 0);
      for (float weight : row) {
        kept += weight != 0 ? 1 : 0;
      }
    }
    long all = (long) weights.rows() * weights.columns();
    return all == 0 ? 0 : (double) kept / all;
  }

  /**
   * The axis along which at most two of every four weights are not zero; the inputs if it is both.
   * An axis shorter than one group proves nothing, so a matrix of fewer than four rows never
   * follows the pattern along its outputs, nor one of fewer than four columns along its inputs.
   */
  public static Optional<Axis> axis(Weights weights) {
    if (weights instanceof Sparse24) {
      return Optional.of(Axis.IN);
    }
    int columns = weights.columns();
    float[] row = new float[columns];
    byte[] keptInGroup = new byte[columns];
    boolean alongIn = columns >= Sparse24.GROUP;
    boolean alongOut = weights.rows() >= Sparse24.GROUP;
    for (int r = 0; r < weights.rows() && (alongIn || alongOut); r++) {
      weights.unpackRow(r, row, 0);
      if (r % Sparse24.GROUP == 0) {
        Arrays.fill(keptInGroup, (byte) 0);
      }
      int kept = 0;
      for (int c = 0; c < columns; c++) {
        kept = c % Sparse24.GROUP == 0 ? 0 : kept;
        if (row[c] != 0) {
          alongIn &= ++kept <= Sparse24.KEPT;
          alongOut &= ++keptInGroup[c] <= Sparse24.KEPT;
        }
      }
    }
    if (alongIn) {
      return Optional.of(Axis.IN);
    }
    return alongOut ? Optional.of(Axis.OUT) : Optional.empty();
  }
}
