package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Linear;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FuseEpilogueTest {
  private static final Map<String, Tensor> INPUTS =
      Map.of("x", random(1, 2, 3, 8), "r", random(2, 2, 3, 5));

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("x", DType.F32, "batch", "seq", 8)
        .input("r", DType.F32, "batch", "seq", 5)
        .constant("w", random(3, 8, 5))
        .constant("b", random(4, 5))
        .node("MatMul", "product", "x", "w");
  }

  private static Graph fused(Graph graph) {
    Graph result = new FuseEpilogue().apply(new FuseLinear().apply(new FuseGelu().apply(graph)));
    assertSameValues(graph, result, INPUTS, 2e-6f);
    return result;
  }

  private static List<String> fusedTypes(GraphBuilder builder) {
    return types(fused(builder.output("y").build()));
  }

  @Test
  void aBiasOnEitherSideIsFused() {
    for (GraphBuilder builder :
        List.of(
            start().node("Add", "y", "product", "b"), start().node("Add", "y", "b", "product"))) {
      Node linear = only(fused(builder.output("y").build()), "Linear");
      assertEquals("b", linear.inputs().get(Linear.BIAS));
      assertEquals(Activation.NONE, Linear.activation(linear));
    }
  }

  @Test
  void biasAndResidualAreFused() {
    Graph graph =
        fused(
            start()
                .node("Add", "biased", "product", "b")
                .node("Add", "y", "biased", "r")
                .output("y")
                .build());
    assertEquals(List.of("Linear"), types(graph));
    assertEquals("r", only(graph, "Linear").inputs().get(Linear.RESIDUAL));
  }

  @ParameterizedTest
  @CsvSource({"Relu, RELU", "Tanh, TANH", "Sigmoid, SIGMOID"})
  void anActivationAfterTheBiasIsFused(String operator, Activation activation) {
    Graph graph =
        fused(
            start()
                .node("Add", "biased", "product", "b")
                .node(operator, "y", "biased")
                .output("y")
                .build());
    assertEquals(List.of("Linear"), types(graph));
    assertEquals(activation, Linear.activation(only(graph, "Linear")));
  }

  @Test
  void geluAfterTheBiasIsFused() {
    Graph graph =
        fused(
            start()
                .scalar("half", 0.5)
                .scalar("one", 1)
                .scalar("root", Math.sqrt(2))
                .node("Add", "biased", "product", "b")
                .node("Div", "scaled", "biased", "root")
                .node("Erf", "erf", "scaled")
                .node("Add", "sum", "erf", "one")
                .node("Mul", "half1", "biased", "sum")
                .node("Mul", "y", "half1", "half")
                .output("y")
                .build());
    assertEquals(List.of("Linear"), types(graph));
    assertEquals(Activation.GELU, Linear.activation(only(graph, "Linear")));
  }

  @Test
  void aProductThatSomethingElseReadsKeepsItsOwnNode() {
    Graph graph =
        fused(
            start()
                .node("Add", "y", "product", "b")
                .node("Neg", "z", "product")
                .output("y")
                .output("z")
                .build());
    assertEquals(List.of("Linear", "Add", "Neg"), types(graph));
  }

  @Test
  void aProductThatIsAnOutputKeepsItsOwnNode() {
    Graph graph =
        fused(start().node("Add", "y", "product", "b").output("y").output("product").build());
    assertEquals(List.of("Linear", "Add"), types(graph));
  }

  @Test
  void aBiasThatSpansOtherAxesIsLeftAlone() {
    assertEquals(
        List.of("Linear", "Add"),
        fusedTypes(start().constant("rows", random(5, 3, 1)).node("Add", "y", "product", "rows")));
    assertEquals(
        List.of("Linear", "Add"),
        fusedTypes(
            start().constant("wide", random(5, 1, 1, 1, 5)).node("Add", "y", "product", "wide")));
  }

  @Test
  void aResidualThatBroadcastsIsLeftAlone() {
    assertEquals(
        List.of("ReduceMean", "Linear", "Add").stream().sorted().toList(),
        fusedTypes(
                start()
                    .node("ReduceMean", Map.of("axes", List.of(1)), List.of("mean"), "r")
                    .node("Add", "y", "product", "mean"))
            .stream()
            .sorted()
            .toList());
  }

  @Test
  void nothingFollowsAnActivationIntoTheLayer() {
    assertEquals(
        List.of("Linear", "Add"),
        fusedTypes(start().node("Relu", "positive", "product").node("Add", "y", "positive", "b")));
    assertEquals(
        List.of("Linear", "Tanh"),
        fusedTypes(start().node("Relu", "positive", "product").node("Tanh", "y", "positive")));
  }

  @Test
  void aSumOfTheProductWithItselfIsLeftAlone() {
    assertEquals(
        List.of("Linear", "Add"), fusedTypes(start().node("Add", "y", "product", "product")));
  }
}
