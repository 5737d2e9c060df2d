package dev.filigree.kernel.math;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** The determinant of each square matrix, by Gaussian elimination with partial pivoting. */
public final class Determinant implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean square =
        x.rank() >= 2
            && (!x.dim(-1).isKnown() || !x.dim(-2).isKnown() || x.dim(-1).equals(x.dim(-2)));
    if (!square || !x.dtype().isFloating()) {
      throw node.problem("takes the determinant of " + x, "pass square matrices of floats");
    }
    return List.of(ValueType.of(x.dtype(), x.dims().subList(0, x.rank() - 2)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    int n = Math.toIntExact(x.shape().extent(-1));
    double[][] matrix = new double[n][n];
    return () -> {
      for (long m = 0; m < y.elements(); m++) {
        for (int i = 0; i < n * n; i++) {
          matrix[i / n][i % n] = x.getDouble(m * n * n + i);
        }
        y.setDouble(m, determinant(matrix, n));
      }
    };
  }

  private static double determinant(double[][] matrix, int n) {
    double determinant = 1;
    for (int column = 0; column < n; column++) {
      int pivot = column;
      for (int row = column + 1; row < n; row++) {
        if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) {
          pivot = row;
        }
      }
      double[] top = matrix[pivot];
      matrix[pivot] = matrix[column];
      matrix[column] = top;
      determinant *= pivot == column ? top[column] : -top[column];
      if (top[column] == 0) {
        return 0;
      }
      for (int row = column + 1; row < n; row++) {
        double factor = matrix[row][column] / top[column];
        for (int c = column; c < n; c++) {
          matrix[row][c] -= factor * top[c];
        }
      }
    }
    return determinant;
  }
}
