package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.RotaryGraph;
import dev.filigree.testing.Samples;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Operators in plans of the simulated device, against the interpreter: none of them runs in the
 * process, and results are those of operands and results rounded to f16.
 */
@SimulatedGpu
class OperatorPlanTest {
  /** Relative to the largest result: of operands and of the result itself. */
  private static final double ROUNDING = 2e-3;

  private static GraphBuilder graph() {
    return new GraphBuilder(13);
  }

  private static Arguments on(String what, GraphBuilder builder, Shape... shapes) {
    return Arguments.of(Named.of(what, builder.output("y").build()), List.of(shapes));
  }

  private static GraphBuilder one(Shape shape) {
    return graph().input("x", DType.F32, dims(shape));
  }

  private static GraphBuilder two(Shape a, Shape b) {
    return one(a).input("b", DType.F32, dims(b));
  }

  private static Object[] dims(Shape shape) {
    return LongStream.of(shape.extents()).mapToObj(extent -> (int) extent).toArray();
  }

  private static Arguments unary(
      String what, Shape shape, String type, Map<String, Object> attributes, String... more) {
    return on(what, constants(one(shape)).node(type, attributes, List.of("y"), reads(more)), shape);
  }

  private static String[] reads(String... more) {
    return Stream.concat(Stream.of("x"), Stream.of(more)).toArray(String[]::new);
  }

  private static GraphBuilder constants(GraphBuilder builder) {
    return builder
        .longs("zero", 0)
        .longs("one", 1)
        .longs("two", 2)
        .longs("three", 3)
        .longs("five", 5)
        .longs("minus", -1)
        .longs("first", -4)
        .longs("several", 2, 0, -1, 1)
        .longs("pair", 3, 4)
        .scalar("low", -0.5)
        .scalar("high", 0.75);
  }

  private static Arguments product(Shape a, Shape b) {
    return on(a + " by " + b, two(a, b).node("MatMul", "y", "x", "b"), a, b);
  }

  private static Arguments joined(int axis, Shape a, Shape b) {
    return on(
        a + " and " + b,
        two(a, b).node("Concat", Map.of("axis", axis), List.of("y"), "x", "b"),
        a,
        b);
  }

  static Stream<Arguments> graphs() {
    Shape odd = Shape.of(3, 5, 7);
    Shape even = Shape.of(2, 4, 16);
    return Stream.of(
        on(
            "scores masked by the least number, some rows as a whole",
            constants(one(odd))
                .scalar("least", -Float.MAX_VALUE)
                .node("Greater", "above", "x", "high")
                .node("Where", "kept", "above", "x", "least")
                .node("Softmax", Map.of("axis", -1), List.of("y"), "kept"),
            odd),
        unary("sum of the last axis", odd, "ReduceSum", Map.of("keepdims", 0), "two"),
        unary("sum of the first axis", odd, "ReduceSum", Map.of(), "zero"),
        unary("mean that keeps its axis", odd, "ReduceMean", Map.of("axes", List.of(2))),
        unary("mean of two axes", even, "ReduceMean", Map.of("axes", List.of(0, 1))),
        unary("greatest of all", odd, "ReduceMax", Map.of("keepdims", 0)),
        unary("length", even, "ReduceL2", Map.of("axes", List.of(-1))),
        unary("a slice", odd, "Slice", Map.of(), "one", "five", "one"),
        unary("a slice of the last axis", odd, "Slice", Map.of(), "two", "five", "two"),
        unary("every second backwards", odd, "Slice", Map.of(), "minus", "first", "one", "minus"),
        unary("rows by index", odd, "Gather", Map.of("axis", 1), "several"),
        unary("columns by index", odd, "Gather", Map.of("axis", 2), "several"),
        unary("the first axis by index", odd, "Gather", Map.of(), "two"),
        on(
            "two parts",
            constants(one(odd))
                .node("Split", Map.of("axis", 2), List.of("p", "q"), "x", "pair")
                .node("Concat", Map.of("axis", 2), List.of("y"), "q", "p"),
            odd),
        joined(1, Shape.of(2, 3, 5), Shape.of(2, 4, 5)),
        joined(2, Shape.of(2, 3, 5), Shape.of(2, 3, 9)),
        joined(0, Shape.of(1, 8), Shape.of(5, 8)),
        product(Shape.of(5, 7), Shape.of(7, 3)),
        product(Shape.of(2, 3, 70, 33), Shape.of(2, 3, 33, 65)),
        product(Shape.of(4, 1, 9, 40), Shape.of(3, 40, 16)),
        product(Shape.of(1, 64), Shape.of(64, 200)),
        unary("bounds as inputs", odd, "Clip", Map.of(), "low", "high"),
        unary("a leak", odd, "LeakyRelu", Map.of("alpha", 0.3f)),
        unary("defaults", odd, "Selu", Map.of()),
        unary("two parameters", odd, "HardSigmoid", Map.of("alpha", 0.4f)),
        unary("a threshold", odd, "Shrink", Map.of("lambd", 0.2f, "bias", 0.1f)));
  }

