package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.recurrent.Recurrent;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Recurrent layers on the simulated device against the interpreter in double precision: inputs and
 * weights are rounded to f16, states are f32.
 */
@SimulatedGpu
class RecurrentPlanTest {
  private static final float TOLERANCE = 4e-3f;

  private enum Given {
    BIAS,
    LENGTHS,
    STATES,
    PEEPHOLES
  }

  /**
   * A layer.
   *
   * @param lengths of the sequences, as many as there are
   */
  private record Layer(
      Recurrent kind,
      DType dtype,
      Map<String, Object> attributes,
      int steps,
      List<Integer> lengths,
      int input,
      int hidden,
      Set<Given> given) {
    static Layer of(
        Recurrent kind,
        Map<String, Object> attributes,
        int steps,
        List<Integer> lengths,
        int input,
        int hidden,
        Given... given) {
      return new Layer(kind, DType.F32, attributes, steps, lengths, input, hidden, Set.of(given));
    }

    private boolean batchFirst() {
      return attributes.containsKey("layout");
    }

    private int batch() {
      return lengths.size();
    }

    private long[] sequences() {
      return batchFirst() ? new long[] {batch(), steps, input} : new long[] {steps, batch(), input};
    }

    private Tensor random(Samples samples, double scale, long... extents) {
      Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
      float[] values = samples.normal((int) tensor.elements());
      for (int i = 0; i < values.length; i++) {
        tensor.setDouble(i, values[i] * scale);
      }
      return tensor;
    }

    private Graph graph() {
      Samples samples = new Samples(kind.ordinal());
      int directions = "bidirectional".equals(attributes.get("direction")) ? 2 : 1;
      long rows = (long) kind.gates() * hidden;
      double scale = 1.5 / Math.sqrt(input + hidden);
      long[] state =
          batchFirst()
              ? new long[] {batch(), directions, hidden}
              : new long[] {directions, batch(), hidden};
      Map<String, Object> all = new HashMap<>(attributes);
      all.put("hidden_size", hidden);
      String[] reads = {"x", "w", "r", "", "", "", "", ""};
      GraphBuilder builder =
          new GraphBuilder(14)
              .input("x", dtype, Arrays.stream(sequences()).mapToObj(Math::toIntExact).toArray())
              .constant("w", random(samples, scale, directions, rows, input))
              .constant("r", random(samples, scale, directions, rows, hidden));
      if (given.contains(Given.BIAS)) {
        builder.constant("b", random(samples, 0.3, directions, 2 * rows));
        reads[3] = "b";
      }
      if (given.contains(Given.LENGTHS)) {
        builder.input("lengths", DType.I32, batch());
        reads[4] = "lengths";
      }
      boolean isLstm = kind == Recurrent.LSTM;
      if (given.contains(Given.STATES)) {
        builder.constant("h", random(samples, 0.5, state));
        builder.constant("c", random(samples, 0.5, state));
        reads[5] = "h";
        reads[6] = "c";
      }
      if (given.contains(Given.PEEPHOLES)) {
        builder.constant("p", random(samples, 0.5, directions, 3L * hidden));
        reads[7] = "p";
      }
      List<String> makes = isLstm ? List.of("y", "lastH", "lastC") : List.of("y", "lastH");
      String[] read = isLstm ? reads : List.of(reads).subList(0, 6).toArray(String[]::new);
      builder.node(kind.name(), all, makes, read);
      makes.forEach(made -> builder.output(made, dtype));
      return builder.build();
    }

    private Map<String, Tensor> inputs() {
      Tensor x = random(new Samples(3), 1, sequences());
      int[] each = lengths.stream().mapToInt(Integer::intValue).toArray();
      return given.contains(Given.LENGTHS)
          ? Map.of("x", x, "lengths", Tensor.of(each, batch()))
          : Map.of("x", x);
    }
  }

