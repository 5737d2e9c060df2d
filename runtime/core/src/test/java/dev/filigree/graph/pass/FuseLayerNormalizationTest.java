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
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FuseLayerNormalizationTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(2, 2, 3, 8));
  private static final float EPSILON = 1e-12f;

  private static GraphBuilder start(int opset) {
    return new GraphBuilder(opset)
        .input("x", DType.F32, "batch", "seq", 8)
        .scalar("two", 2)
        .scalar("epsilon", EPSILON)
        .constant("scale", random(3, 8))
        .constant("bias", random(4, 8))
        .longs("last", -1);
  }

  private static GraphBuilder mean(GraphBuilder builder, String y, String x, long axis) {
    return builder.node("ReduceMean", Map.of("axes", List.of(axis)), List.of(y), x);
  }

  /** From {@code centred} and {@code variance} to {@code y}. */
  private static GraphBuilder finish(GraphBuilder builder) {
    return builder
        .node("Add", "stable", "variance", "epsilon")
        .node("Sqrt", "deviation", "stable")
        .node("Div", "normal", "centred", "deviation")
        .node("Mul", "product", "normal", "scale")
        .node("Add", "y", "product", "bias");
  }

  private static GraphBuilder centred(GraphBuilder builder) {
    return mean(builder, "mean", "x", -1).node("Sub", "centred", "x", "mean");
  }

  private static GraphBuilder variance(GraphBuilder builder) {
    return mean(builder.node("Pow", "square", "centred", "two"), "variance", "square", -1);
  }

  private static void assertFuses(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph fused = new FuseLayerNormalization().apply(graph);
    assertEquals(List.of("LayerNormalization"), types(fused));
    Node node = only(fused, "LayerNormalization");
    assertEquals(List.of("x", "scale", "bias"), node.inputs());
    assertEquals(EPSILON, node.floatAttribute("epsilon", 0));
    assertEquals(-1, node.intAttribute("axis", 0));
    assertSameValues(graph, fused, INPUT, 2e-6f);
  }

  private static void assertLeftAlone(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph same = new FuseLayerNormalization().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUT, 0);
  }

  @Test
  void theFormOfBertIsFused() {
    assertFuses(finish(variance(centred(start(11)))));
  }

  @Test
  void axesMayBeCountedFromTheFrontOrComeAsAnInput() {
    GraphBuilder fromTheFront =
        mean(start(11), "mean", "x", 2)
            .node("Sub", "centred", "x", "mean")
            .node("Mul", "square", "centred", "centred");
    assertFuses(finish(mean(fromTheFront, "variance", "square", 2)));
    assertFuses(
        finish(
            start(18)
                .node("ReduceMean", "mean", "x", "last")
                .node("Sub", "centred", "x", "mean")
                .node("Pow", "square", "centred", "two")
                .node("ReduceMean", "variance", "square", "last")));
  }

  @Test
  void theMeanMayBeSubtractedOnceForEachUse() {
    GraphBuilder twice =
        centred(start(11)).node("Sub", "again", "x", "mean").node("Pow", "square", "again", "two");
    assertFuses(finish(mean(twice, "variance", "square", -1)));
  }

  @Test
  void theMeanStaysWhereSomethingElseReadsIt() {
    Graph graph =
        finish(variance(centred(start(11))))
            .node("Neg", "z", "mean")
            .output("y")
            .output("z")
            .build();
    Graph fused = new FuseLayerNormalization().apply(graph);
    assertEquals(List.of("ReduceMean", "LayerNormalization", "Neg"), types(fused));
    assertSameValues(graph, fused, INPUT, 2e-6f);
  }

  @Test
  void normalisationOverAnotherAxisIsLeftAlone() {
    GraphBuilder builder =
        mean(start(11), "mean", "x", 1)
            .node("Sub", "centred", "x", "mean")
            .node("Pow", "square", "centred", "two");
    assertLeftAlone(finish(mean(builder, "variance", "square", 1)));
  }

  @Test
  void meanAndVarianceOverDifferentAxesAreLeftAlone() {
    GraphBuilder builder =
        mean(start(11), "mean", "x", 1)
            .node("Sub", "centred", "x", "mean")
            .node("Pow", "square", "centred", "two");
    assertLeftAlone(finish(mean(builder, "variance", "square", -1)));
  }

  @Test
  void anEpsilonAddedToTheDeviationIsLeftAlone() {
    assertLeftAlone(
        variance(centred(start(11)))
            .node("Sqrt", "deviation", "variance")
            .node("Add", "stable", "deviation", "epsilon")
            .node("Div", "normal", "centred", "stable")
            .node("Mul", "product", "normal", "scale")
            .node("Add", "y", "product", "bias"));
  }

  @Test
  void anEpsilonThatIsNoConstantIsLeftAlone() {
    assertLeftAlone(
        variance(mean(start(11), "mean", "x", -1).node("Sub", "centred", "x", "mean"))
            .node("Abs", "positive", "mean")
            .node("Add", "stable", "variance", "positive")
            .node("Sqrt", "deviation", "stable")
            .node("Div", "normal", "centred", "deviation")
            .node("Mul", "product", "normal", "scale")
            .node("Add", "y", "product", "bias"));
  }

  @Test
  void anotherPowerThanTwoIsLeftAlone() {
    GraphBuilder builder =
        centred(start(11)).scalar("four", 4).node("Pow", "square", "centred", "four");
    assertLeftAlone(finish(mean(builder, "variance", "square", -1)));
  }

  @Test
  void aDifferenceTheOtherWayRoundIsLeftAlone() {
    assertLeftAlone(
        finish(variance(mean(start(11), "mean", "x", -1).node("Sub", "centred", "mean", "x"))));
  }

  @Test
  void aScaleForEachRowIsLeftAlone() {
    assertLeftAlone(
        variance(centred(start(11)))
            .constant("rows", random(5, 3, 1))
            .node("Add", "stable", "variance", "epsilon")
            .node("Sqrt", "deviation", "stable")
            .node("Div", "normal", "centred", "deviation")
            .node("Mul", "product", "normal", "rows")
            .node("Add", "y", "product", "bias"));
  }

  @Test
  void anEpsilonThatAddsAnAxisIsLeftAlone() {
    assertLeftAlone(
        variance(centred(start(11)))
            .constant("wide", Tensor.of(new float[] {EPSILON}, 1, 1, 1, 1))
            .node("Add", "stable", "variance", "wide")
            .node("Sqrt", "deviation", "stable")
            .node("Div", "normal", "centred", "deviation")
            .node("Mul", "product", "normal", "scale")
            .node("Add", "y", "product", "bias"));
  }
}
