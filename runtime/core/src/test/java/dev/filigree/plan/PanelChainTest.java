package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Precision;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Steps that run panel by panel together give what they give one after the other. */
final class PanelChainTest {
  private static final int FEATURES = 40;

  /** Feed-forward layers with a residual, which make and drop values of several widths. */
  private static Graph layers(Samples samples) {
    return new GraphBuilder(17)
        .input("x", DType.F32, "batch", "seq", FEATURES)
        .constant("wide", Planned.normal(samples, FEATURES, 5 * FEATURES))
        .constant("narrow", Planned.normal(samples, 5 * FEATURES, FEATURES))
        .constant("scale", Planned.normal(samples, FEATURES))
        .constant("shift", Planned.normal(samples, FEATURES))
        .node("MatMul", "inner", "x", "wide")
        .node("Relu", "active", "inner")
        .node("MatMul", "outer", "active", "narrow")
        .node("Add", "sum", "outer", "x")
        .node("LayerNormalization", "normal", "sum", "scale", "shift")
        .node("MatMul", "again", "normal", "wide")
        .node("Sigmoid", "gate", "again")
        .node("MatMul", "last", "gate", "narrow")
        .node("Add", "y", "last", "normal")
        .output("y")
        .build();
  }

  /** Three panels and up, so that groups are whole, half full and narrow. */
  @Seeded(12)
  void manyTokensAgreeWithTheInterpreter(Samples samples) {
    int tokens = samples.between(600, 1500);
    Planned.assertAgrees(
        layers(samples), Map.of("x", Planned.normal(samples, 1, tokens, FEATURES)), 50 * FEATURES);
  }

  @Test
  void threadsAndTheLimitOfMemoryChangeNoBit() {
    Samples samples = new Samples(7);
    Graph graph = Passes.standard(layers(samples));
    Map<String, Tensor> inputs = Map.of("x", Planned.normal(samples, 3, 500, FEATURES));
    SessionOptions one = SessionOptions.defaults().withThreads(1);
    float[] chained = run(graph, one, inputs);
    assertArrayEquals(chained, run(graph, one.withThreads(2), inputs));
    assertArrayEquals(chained, run(graph, one.withThreads(5), inputs));
    // two values of the widest kind cannot both be kept
    long least = 4L * 1504 * FEATURES * 8;
    assertTrue(bytes(graph, inputs, Long.MAX_VALUE) > least);
    assertTrue(bytes(graph, inputs, least) <= least);
    assertArrayEquals(chained, run(graph, withBytes(least), inputs));
  }

  private static long bytes(Graph graph, Map<String, Tensor> inputs, long limit) {
    LinearLayers layers = new LinearLayers(KernelSets.open(KernelSets.SCALAR), Precision.EXACT);
    Map<String, Shape> shapes = Map.of("x", inputs.get("x").shape());
    return Planner.plan(new Former(graph, limit), shapes, layers).orElseThrow().bytes();
  }

  private static SessionOptions withBytes(long bytes) {
    SessionOptions all = SessionOptions.defaults();
    return new SessionOptions(
        all.device(), 1, all.concurrentRuns(), all.shapes(), bytes, all.kernels(), all.precision());
  }

  private static float[] run(Graph graph, SessionOptions options, Map<String, Tensor> inputs) {
    try (GraphRunner runner =
        new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
      return runner.run(inputs).get("y").toFloats();
    }
  }

  @Test
  void timesOfAChainAddUpToTheRun() {
    Samples samples = new Samples(8);
    Graph graph = Passes.standard(layers(samples));
    Map<String, Tensor> inputs = Map.of("x", Planned.normal(samples, 1, 1000, FEATURES));
    SessionOptions options = SessionOptions.defaults().withThreads(1);
    try (GraphRunner runner =
        new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
      List<LayerTime> times = runner.profile(inputs);
      assertTrue(times.size() > 4, times::toString);
      long at = times.getFirst().startNanos();
      for (LayerTime time : times) {
        assertEquals(at, time.startNanos());
        assertTrue(time.nanos() >= 0, time::toString);
        at += time.nanos();
      }
    }
  }
}
