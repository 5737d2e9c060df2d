package dev.filigree.kernel.recurrent;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Binding;
import java.util.List;

/**
 * Weights of one direction of a recurrent layer and the state of the sequence that runs. The
 * weights are held transposed, so that the sums of all rows of all gates grow together, each in the
 * order of its row:
 *
 * <pre>
 *   w [gates * hidden, input]  -&gt;  across [input][gate 0: row 0, row 1, ... | gate 1: ... ]
 * </pre>
 */
final class Cell {
  final Node node;
  final int hidden;
  final double[] x;
  final double[] h;
  final double[] c;
  final double[] next;
  final double[] gates;
  private final Binding binding;
  private final double[] inputs;
  private final double[] recurrent;

  /** Biases of the inputs' shares, then of the states'. */
  private final double[] biases;

  private final double[] inputSums;
  private final double[] stateSums;
  private final Tensor peepholes;
  private final int rows;
  private final int direction;
  private final double clip;
  private final List<CellActivation> activations;

  /**
   * @param count of gates
   */
  Cell(Recurrent kind, Binding binding, int direction, int count) {
    this.node = binding.node();
    this.binding = binding;
    this.peepholes =
        kind == Recurrent.LSTM && binding.has(Recurrent.PEEPHOLES)
            ? binding.input(Recurrent.PEEPHOLES)
            : null;
    this.hidden = Math.toIntExact(binding.input(2).shape().extent(2));
    this.rows = Math.multiplyExact(count, hidden);
    this.direction = direction;
    this.x = new double[Math.toIntExact(binding.input(1).shape().extent(2))];
    this.inputs = new double[Math.multiplyExact(rows, x.length)];
    this.recurrent = new double[Math.multiplyExact(rows, hidden)];
    this.biases = new double[Math.multiplyExact(2, rows)];
    this.inputSums = new double[rows];
    this.stateSums = new double[rows];
    this.h = new double[hidden];
    this.c = new double[hidden];
    this.next = new double[hidden];
    this.gates = new double[2 * hidden];
    float clip = node.floatAttribute("clip", 0);
    this.clip = clip > 0 ? clip : Double.POSITIVE_INFINITY;
    this.activations = CellActivation.of(node, kind, direction);
  }

  /** Reads a step of a sequence. */
  void read(Tensor sequences, long row) {
    for (int i = 0; i < x.length; i++) {
      x[i] = sequences.getDouble(row * x.length + i);
    }
  }

  /** Sets a state from an input, or to 0 without it. */
  void load(double[] state, Binding binding, int input, long at) {
    boolean given = input >= 0 && binding.has(input);
    for (int i = 0; i < hidden; i++) {
      state[i] = given ? binding.input(input).getDouble(at + i) : 0;
    }
  }

  /** Reads the weights, which may have been computed since the last run. */
  void open() {
    across(binding.input(1), x.length, inputs);
    across(binding.input(2), hidden, recurrent);
    for (int i = 0; i < biases.length && binding.has(Recurrent.BIAS); i++) {
      biases[i] = binding.input(Recurrent.BIAS).getDouble((long) direction * biases.length + i);
    }
  }

  private void across(Tensor weights, int columns, double[] across) {
    long at = (long) direction * across.length;
    for (int row = 0; row < rows; row++) {
      for (int k = 0; k < columns; k++) {
        across[k * rows + row] = weights.getDouble(at++);
      }
    }
  }

  /** Sums the shares of the input and of the state for all gates. */
  void sum() {
    System.arraycopy(biases, 0, inputSums, 0, rows);
    addProduct(inputs, 0, rows, x, 0, x.length, inputSums);
    System.arraycopy(biases, rows, stateSums, 0, rows);
    addProduct(recurrent, 0, rows, h, 0, hidden, stateSums);
  }

  /** Sums the shares of one gate anew, of a state that starts somewhere in an array. */
  void sumState(int gate, double[] values, int start) {
    int from = gate * hidden;
    System.arraycopy(biases, rows + from, stateSums, from, hidden);
    addProduct(recurrent, from, hidden, values, start, hidden, stateSums);
  }

  private void addProduct(
      double[] across, int from, int count, double[] values, int start, int n, double[] sums) {
    for (int k = 0; k < n; k++) {
      double value = values[start + k];
      int at = k * rows;
      for (int row = from; row < from + count; row++) {
        sums[row] += across[at + row] * value;
      }
    }
  }

  /** A gate's share of the input, with its bias. */
  double input(int gate, int i) {
    return inputSums[gate * hidden + i];
  }

  /** A gate's share of the state, with its bias. */
  double state(int gate, int i) {
    return stateSums[gate * hidden + i];
  }

  double peephole(int gate, int i) {
    return peepholes == null
        ? 0
        : peepholes.getDouble(3L * direction * hidden + (long) gate * hidden + i);
  }

  double activate(int which, double value) {
    return activations.get(which).apply(Math.clamp(value, -clip, clip));
  }
}