  static Stream<Layer> layers() {
    Map<String, Object> forward = Map.of();
    Map<String, Object> both = Map.of("direction", "bidirectional");
    Map<String, Object> backward = Map.of("direction", "reverse");
    return Stream.of(
        Layer.of(Recurrent.RNN, forward, 5, List.of(5, 5), 13, 7, Given.BIAS, Given.STATES),
        Layer.of(Recurrent.GRU, both, 6, List.of(6, 6, 6), 16, 24, Given.BIAS, Given.STATES),
        Layer.of(
            Recurrent.GRU,
            Map.of("direction", "reverse", "linear_before_reset", 1),
            4,
            List.of(4),
            9,
            33),
        Layer.of(Recurrent.LSTM, forward, 7, List.of(7, 7), 40, 64, Given.BIAS, Given.STATES),
        Layer.of(Recurrent.LSTM, backward, 1, List.of(1), 300, 65),
        Layer.of(
            Recurrent.LSTM,
            Map.of("direction", "bidirectional", "clip", 0.8f),
            5,
            List.of(5, 0, 3),
            5,
            11,
            Given.values()),
        Layer.of(
            Recurrent.LSTM,
            Map.of("direction", "reverse", "input_forget", 1, "layout", 1),
            4,
            List.of(1, 4),
            6,
            9,
            Given.values()),
        Layer.of(
            Recurrent.LSTM,
            Map.of(
                "activations",
                new Attribute.Texts(List.of("HardSigmoid", "Softsign", "Elu")),
                "activation_alpha",
                new Attribute.Reals(List.of(0.3f, 0.7f))),
            4,
            List.of(2, 3),
            8,
            5,
            Given.LENGTHS,
            Given.PEEPHOLES),
        Layer.of(
            Recurrent.GRU,
            Map.of(
                "direction",
                "bidirectional",
                "layout",
                1,
                "activations",
                new Attribute.Texts(List.of("hardsigmoid", "Affine", "Sigmoid", "ScaledTanh")),
                "activation_alpha",
                new Attribute.Reals(List.of(0.3f, 0.5f, 0.9f)),
                "activation_beta",
                new Attribute.Reals(List.of(0.4f, 0.1f, 0.7f))),
            6,
            List.of(6, 2),
            7,
            10,
            Given.BIAS,
            Given.LENGTHS,
            Given.STATES),
        Layer.of(
            Recurrent.RNN,
            Map.of(
                "direction",
                "bidirectional",
                "activations",
                new Attribute.Texts(List.of("LeakyRelu", "ThresholdedRelu")),
                "activation_alpha",
                new Attribute.Reals(List.of(0.2f, 0.3f))),
            5,
            List.of(4, 1),
            6,
            5,
            Given.LENGTHS),
        Layer.of(
            Recurrent.RNN,
            Map.of(
                "direction",
                "bidirectional",
                "activations",
                new Attribute.Texts(List.of("Relu", "Softplus"))),
            3,
            List.of(3),
            6,
            5,
            Given.BIAS),
        // more shared memory than a kernel has without asking
        Layer.of(Recurrent.GRU, forward, 2, List.of(2), 13_000, 3),
        new Layer(
            Recurrent.LSTM, DType.F16, both, 3, List.of(3, 2), 12, 6, Set.of(Given.values())));
  }

  @ParameterizedTest
  @MethodSource("layers")
  void runsOnTheDevice(Layer layer) {
    Graph graph = layer.graph();
    Map<String, Tensor> inputs = layer.inputs();
    Map<String, Tensor> expected = new Interpreter(graph).run(inputs);
    try (DeviceRunner runner = runner(graph)) {
      assertClose(expected, runner.run(inputs));
      String kernel = runner.layers(shapes(inputs)).getFirst().kernel();
      assertEquals("recurrent_" + layer.kind().name().toLowerCase(Locale.ROOT), kernel);
    }
  }

  private static DeviceRunner runner(Graph graph) {
    return new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0));
  }

  private static Map<String, Shape> shapes(Map<String, Tensor> inputs) {
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  private static void assertClose(Map<String, Tensor> expected, Map<String, Tensor> found) {
    for (String output : expected.keySet()) {
      Tensor wanted = expected.get(output);
      Tensor given = found.get(output);
      assertEquals(wanted.toString(), given.toString());
      for (long i = 0; i < wanted.elements(); i++) {
        assertEquals(wanted.getDouble(i), given.getDouble(i), TOLERANCE, output + ", element " + i);
      }
    }
  }

  @Test
  void whatIsNoNumberStaysInItsSequence() {
    for (Recurrent kind : Recurrent.values()) {
      Layer layer = Layer.of(kind, Map.of("clip", 3f), 4, List.of(4, 4, 4), 5, 6, Given.BIAS);
      Map<String, Tensor> inputs = layer.inputs();
      inputs.get("x").setDouble(3L * 5, Float.NaN); // of the second step and the first sequence
      inputs.get("x").setDouble(2L * 5, Float.POSITIVE_INFINITY);
      Map<String, Tensor> expected = new Interpreter(layer.graph()).run(inputs);
      assertTrue(Double.isNaN(expected.get("lastH").getDouble(0)));
      try (DeviceRunner runner = runner(layer.graph())) {
        assertClose(expected, runner.run(inputs));
      }
    }
  }

  @Test
  void aLengthThatIsNoneNamesItsSequenceAndTheNextRunIsFine() {
    Layer layer = Layer.of(Recurrent.LSTM, Map.of(), 4, List.of(4, 2), 3, 3, Given.LENGTHS);
    Map<String, Tensor> inputs = new HashMap<>(layer.inputs());
    Map<String, Tensor> expected = new Interpreter(layer.graph()).run(inputs);
    try (DeviceRunner runner = runner(layer.graph())) {
      for (int bad : new int[] {5, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
        inputs.put("lengths", Tensor.of(new int[] {4, bad}, 2));
        FiligreeException problem = assertThrows(FiligreeException.class, () -> runner.run(inputs));
        assertTrue(
            problem
                .getMessage()
                .contains("a length that is none of a sequence of 4 steps at position 1"),
            problem.getMessage());
        assertTrue(problem.getMessage().contains("from 0 to 4"), problem.getMessage());
      }
      assertClose(expected, runner.run(layer.inputs()));
    }
  }

  @Test
  void whatIsWiderThanSharedMemoryRunsInTheProcessAndIsShown() {
    Layer layer = Layer.of(Recurrent.LSTM, Map.of(), 1, List.of(1), 25_000, 1);
    Map<String, Tensor> inputs = layer.inputs();
    try (DeviceRunner runner = runner(layer.graph())) {
      assertEquals(DevicePlanner.ON_HOST, runner.layers(shapes(inputs)).getFirst().kernel());
      assertClose(new Interpreter(layer.graph()).run(inputs), runner.run(inputs));
    }
  }
}