  @ParameterizedTest
  @MethodSource("graphs")
  void runsOnTheDevice(Graph graph, List<Shape> shapes) {
    Samples samples = new Samples(shapes.hashCode());
    Map<String, Tensor> inputs = new HashMap<>();
    for (int i = 0; i < shapes.size(); i++) {
      Shape shape = shapes.get(i);
      Tensor tensor = Tensor.of(samples.normal((int) shape.elements()), shape.extents());
      inputs.put(graph.inputs().get(i).name(), tensor);
    }
    assertRunsOnTheDevice(graph, inputs);
  }

  static Stream<RotaryGraph> attentions() {
    return Stream.of(
        new RotaryGraph(3, 3, 32, 32, false, false),
        new RotaryGraph(4, 2, 16, 16, false, true),
        new RotaryGraph(4, 1, 24, 10, false, false),
        new RotaryGraph(2, 2, 8, 8, true, false));
  }

  @ParameterizedTest
  @MethodSource("attentions")
  void rotaryAttentionRunsOnTheDevice(RotaryGraph form) {
    Graph fused = Passes.standard(form.graph());
    assertRunsOnTheDevice(fused, form.inputs(new Samples(form.width()), 2, 19));
  }

  private static void assertRunsOnTheDevice(Graph graph, Map<String, Tensor> inputs) {
    Map<String, Shape> byName = new HashMap<>();
    inputs.forEach((name, tensor) -> byName.put(name, tensor.shape()));
    float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
    try (DeviceRunner runner =
        new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0))) {
      Tensor y = runner.run(inputs).get("y");
      double largest = 1;
      for (float value : expected) {
        largest = Math.max(largest, Math.abs(value));
      }
      assertArrayEquals(expected, y.toFloats(), (float) (ROUNDING * largest));
      List<String> inProcess =
          runner.layers(byName).stream()
              .map(LayerPlan::kernel)
              .filter(kernel -> kernel.startsWith("cpu"))
              .toList();
      assertEquals(List.of(), inProcess);
    }
  }

  @Test
  void anIndexOutOfRangeIsReported() {
    Graph graph =
        graph()
            .input("x", DType.F32, 4, 8)
            .input("i", DType.I64, 3)
            .node("Gather", "y", "x", "i")
            .output("y")
            .build();
    try (DeviceRunner runner =
        new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0))) {
      Tensor x = Tensor.of(new Samples(1).normal(32), 4, 8);
      Map<String, Tensor> good = Map.of("x", x, "i", Tensor.of(new long[] {3, -4, 0}, 3));
      Map<String, Tensor> bad = Map.of("x", x, "i", Tensor.of(new long[] {3, 4, 0}, 3));
      assertEquals(3 * 8, runner.run(good).get("y").elements());
      GraphException error = assertThrows(GraphException.class, () -> runner.run(bad));
      assertTrue(error.getMessage().contains("position 1"), error.getMessage());
      assertEquals(3 * 8, runner.run(good).get("y").elements());
    }
  }
}
