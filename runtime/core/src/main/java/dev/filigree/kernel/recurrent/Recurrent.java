package dev.filigree.kernel.recurrent;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Recurrent layers: RNN, GRU and LSTM, forward, backward or both ways, over sequences of different
 * lengths. Sums are kept in double.
 */
public enum Recurrent implements Operator {
  RNN(1, List.of("Tanh")) {
    @Override
    void step(Cell cell, double[] h, double[] c) {
      for (int i = 0; i < cell.hidden; i++) {
        cell.next[i] = cell.activate(0, cell.input(0, i) + cell.state(0, i));
      }
      System.arraycopy(cell.next, 0, h, 0, cell.hidden);
    }
  },

  /** Gates z, r, h (arXiv 1406.1078). */
  GRU(3, List.of("Sigmoid", "Tanh")) {
    @Override
    void step(Cell cell, double[] h, double[] c) {
      boolean late = cell.node.intAttribute("linear_before_reset", 0) != 0;
      int n = cell.hidden;
      for (int i = 0; i < n; i++) {
        cell.gates[i] = cell.activate(0, cell.input(0, i) + cell.state(0, i));
        double reset = cell.activate(0, cell.input(1, i) + cell.state(1, i));
        cell.gates[n + i] = late ? reset : reset * h[i];
      }
      if (!late) {
        cell.sumState(2, cell.gates, n);
      }
      for (int i = 0; i < n; i++) {
        double recurrent = late ? cell.gates[n + i] * cell.state(2, i) : cell.state(2, i);
        double candidate = cell.activate(1, cell.input(2, i) + recurrent);
        cell.next[i] = (1 - cell.gates[i]) * candidate + cell.gates[i] * h[i];
      }
      System.arraycopy(cell.next, 0, h, 0, n);
    }
  },

  /** Gates i, o, f, c; peepholes i, o, f (Hochreiter and Schmidhuber, 1997). */
  LSTM(4, List.of("Sigmoid", "Tanh", "Tanh")) {
    @Override
    void step(Cell cell, double[] h, double[] c) {
      boolean coupled = cell.node.intAttribute("input_forget", 0) != 0;
      for (int i = 0; i < cell.hidden; i++) {
        double before = c[i];
        double in =
            cell.activate(0, cell.input(0, i) + cell.state(0, i) + cell.peephole(0, i) * before);
        double forget =
            coupled
                ? 1 - in
                : cell.activate(
                    0, cell.input(2, i) + cell.state(2, i) + cell.peephole(2, i) * before);
        double candidate = cell.activate(1, cell.input(3, i) + cell.state(3, i));
        c[i] = forget * before + in * candidate;
        double out =
            cell.activate(0, cell.input(1, i) + cell.state(1, i) + cell.peephole(1, i) * c[i]);
        cell.next[i] = out * cell.activate(2, c[i]);
      }
      System.arraycopy(cell.next, 0, h, 0, cell.hidden);
    }
  };

  /** Position of the biases among the inputs. */
  public static final int BIAS = 3;

  /** Position of the sequences' lengths. */
  public static final int LENGTHS = 4;

  /** Position of the states at the beginning. */
  public static final int INITIAL_H = 5;

  /** Position of an LSTM's cells at the beginning. */
  public static final int INITIAL_C = 6;

  /** Position of an LSTM's peepholes. */
  public static final int PEEPHOLES = 7;

  private final int gates;
  private final List<String> activations;

  Recurrent(int gates, List<String> activations) {
    this.gates = gates;
    this.activations = activations;
  }

  /** How many gates a cell has. */
  public int gates() {
    return gates;
  }

  /** Activations of a direction that names none. */
  List<String> activations() {
    return activations;
  }

  /** One step of one sequence from the sums: replaces the state h and, in an LSTM, c. */
  abstract void step(Cell cell, double[] h, double[] c);

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public int leastOutputs() {
    return 0;
  }

  private static int directions(Node node) {
    return switch (node.textAttribute("direction", "forward")) {
      case "forward", "reverse" -> 1;
      case "bidirectional" -> 2;
      case String other ->
          throw node.problem("runs '" + other + "'", "use forward, reverse or bidirectional");
    };
  }

