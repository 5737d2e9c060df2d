package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A graph of one recurrent layer whose batch and steps are known at a run only, in any of its
 * forms.
 *
 * @param type RNN, GRU or LSTM
 * @param attributes of the node beside its size
 * @param input features of a step
 * @param hidden units
 * @param given which of the inputs 3 to 7 there are
 * @param made which of the outputs
 */
public record RecurrentGraph(
    String type,
    Map<String, Object> attributes,
    int input,
    int hidden,
    List<Integer> given,
    List<Integer> made) {
  private static final int BIAS = 3;
  private static final int LENGTHS = 4;
  private static final int INITIAL_H = 5;
  private static final int INITIAL_C = 6;
  private static final int PEEPHOLES = 7;
  private static final List<String> NAMES = List.of("x", "w", "r", "b", "lengths", "h", "c", "p");
  private static final List<String> MADE = List.of("y", "lastH", "lastC");

  /** Any layer. */
  public static RecurrentGraph any(Samples samples) {
    String type = samples.oneOf(List.of("RNN", "GRU", "LSTM"));
    Map<String, Object> attributes = new HashMap<>();
    attributes.put("direction", samples.oneOf(List.of("forward", "reverse", "bidirectional")));
    attributes.put("layout", samples.between(0, 1));
    if (samples.chance(0.3)) {
      attributes.put("clip", 0.7f);
    }
    boolean isLstm = type.equals("LSTM");
    if (isLstm) {
      attributes.put("input_forget", samples.chance(0.3) ? 1 : 0);
    } else if (type.equals("GRU")) {
      attributes.put("linear_before_reset", samples.between(0, 1));
    }
    List<Integer> given = new ArrayList<>();
    for (int i = BIAS; i <= (isLstm ? PEEPHOLES : INITIAL_H); i++) {
      if (samples.chance(0.5)) {
        given.add(i);
      }
    }
    int outputs = isLstm ? 3 : 2;
    int first = samples.between(0, outputs - 1);
    List<Integer> made = new ArrayList<>();
    for (int i = 0; i < outputs; i++) {
      if (i == first || samples.chance(0.7)) {
        made.add(i);
      }
    }
    return new RecurrentGraph(
        type, attributes, samples.between(1, 40), samples.between(1, 70), given, made);
  }

  private int directions() {
    return "bidirectional".equals(attributes.get("direction")) ? 2 : 1;
  }

  private boolean batchFirst() {
    return Integer.valueOf(1).equals(attributes.get("layout"));
  }

  /** Names of the graph's outputs. */
  public List<String> outputs() {
    return made.stream().map(MADE::get).toList();
  }

  private static Tensor normal(Samples samples, double scale, long... extents) {
    Shape shape = Shape.of(extents);
    float[] values = samples.normal((int) shape.elements());
    for (int i = 0; i < values.length; i++) {
      values[i] *= (float) scale;
    }
    return Tensor.of(values, extents);
  }

  /** The graph, with such weights that gates are neither all open nor all shut. */
  public Graph graph(Samples samples) {
    int gates = Map.of("RNN", 1, "GRU", 3, "LSTM", 4).get(type);
    int rows = gates * hidden;
    double scale = 1.5 / Math.sqrt(input + hidden);
    Map<String, Object> all = new HashMap<>(attributes);
    all.put("hidden_size", hidden);
    GraphBuilder builder =
        batchFirst()
            ? new GraphBuilder(14).input("x", DType.F32, "batch", "steps", input)
            : new GraphBuilder(14).input("x", DType.F32, "steps", "batch", input);
    builder
        .constant("w", normal(samples, scale, directions(), rows, input))
        .constant("r", normal(samples, scale, directions(), rows, hidden));
    for (int i : given) {
      switch (i) {
        case BIAS -> builder.constant("b", normal(samples, 0.3, directions(), 2L * rows));
        case LENGTHS -> builder.input("lengths", DType.I32, "batch");
        case INITIAL_H, INITIAL_C -> {
          if (batchFirst()) {
            builder.input(NAMES.get(i), DType.F32, "batch", directions(), hidden);
          } else {
            builder.input(NAMES.get(i), DType.F32, directions(), "batch", hidden);
          }
        }
        default -> builder.constant("p", normal(samples, 0.5, directions(), 3L * hidden));
      }
    }
    String[] reads = new String[type.equals("LSTM") ? 8 : 6];
    for (int i = 0; i < reads.length; i++) {
      reads[i] = i < BIAS || given.contains(i) ? NAMES.get(i) : "";
    }
    List<String> makes = new ArrayList<>();
    for (int i = 0; i <= made.getLast(); i++) {
      makes.add(made.contains(i) ? MADE.get(i) : "");
    }
    builder.node(type, all, makes, reads);
    outputs().forEach(builder::output);
    return builder.build();
  }

  /** Values of the graph's inputs; sequences have any lengths from 0 to the steps. */
  public Map<String, Tensor> inputs(Samples samples, int steps, int batch) {
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put(
        "x",
        batchFirst()
            ? normal(samples, 1, batch, steps, input)
            : normal(samples, 1, steps, batch, input));
    if (given.contains(LENGTHS)) {
      int[] lengths = new int[batch];
      for (int b = 0; b < batch; b++) {
        lengths[b] = samples.between(0, steps);
      }
      inputs.put("lengths", Tensor.of(lengths, batch));
    }
    for (int i : List.of(INITIAL_H, INITIAL_C)) {
      if (given.contains(i)) {
        inputs.put(
            NAMES.get(i),
            batchFirst()
                ? normal(samples, 0.5, batch, directions(), hidden)
                : normal(samples, 0.5, directions(), batch, hidden));
      }
    }
    return inputs;
  }
}
