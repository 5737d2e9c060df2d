package dev.filigree.compress.layer;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;

/** A random layer with correlated inputs. */
final class Problem {
  final int rows;
  final int inputs;
  final int tokens;
  final double[][] weights;
  final float[] x;
  final Moments moments;
  final WorkerPool pool;

  Problem(Samples samples, int rows, int inputs, int tokens, WorkerPool pool) {
    this.rows = rows;
    this.inputs = inputs;
    this.tokens = tokens;
    this.pool = pool;
    this.weights = matrix(samples.normal(rows * inputs), rows, inputs);
    float[] mixing = samples.normal(inputs * inputs);
    float[] raw = samples.normal(tokens * inputs);
    this.x = new float[tokens * inputs];
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < inputs; i++) {
        // few common directions and a little of each input's own, of very different sizes
        double sum = 0.1 * raw[t * inputs + i];
        for (int j = 0; j < Math.max(1, inputs / 3); j++) {
          sum += raw[t * inputs + j] * mixing[j * inputs + i];
        }
        x[t * inputs + i] = (float) (sum * (1 + i % 5) + i % 3);
      }
    }
    this.moments = new Moments(inputs, true, KernelSets.open(KernelSets.SCALAR), pool);
    moments.add(x, tokens);
  }

  static double[][] matrix(float[] values, int rows, int columns) {
    double[][] matrix = new double[rows][columns];
    for (int i = 0; i < values.length; i++) {
      matrix[i / columns][i % columns] = values[i];
    }
    return matrix;
  }

  static double[][] copy(double[][] matrix) {
    double[][] copy = new double[matrix.length][];
    for (int i = 0; i < copy.length; i++) {
      copy[i] = matrix[i].clone();
    }
    return copy;
  }

  double[][] weights() {
    return copy(weights);
  }

  /** The outputs that weights and biases make. */
  float[] outputs(double[][] w, double[] bias) {
    float[] y = new float[tokens * rows];
    for (int t = 0; t < tokens; t++) {
      for (int r = 0; r < rows; r++) {
        double sum = bias == null ? 0 : bias[r];
        for (int i = 0; i < inputs; i++) {
          sum += w[r][i] * x[t * inputs + i];
        }
        y[t * rows + r] = (float) sum;
      }
    }
    return y;
  }

  /** Squared error of outputs, row by row. */
  double[] errors(float[] targets, double[][] w, double[] bias) {
    double[] errors = new double[rows];
    for (int t = 0; t < tokens; t++) {
      for (int r = 0; r < rows; r++) {
        double sum = bias == null ? 0 : bias[r];
        for (int i = 0; i < inputs; i++) {
          sum += w[r][i] * x[t * inputs + i];
        }
        double difference = targets[t * rows + r] - sum;
        errors[r] += difference * difference;
      }
    }
    return errors;
  }

  /** Squared error of the outputs that the original weights make. */
  double error(double[][] w) {
    double[][] lost = copy(weights);
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < inputs; i++) {
        lost[r][i] -= w[r][i];
      }
    }
    return moments.outputEnergy(lost);
  }

  Outputs targets(float[] values) {
    Outputs targets = new Outputs(rows, inputs, KernelSets.open(KernelSets.SCALAR), pool);
    targets.add(values, x, tokens);
    return targets;
  }
}