  private static boolean batchFirst(Node node) {
    return node.intAttribute("layout", 0) != 0;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType w = inputs.required(1);
    ValueType r = inputs.required(2);
    Dim directions = Dim.of(directions(node));
    if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3 || !x.dtype().isFloating()) {
      throw node.problem(
          "reads " + x + " with " + w + " and " + r,
          "pass sequences [seq, batch, input] and weights [directions, gates, ...]");
    }
    Dim hidden = r.dim(2);
    Dim rows = hidden.times(Dim.of(gates));
    require(node, "weights", w, List.of(directions, rows, x.dim(2)));
    require(node, "recurrence weights", r, List.of(directions, rows, hidden));
    Dim batch = x.dim(batchFirst(node) ? 0 : 1);
    Dim steps = x.dim(batchFirst(node) ? 1 : 0);
    List<Dim> state =
        batchFirst(node) ? List.of(batch, directions, hidden) : List.of(directions, batch, hidden);
    inputs
        .type(BIAS)
        .ifPresent(b -> require(node, "bias", b, List.of(directions, rows.plus(rows))));
    inputs.type(LENGTHS).ifPresent(l -> require(node, "lengths", l, List.of(batch)));
    inputs.type(INITIAL_H).ifPresent(h -> require(node, "initial state", h, state));
    if (this == LSTM) {
      inputs.type(INITIAL_C).ifPresent(c -> require(node, "initial cell", c, state));
      inputs
          .type(PEEPHOLES)
          .ifPresent(
              p -> require(node, "peepholes", p, List.of(directions, hidden.times(Dim.of(3)))));
    }
    List<Dim> all =
        batchFirst(node)
            ? List.of(batch, steps, directions, hidden)
            : List.of(steps, directions, batch, hidden);
    ValueType last = ValueType.of(x.dtype(), state);
    return this == LSTM
        ? List.of(ValueType.of(x.dtype(), all), last, last)
        : List.of(ValueType.of(x.dtype(), all), last);
  }

  private static void require(Node node, String what, ValueType type, List<Dim> dims) {
    boolean fits = type.rank() == dims.size();
    for (int axis = 0; fits && axis < dims.size(); axis++) {
      fits =
          !type.dim(axis).isKnown()
              || !dims.get(axis).isKnown()
              || type.dim(axis).equals(dims.get(axis));
    }
    if (!fits) {
      throw node.problem("has the " + what + " " + type, "pass the shape " + dims);
    }
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    int directions = directions(node);
    Cell[] cells = new Cell[directions];
    for (int d = 0; d < directions; d++) {
      cells[d] = new Cell(this, binding, d, gates);
    }
    Tensor x = binding.input(0);
    boolean batchFirst = batchFirst(node);
    long batch = x.shape().extent(batchFirst ? 0 : 1);
    long steps = x.shape().extent(batchFirst ? 1 : 0);
    boolean reversed = node.textAttribute("direction", "forward").equals("reverse");
    return () -> {
      for (int d = 0; d < directions; d++) {
        cells[d].open();
        for (long b = 0; b < batch; b++) {
          sequence(binding, cells[d], d, b, batch, steps, reversed || d == 1);
        }
      }
    };
  }

  private void sequence(
      Binding binding, Cell cell, int d, long b, long batch, long steps, boolean backward) {
    boolean batchFirst = batchFirst(binding.node());
    int directions = directions(binding.node());
    int n = cell.hidden;
    long state = (batchFirst ? b * directions + d : d * batch + b) * n;
    cell.load(cell.h, binding, INITIAL_H, state);
    cell.load(cell.c, binding, this == LSTM ? INITIAL_C : -1, state);
    long length = binding.has(LENGTHS) ? binding.input(LENGTHS).getLong(b) : steps;
    if (length < 0 || length > steps) {
      throw binding
          .node()
          .problem("runs " + length + " of " + steps + " steps", "pass lengths that exist");
    }
    Tensor y = binding.outputs().isEmpty() ? null : binding.output(0);
    for (long s = 0; s < steps; s++) {
      // a sequence that runs backward starts at its own last step
      long t = s >= length ? s : backward ? length - 1 - s : s;
      if (s < length) {
        cell.read(binding.input(0), batchFirst ? b * steps + t : t * batch + b);
        cell.sum();
        step(cell, cell.h, cell.c);
      }
      if (y != null) {
        long at = batchFirst ? (b * steps + t) * directions + d : (t * directions + d) * batch + b;
        for (int i = 0; i < n; i++) {
          y.setDouble(at * n + i, s < length ? cell.h[i] : 0);
        }
      }
    }
    store(binding, 1, state, cell.h);
    store(binding, 2, state, cell.c);
  }

  private static void store(Binding binding, int output, long at, double[] values) {
    if (binding.outputs().size() > output && binding.output(output) != null) {
      for (int i = 0; i < values.length; i++) {
        binding.output(output).setDouble(at + i, values[i]);
      }
    }
  }
}
