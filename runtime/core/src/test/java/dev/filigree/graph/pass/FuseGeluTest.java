package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class FuseGeluTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3, 8));

  private static GraphBuilder start() {
    return new GraphBuilder(11)
        .input("x", DType.F32, "batch", "seq", 8)
        .scalar("half", 0.5)
        .scalar("one", 1)
        .scalar("root", Math.sqrt(2))
        .scalar("inverseRoot", Math.sqrt(0.5));
  }

  private static GraphBuilder erf() {
    return start()
        .node("Div", "scaled", "x", "root")
        .node("Erf", "erf", "scaled")
        .node("Add", "sum", "erf", "one");
  }

  private static void assertFuses(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph fused = new FuseGelu().apply(graph);
    assertEquals(List.of("Gelu"), types(fused));
    assertSameValues(graph, fused, INPUT, 1e-6f);
  }

  private static void assertLeftAlone(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph same = new FuseGelu().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUT, 0);
  }

  @Test
  void theFormOfBertIsFused() {
    assertFuses(erf().node("Mul", "product", "x", "sum").node("Mul", "y", "product", "half"));
  }

  @Test
  void theFactorsMayComeInAnyOrderAndGrouping() {
    assertFuses(erf().node("Mul", "product", "half", "x").node("Mul", "y", "sum", "product"));
    assertFuses(erf().node("Mul", "product", "sum", "half").node("Mul", "y", "x", "product"));
    assertFuses(
        start()
            .node("Mul", "scaled", "inverseRoot", "x")
            .node("Erf", "erf", "scaled")
            .node("Add", "sum", "one", "erf")
            .node("Mul", "product", "sum", "x")
            .node("Mul", "y", "half", "product"));
  }

  /** As GPT-2 has it, with the third power written in different ways. */
  @Test
  void theApproximationByTanhIsFused() {
    assertFusesTanh(tanh().node("Pow", "cube", "x", "three"));
    assertFusesTanh(tanh().node("Mul", "square", "x", "x").node("Mul", "cube", "square", "x"));
  }

  private static GraphBuilder tanh() {
    return start()
        .scalar("three", 3)
        .scalar("part", 0.044715)
        .scalar("scale", Math.sqrt(2 / Math.PI));
  }

  private static GraphBuilder finished(GraphBuilder cube, String of) {
    return cube.node("Mul", "third", "cube", "part")
        .node("Add", "cubic", "x", "third")
        .node("Mul", "scaled", "cubic", "scale")
        .node("Tanh", "tanh", "scaled")
        .node("Add", "sum", "tanh", "one")
        .node("Mul", "product", of, "half")
        .node("Mul", "y", "product", "sum")
        .output("y");
  }

  private static void assertFusesTanh(GraphBuilder cube) {
    Graph graph = finished(cube, "x").build();
    Graph fused = new FuseGelu().apply(graph);
    assertEquals(List.of("GeluTanh"), types(fused));
    assertSameValues(graph, fused, INPUT, 1e-6f);
  }

  @Test
  void aTanhOfAnotherValueOrPowerIsLeftAlone() {
    Graph square = finished(tanh().node("Mul", "cube", "x", "x"), "x").build();
    assertEquals(types(square), types(new FuseGelu().apply(square)));
    Graph other = finished(tanh().node("Pow", "cube", "x", "three"), "three").build();
    assertEquals(types(other), types(new FuseGelu().apply(other)));
  }

  private static Tensor halfPrecision(double value) {
    Tensor scalar = Tensor.zeros(DType.F16, Shape.SCALAR);
    scalar.setDouble(0, value);
    return scalar;
  }

  @Test
  void aConstantRoundedToHalfPrecisionCounts() {
    Graph graph =
        new GraphBuilder(11)
            .input("x", DType.F16, "batch", 8)
            .constant("root", halfPrecision(Math.sqrt(2)))
            .constant("half", halfPrecision(0.5))
            .constant("one", halfPrecision(1))
            .node("Div", "scaled", "x", "root")
            .node("Erf", "erf", "scaled")
            .node("Add", "sum", "erf", "one")
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "half")
            .output("y", DType.F16)
            .build();
    assertEquals(List.of("Gelu"), types(new FuseGelu().apply(graph)));
  }

  @Test
  void theSumStaysWhereSomethingElseReadsIt() {
    Graph graph =
        erf()
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "half")
            .node("Neg", "z", "sum")
            .output("y")
            .output("z")
            .build();
    Graph fused = new FuseGelu().apply(graph);
    assertEquals(List.of("Div", "Erf", "Add", "Gelu", "Neg"), types(fused));
    assertSameValues(graph, fused, INPUT, 1e-6f);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.499, 0.501, 1, -0.5})
  void anotherFactorThanAHalfIsLeftAlone(double factor) {
    assertLeftAlone(
        erf()
            .scalar("factor", factor)
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "factor"));
  }

  @ParameterizedTest
  @ValueSource(doubles = {1.4, 1.41, 2, -1.4142135})
  void anotherDivisorThanTheRootOfTwoIsLeftAlone(double divisor) {
    assertLeftAlone(
        start()
            .scalar("divisor", divisor)
            .node("Div", "scaled", "x", "divisor")
            .node("Erf", "erf", "scaled")
            .node("Add", "sum", "erf", "one")
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "half"));
  }

  @Test
  void theErrorFunctionOfAnotherValueIsLeftAlone() {
    assertLeftAlone(
        start()
            .node("Neg", "other", "x")
            .node("Div", "scaled", "other", "root")
            .node("Erf", "erf", "scaled")
            .node("Add", "sum", "erf", "one")
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "half"));
  }

  @Test
  void aDivisionOfTheRootByTheValueIsLeftAlone() {
    assertLeftAlone(
        start()
            .node("Div", "scaled", "root", "x")
            .node("Erf", "erf", "scaled")
            .node("Add", "sum", "erf", "one")
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "half"));
  }

  @Test
  void aConstantThatAddsAnAxisIsLeftAlone() {
    assertLeftAlone(
        erf()
            .constant("halves", Tensor.of(new float[] {0.5f}, 1, 1, 1, 1))
            .node("Mul", "product", "x", "sum")
            .node("Mul", "y", "product", "halves"));
  }
}
