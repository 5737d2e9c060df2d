package dev.filigree.kernel.recurrent;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Binding;
import java.util.List;

/** Weights of one direction of a recurrent layer and the state of the sequence that runs. */
final class Cell {
  /** Position of an LSTM's peepholes among the inputs. */
  static final int PEEPHOLES = 7;

  private static final int BIAS = 3;

  final Node node;
  final int hidden;
  final double[] x;
  final double[] h;
  final double[] c;
  final double[] next;
  final double[] gates;
  private final Tensor w;
  private final Tensor r;
  private final Tensor bias;
  private final Tensor peepholes;
  private final long rows;
  private final int direction;
  private final double clip;
  private final List<CellActivation> activations;

  /**
   * @param count of gates
   */
  Cell(Recurrent kind, Binding binding, int direction, int count) {
    this.node = binding.node();
    this.w = binding.input(1);
    this.r = binding.input(2);
    this.bias = binding.has(BIAS) ? binding.input(BIAS) : null;
    this.peepholes =
        kind == Recurrent.LSTM && binding.has(PEEPHOLES) ? binding.input(PEEPHOLES) : null;
    this.hidden = Math.toIntExact(r.shape().extent(2));
    this.rows = (long) count * hidden;
    this.direction = direction;
    this.x = new double[Math.toIntExact(w.shape().extent(2))];
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

  /** A gate's share of the input, with its bias. */
  double input(int gate, int i, double[] values) {
    long row = direction * rows + (long) gate * hidden + i;
    double sum = bias == null ? 0 : bias.getDouble(2 * direction * rows + gate * hidden + i);
    for (int k = 0; k < values.length; k++) {
      sum += w.getDouble(row * values.length + k) * values[k];
    }
    return sum;
  }

  /** A gate's share of the state, with its bias. */
  double state(int gate, int i, double[] values) {
    return stateFrom(gate, i, values, 0);
  }

  /** The same of a state that starts somewhere in an array. */
  double stateFrom(int gate, int i, double[] values, int start) {
    long row = direction * rows + (long) gate * hidden + i;
    double sum = bias == null ? 0 : bias.getDouble((2 * direction + 1) * rows + gate * hidden + i);
    for (int k = 0; k < hidden; k++) {
      sum += r.getDouble(row * hidden + k) * values[start + k];
    }
    return sum;
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
