package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.filigree.DType;
import dev.filigree.Precision;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.GraphRunner;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.ExpertsGraph;
import dev.filigree.testing.Samples;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Mixtures of experts whose layers are int8 and run natively on encoded inputs. */
final class NativeExpertsTest {
  private static final ExpertsGraph FORM =
      new ExpertsGraph(ExpertsGraph.Kind.GATED, 8, 2, 128, 192);

  /** Greatest code of a symmetric weight. */
  private static final int LARGEST = 127;

  @BeforeAll
  static void requireLibrary() {
    Natives.library();
  }

  private static Graph mixture() {
    Graph graph = Passes.standard(FORM.graph(new Samples(5), e -> false));
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE)) {
        constants.computeIfPresent(
            node.inputs().get(Linear.WEIGHTS),
            (name, old) -> new Constant.Compressed(quantized(old.toTensor()), false));
      }
    }
    return graph.with(graph.nodes(), constants);
  }

  private static Quantized quantized(Tensor dense) {
    int rows = (int) dense.shape().extent(0);
    int columns = (int) dense.shape().extent(1);
    float[] scales = new float[rows];
    byte[] codes = new byte[rows * columns];
    for (int row = 0; row < rows; row++) {
      double largest = 0;
      for (int k = 0; k < columns; k++) {
        largest = Math.max(largest, Math.abs(dense.getDouble((long) row * columns + k)));
      }
      scales[row] = (float) (largest / LARGEST);
      for (int k = 0; k < columns; k++) {
        int at = row * columns + k;
        codes[at] = (byte) Math.rint(dense.getDouble(at) / scales[row]);
      }
    }
    return new Quantized(
        rows,
        columns,
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(codes),
            MemorySegment.ofArray(scales),
            IntegerValues.SYMMETRIC));
  }

  private static GraphRunner runner(Graph graph, int threads, Precision precision) {
    SessionOptions options =
        SessionOptions.defaults().withThreads(threads).withPrecision(precision);
    return new GraphRunner(graph, options, KernelSets.open("native"), "experts");
  }

  private static float[] run(
      Graph graph, int threads, Precision precision, Map<String, Tensor> inputs) {
    try (GraphRunner runner = runner(graph, threads, precision)) {
      return runner.run(inputs).get("y").toFloats();
    }
  }

  @Test
  void everyPrecisionStaysCloseToTheInterpreterForAllExperts() {
    Graph graph = mixture();
    for (int tokens : new int[] {1, 2, 15, 64, 130}) {
      Map<String, Tensor> inputs = FORM.inputs(new Samples(tokens), tokens, e -> e == 3);
      float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
      for (Precision precision : Precision.values()) {
        float[] actual = run(graph, 1, precision, inputs);
        double error = error(expected, actual);
        double bound = precision == Precision.EXACT ? 1e-6 : 0.03;
        assertTrue(error < bound, precision + " of " + tokens + " tokens errs by " + error);
        assertArrayEquals(actual, run(graph, 3, precision, inputs));
      }
    }
  }

  /** Norm of the difference in terms of the norm. */
  private static double error(float[] expected, float[] actual) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(expected[i] - actual[i], 2);
      norm += Math.pow(expected[i], 2);
    }
    return Math.sqrt(difference / norm);
  }

  @Test
  void layersOfExpertsRunNatively() {
    Map<String, Tensor> inputs = FORM.inputs(new Samples(2), 40, e -> false);
    try (GraphRunner runner = runner(mixture(), 1, Precision.INT8)) {
      List<LayerPlan> layers =
          runner.layers(Map.of("x", inputs.get("x").shape(), "r", inputs.get("r").shape()));
      assertTrue(
          layers.stream().anyMatch(layer -> layer.kernel().startsWith("native int8")),
          layers::toString);
    }
  }

  /** The mixture alone, of shares that are given: a router's TopK sorts objects. */
  private static Graph given() {
    Graph graph = Passes.onChosenExperts(mixture());
    Node experts =
        graph.nodes().stream().filter(node -> node.isFused(Experts.TYPE)).findAny().orElseThrow();
    ValueInfo shares =
        new ValueInfo(
            experts.inputs().get(Experts.SHARES),
            DType.F32,
            List.of(Dim.symbol("tokens"), Dim.of(FORM.experts())));
    return new Graph(
        graph.name(),
        graph.opset(),
        List.of(graph.inputs().getFirst(), shares),
        graph.outputs(),
        List.of(experts),
        graph.constants());
  }

  /**
   * Inputs of which the tokens have other experts.
   *
   * @param turn by how many experts each token's are moved on
   */
  private static Map<String, Tensor> shared(String shares, int tokens, int turn) {
    Tensor given = Tensor.zeros(DType.F32, Shape.of(tokens, FORM.experts()));
    for (int token = 0; token < tokens; token++) {
      for (int i = 0; i < FORM.chosen(); i++) {
        int expert = (token * token + i + turn) % FORM.experts();
        given.setDouble((long) token * FORM.experts() + expert, 0.5);
      }
    }
    Tensor x = FORM.inputs(new Samples(turn), tokens, e -> false).get("x");
    return Map.of("x", x, shares, given);
  }

  @Test
  void aRunAllocatesNothingWhateverItChooses() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Graph graph = given();
    String shares = graph.inputs().getLast().name();
    for (int tokens : new int[] {1, 40}) {
      for (Precision precision : List.of(Precision.EXACT, Precision.INT8)) {
        try (GraphRunner runner = runner(graph, 1, precision)) {
          Map<String, Tensor> some = shared(shares, tokens, 0);
          Map<String, Tensor> others = shared(shares, tokens, 3);
          Map<String, Tensor> outputs = runner.run(some);
          long fewest = Long.MAX_VALUE;
          // objects that do not escape are only left out once all around them is compiled
          long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
          while (fewest > 0 && System.nanoTime() < deadline) {
            long before = threads.getCurrentThreadAllocatedBytes();
            runner.run(some, outputs);
            runner.run(others, outputs);
            fewest = Math.min(fewest, threads.getCurrentThreadAllocatedBytes() - before);
          }
          assertEquals(0, fewest, "bytes of two runs of " + tokens + " tokens, " + precision);
        }
      }
    }
  }
}
