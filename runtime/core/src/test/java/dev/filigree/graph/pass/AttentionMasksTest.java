package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.count;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What exporters write around the scores of attention becomes what fusion recognises. */
final class AttentionMasksTest {
  private static final Map<String, Tensor> INPUTS =
      Map.of(
          "q", random(1, 2, 3, 4, 5),
          "k", random(2, 2, 3, 4, 5),
          "bias", random(3, 1, 3, 4, 4),
          "seen", Tensor.of(new float[] {1, 1, 0, 1, 1, 0, 0, 0}, 2, 1, 1, 4));

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("q", DType.F32, "batch", 3, 4, 5)
        .input("k", DType.F32, "batch", 3, 4, 5)
        .input("bias", DType.F32, 1, 3, 4, 4)
        .input("seen", DType.F32, "batch", 1, 1, 4)
        .scalar("half", 0.5)
        .scalar("zero", 0)
        .scalar("hidden", -1000)
        .node("Greater", "keys", "seen", "half")
        .node("Transpose", Map.of("perm", List.of(0, 1, 3, 2)), List.of("turned"), "k")
        .node("MatMul", "scores", "q", "turned");
  }

  /** Places of queries {@code [1, 1, 4, 1]}, compared with a number. */
  private static GraphBuilder places(GraphBuilder builder, long first, long least) {
    return builder
        .longs("first", first)
        .longs("end", first + 4)
        .longs("one", 1)
        .longs("least", least)
        .longs("axes", 0, 1, 3)
        .node("Range", "places", "first", "end", "one")
        .node("Unsqueeze", "column", "places", "axes")
        .node("GreaterOrEqual", "always", "column", "least");
  }

  private static GraphBuilder finish(GraphBuilder builder) {
    return builder
        .node("Where", "mask", "chosen", "zero", "hidden")
        .node("Add", "masked", "scores", "mask")
        .node("Softmax", Map.of("axis", -1), List.of("y"), "masked")
        .output("y");
  }

  @Test
  void aMaskWrittenForEachQueryKeepsOnlyWhatItTellsOfKeys() {
    Graph graph =
        finish(
                places(start(), 0, 0)
                    .longs("full", 1, 1, 4, 4)
                    .node("And", "both", "always", "keys")
                    .node("Expand", "chosen", "both", "full"))
            .build();
    Graph narrow = new NarrowMasks().apply(graph);
    assertEquals("keys", only(narrow, "Where").inputs().getFirst());
    assertEquals(0, count(narrow, "Expand") + count(narrow, "And"));
    assertSameValues(graph, narrow, INPUTS, 0);
  }

  @Test
  void aConditionOnPlacesThatMayFailIsKept() {
    Graph graph = finish(places(start(), 0, 1).node("And", "chosen", "always", "keys")).build();
    Graph same = new NarrowMasks().apply(graph);
    assertEquals("chosen", only(same, "Where").inputs().getFirst());
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void aMaskThatIsReadElsewhereKeepsItsExtents() {
    Graph graph =
        finish(places(start(), 0, 0).node("And", "chosen", "always", "keys"))
            .output("mask")
            .build();
    Graph same = new NarrowMasks().apply(graph);
    assertEquals("chosen", only(same, "Where").inputs().getFirst());
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void aBiasAndAMaskAreAddedOnceForAllLayers() {
    Graph graph =
        start()
            .node("Where", "mask", "keys", "zero", "hidden")
            .node("Add", "biased", "scores", "bias")
            .node("Add", "masked", "biased", "mask")
            .node("Softmax", Map.of("axis", -1), List.of("y"), "masked")
            .node("Mul", "halves", "q", "half")
            .node("MatMul", "others", "halves", "turned")
            .node("Add", "otherBiased", "bias", "others")
            .node("Add", "otherMasked", "otherBiased", "mask")
            .node("Softmax", Map.of("axis", -1), List.of("z"), "otherMasked")
            .output("y")
            .output("z")
            .build();
    Graph joined = new JoinMasks().apply(graph);
    assertEquals(4, count(graph, "Add"));
    assertEquals(3, count(joined, "Add"), () -> types(joined).toString());
    assertSameValues(graph, joined, INPUTS, 1e-5f);
  }

  @Test
  void scoresOfTwoProductsAreNoMask() {
    Graph graph =
        start()
            .node("Add", "twice", "scores", "bias")
            .node("MatMul", "more", "k", "turned")
            .node("Add", "masked", "twice", "more")
            .node("Softmax", Map.of("axis", -1), List.of("y"), "masked")
            .output("y")
            .build();
    assertSameValues(graph, new JoinMasks().apply(graph), INPUTS, 1e-5f);
  }

  @Test
  void axesExchangedInAFoldedTensorAreExchangedAtOnce() {
    Graph graph =
        new GraphBuilder(13)
            .input("k", DType.F32, "batch", 3, 4, 5)
            .longs("folded", -1, 4, 5)
            .longs("unfolded", -1, 3, 5, 4)
            .node("Reshape", "flat", "k", "folded")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1)), List.of("turned"), "flat")
            .node("Reshape", "y", "turned", "unfolded")
            .output("y")
            .build();
    Graph at = new UnfoldTransposes().apply(graph);
    assertEquals(List.of("Transpose"), types(at));
    assertSameValues(graph, at, Map.of("k", INPUTS.get("k")), 0);
  }

  @Test
  void axesFoldedOtherwiseAreLeftAlone() {
    Graph graph =
        new GraphBuilder(13)
            .input("k", DType.F32, 2, 3, 4, 5)
            .longs("folded", 8, 3, 5)
            .longs("unfolded", 2, 4, 5, 3)
            .node("Reshape", "flat", "k", "folded")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1)), List.of("turned"), "flat")
            .node("Reshape", "y", "turned", "unfolded")
            .output("y")
            .build();
    assertEquals(types(graph), types(new UnfoldTransposes().apply(graph)));
  }
}
