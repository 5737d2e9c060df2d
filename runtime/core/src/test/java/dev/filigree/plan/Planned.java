package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What tests of plans ask of graphs. */
final class Planned {
  private Planned() {}

  /**
   * Runs a graph planned with the scalar kernels and, as it was read, by the interpreter.
   *
   * @param terms of a sum that makes an element of y
   */
  static List<LayerPlan> assertAgrees(Graph graph, Map<String, Tensor> inputs, int terms) {
    Tensor expected = new Interpreter(graph).run(inputs).get("y");
    Graph passed = Passes.standard(graph);
    SessionOptions options = SessionOptions.defaults().withThreads(2);
    try (GraphRunner runner =
        new GraphRunner(passed, options, KernelSets.open(KernelSets.SCALAR), "test")) {
      Tensor actual = runner.run(inputs).get("y");
      assertEquals(expected.shape(), actual.shape());
      Floats.assertClose(expected.toFloats(), actual.toFloats(), terms);
      Map<String, Shape> shapes = new HashMap<>();
      inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
      return runner.layers(shapes);
    }
  }

  /** Normally distributed numbers. */
  static Tensor normal(Samples samples, int... extents) {
    int count = Arrays.stream(extents).reduce(1, (a, b) -> a * b);
    return Tensor.of(
        samples.normal(count), Arrays.stream(extents).mapToLong(extent -> extent).toArray());
  }
}
