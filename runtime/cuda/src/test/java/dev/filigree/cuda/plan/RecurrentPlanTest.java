package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Recurrent layers on the simulated device against the interpreter in double precision: inputs and
 * weights are rounded to f16, states are f32, all of them in (-1, 1).
 */
@SimulatedGpu
class RecurrentPlanTest {
  private static final float TOLERANCE = 4e-3f;

  private static Tensor random(Samples samples, double scale, long... extents) {
    Tensor tensor = Tensor.zeros(DType.F32, Shape.of(extents));
    float[] values = samples.normal((int) tensor.elements());
    for (int i = 0; i < values.length; i++) {
      tensor.setDouble(i, values[i] * scale);
    }
    return tensor;
  }

  private static Graph graph(
      String type,
      Map<String, Object> attributes,
      int directions,
      int gates,
      int[] extents,
      boolean withStates) {
    Samples samples = new Samples(gates);
    int steps = extents[0];
    int batch = extents[1];
    int input = extents[2];
    int hidden = extents[3];
    GraphBuilder builder =
        new GraphBuilder(14)
            .input("x", DType.F32, steps, batch, input)
            .constant("w", random(samples, 0.3, directions, (long) gates * hidden, input))
            .constant("r", random(samples, 0.3, directions, (long) gates * hidden, hidden))
            .constant("b", random(samples, 0.3, directions, 2L * gates * hidden))
            .constant("h", random(samples, 0.3, directions, batch, hidden))
            .constant("c", random(samples, 0.3, directions, batch, hidden));
    List<String> reads = new ArrayList<>(List.of("x", "w", "r"));
    if (withStates) {
      reads.addAll(List.of("b", "", "h"));
      if (type.equals("LSTM")) {
        reads.add("c");
      }
    }
    List<String> makes =
        type.equals("LSTM") ? List.of("y", "lastH", "lastC") : List.of("y", "lastH");
    builder.node(type, attributes, makes, reads.toArray(String[]::new));
    makes.forEach(builder::output);
    return builder.build();
  }

  @ParameterizedTest
  @CsvSource({
    "RNN, forward, 0, 5, 2, 13, 7, true",
    "GRU, bidirectional, 0, 6, 3, 16, 24, true",
    "GRU, reverse, 1, 4, 1, 9, 33, false",
    "LSTM, forward, 0, 7, 2, 40, 64, true",
    "LSTM, bidirectional, 0, 3, 2, 5, 11, true",
    "LSTM, reverse, 0, 1, 1, 300, 65, false"
  })
  void runsOnTheDevice(
      String type,
      String direction,
      int late,
      int steps,
      int batch,
      int input,
      int hidden,
      boolean withStates) {
    int gates = type.equals("LSTM") ? 4 : type.equals("GRU") ? 3 : 1;
    Map<String, Object> attributes =
        late == 0
            ? Map.of("direction", direction, "hidden_size", hidden)
            : Map.of("direction", direction, "hidden_size", hidden, "linear_before_reset", late);
    int directions = direction.equals("bidirectional") ? 2 : 1;
    int[] extents = {steps, batch, input, hidden};
    Graph graph = graph(type, attributes, directions, gates, extents, withStates);
    Map<String, Tensor> inputs = Map.of("x", random(new Samples(3), 1, steps, batch, input));
    Map<String, Tensor> expected = new Interpreter(graph).run(inputs);
    try (DeviceRunner runner =
        new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0))) {
      Map<String, Tensor> found = runner.run(inputs);
      for (String output : expected.keySet()) {
        Tensor wanted = expected.get(output);
        Tensor given = found.get(output);
        assertEquals(wanted.toString(), given.toString());
        for (long i = 0; i < wanted.elements(); i++) {
          assertEquals(
              wanted.getDouble(i), given.getDouble(i), TOLERANCE, output + ", element " + i);
        }
      }
      String kernel = runner.layers(Map.of("x", inputs.get("x").shape())).getFirst().kernel();
      assertEquals("recurrent_" + type.toLowerCase(Locale.ROOT), kernel);
    }
  }

  @Test
  void whatTheKernelsDoNotKnowRunsInTheProcessAndIsShown() {
    Map<String, Object> clipped = Map.of("hidden_size", 8, "clip", 0.5f);
    Graph graph = graph("LSTM", clipped, 1, 4, new int[] {3, 2, 6, 8}, true);
    Tensor x = random(new Samples(3), 1, 3, 2, 6);
    try (DeviceRunner runner =
        new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0))) {
      assertEquals(
          DevicePlanner.ON_HOST, runner.layers(Map.of("x", x.shape())).getFirst().kernel());
      assertTrue(runner.run(Map.of("x", x)).get("y").elements() > 0);
    }
  }
}
