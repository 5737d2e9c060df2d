package dev.filigree.compress.layer;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;

/**
 * What the outputs T of a layer should be, as far as least squares needs it: {@code T^T X} with the
 * layer's inputs X, and the sums and squares of T.
 */
public final class Outputs {
  private final int outputs;
  private final Products cross;
  private final double[] sums;
  private final double[] squares;

  /** Targets over no tokens yet. */
  public Outputs(int outputs, int inputs, Kernels kernels, WorkerPool pool) {
    this.outputs = outputs;
    this.cross = new Products(outputs, inputs, false, kernels, pool);
    this.sums = new double[outputs];
    this.squares = new double[outputs];
  }

  /** Adds tokens: targets {@code [count, outputs]} and inputs {@code [count, inputs]}. */
  public void add(float[] t, float[] x, int count) {
    for (int i = 0; i < count; i++) {
      for (int o = 0; o < outputs; o++) {
        double value = t[i * outputs + o];
        sums[o] += value;
        squares[o] += value * value;
      }
    }
    cross.add(t, x, count);
  }

  /** {@code T^T X [outputs, inputs]}. */
  double[][] cross() {
    return cross.sum();
  }

  /** Sum of an output's targets. */
  double sum(int output) {
    return sums[output];
  }

  /** Sum of the squares of an output's targets. */
  double squares(int output) {
    return squares[output];
  }
}
