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
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Attention;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FuseAttentionTest {
  private static final int HEADS = 2;
  private static final int WIDTH = 4;
  private static final int FEATURES = HEADS * WIDTH;
  private static final float SCALE = 0.5f;
  private static final Map<String, Tensor> INPUTS =
      Map.of(
          "q", random(1, 2, 3, FEATURES),
          "k", random(2, 2, 3, FEATURES),
          "v", random(3, 2, 3, FEATURES),
          "mask", Tensor.of(new float[] {0, 0, -10000, 0, -10000, -10000}, 2, 1, 1, 3));

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("q", DType.F32, "batch", "seq", FEATURES)
        .input("k", DType.F32, "batch", "seq", FEATURES)
        .input("v", DType.F32, "batch", "seq", FEATURES)
        .input("mask", DType.F32, "batch", 1, 1, "seq")
        .longs("split", 0, 0, HEADS, WIDTH)
        .longs("join", 0, 0, FEATURES)
        .scalar("scale", SCALE)
        .scalar("divisor", 1 / SCALE)
        .scalar("root", Math.sqrt(SCALE));
  }

  private static GraphBuilder heads(GraphBuilder builder, String value, Integer... order) {
    return builder
        .node("Reshape", value + "Split", value, "split")
        .node(
            "Transpose", Map.of("perm", List.of(order)), List.of(value + "Heads"), value + "Split");
  }

  private static GraphBuilder operands() {
    return heads(heads(heads(start(), "q", 0, 2, 1, 3), "k", 0, 2, 3, 1), "v", 0, 2, 1, 3);
  }

  /** From {@code masked} scores to {@code y}. */
  private static GraphBuilder finish(GraphBuilder builder, int axis, Integer... order) {
    return builder
        .node("Softmax", Map.of("axis", axis), List.of("probabilities"), "masked")
        .node("MatMul", "context", "probabilities", "vHeads")
        .node("Transpose", Map.of("perm", List.of(order)), List.of("tokens"), "context")
        .node("Reshape", "y", "tokens", "join");
  }

  private static GraphBuilder finish(GraphBuilder builder) {
    return finish(builder, -1, 0, 2, 1, 3);
  }

  private static void assertFuses(GraphBuilder builder, float scale, String mask) {
    Graph graph = builder.output("y").build();
    Graph fused = new FuseAttention().apply(graph);
    assertEquals(List.of("Attention"), types(fused));
    Node node = only(fused, "Attention");
    assertEquals(List.of("q", "k", "v", mask), node.inputs());
    assertEquals(HEADS, Attention.form(node).heads());
    assertEquals(scale, Attention.form(node).scale() / Attention.form(node).divisor(), 1e-7f);
    assertSameValues(graph, fused, INPUTS, 1e-6f);
  }

  private static void assertLeftAlone(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph same = new FuseAttention().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void scaledAndMaskedAttentionIsFused() {
    assertFuses(
        finish(
            operands()
                .node("MatMul", "scores", "qHeads", "kHeads")
                .node("Div", "scaled", "scores", "divisor")
                .node("Add", "masked", "scaled", "mask")),
        SCALE,
        "mask");
  }

  @Test
  void theMaskMayComeFirstAndBeAProductItself() {
    Graph graph =
        finish(
                operands()
                    .scalar("half", 0.5)
                    .node("Mul", "penalty", "mask", "half")
                    .node("MatMul", "scores", "qHeads", "kHeads")
                    .node("Mul", "scaled", "scores", "scale")
                    .node("Add", "masked", "penalty", "scaled"))
            .output("y")
            .build();
    Graph fused = new FuseAttention().apply(graph);
    assertEquals(List.of("Mul", "Attention"), types(fused));
    assertEquals("penalty", only(fused, "Attention").inputs().get(Attention.MASK));
    assertSameValues(graph, fused, INPUTS, 1e-6f);
  }

  @Test
  void attentionWithoutMaskOrScaleIsFused() {
    assertFuses(finish(operands().node("MatMul", "masked", "qHeads", "kHeads")), 1, "");
  }

  @Test
  void theScaleMayLieOnTheQuery() {
    assertFuses(
        finish(
            operands()
                .node("Mul", "scaledQuery", "qHeads", "scale")
                .node("MatMul", "masked", "scaledQuery", "kHeads")),
        SCALE,
        "");
  }

  @Test
  void theScaleMayLieHalfOnQueryAndKey() {
    GraphBuilder builder =
        heads(heads(heads(start(), "q", 0, 2, 1, 3), "k", 0, 2, 1, 3), "v", 0, 2, 1, 3);
    assertFuses(
        finish(
            builder
                .node("Mul", "scaledQuery", "qHeads", "root")
                .node("Mul", "scaledKey", "kHeads", "root")
                .node(
                    "Transpose",
                    Map.of("perm", List.of(0, 1, 3, 2)),
                    List.of("turnedKey"),
                    "scaledKey")
                .node("MatMul", "masked", "scaledQuery", "turnedKey")),
        SCALE,
        "");
  }

  @Test
  void theJoinMayComputeItsShapeFromTheContext() {
    Graph graph =
        operands()
            .longs("first", 0)
            .longs("second", 1)
            .longs("features", FEATURES)
            .node("MatMul", "masked", "qHeads", "kHeads")
            .node("Softmax", Map.of("axis", -1), List.of("probabilities"), "masked")
            .node("MatMul", "context", "probabilities", "vHeads")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
            .node("Shape", "shape", "tokens")
            .node("Gather", "batch", "shape", "first")
            .node("Gather", "seq", "shape", "second")
            .node("Concat", Map.of("axis", 0), List.of("target"), "batch", "seq", "features")
            .node("Reshape", "y", "tokens", "target")
            .output("y")
            .build();
    Graph fused = new FuseAttention().apply(graph);
    assertEquals(List.of("Attention"), types(fused));
    assertSameValues(graph, fused, INPUTS, 1e-6f);
  }

  /** From masked scores to {@code y}, with a number in the place of probabilities that are NaN. */
  private static GraphBuilder guarded(GraphBuilder builder, double number) {
    return builder
        .scalar("number", number)
        .node("Softmax", Map.of("axis", -1), List.of("weights"), "masked")
        .node("IsNaN", "missing", "weights")
        .node("Where", "probabilities", "missing", "number", "weights")
        .node("MatMul", "context", "probabilities", "vHeads")
        .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
        .node("Reshape", "y", "tokens", "join");
  }

  private static GraphBuilder masked() {
    return operands()
        .node("MatMul", "scores", "qHeads", "kHeads")
        .node("Add", "masked", "scores", "mask");
  }

  @Test
  void aQueryWithoutKeysGetsNothingWhereTheGraphSaysSo() {
    float hidden = Float.NEGATIVE_INFINITY;
    Map<String, Tensor> inputs = new HashMap<>(INPUTS);
    inputs.put("mask", Tensor.of(new float[] {hidden, hidden, hidden, 0, hidden, 0}, 2, 1, 1, 3));
    Graph graph = guarded(masked(), 0).output("y").build();
    Graph fused = new FuseAttention().apply(graph);
    assertEquals(List.of("Attention"), types(fused));
    assertEquals(true, Attention.form(only(fused, "Attention")).guarded());
    assertSameValues(graph, fused, inputs, 1e-6f);
    for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      inputs.put("mask", Tensor.of(new float[] {0, odd, 0, 0, hidden, 0}, 2, 1, 1, 3));
      assertSameValues(graph, fused, inputs, 1e-6f);
    }
    Graph plain = finish(masked()).output("y").build();
    assertSameValues(plain, new FuseAttention().apply(plain), inputs, 1e-6f);
  }

  @Test
  void anotherNumberForMissingProbabilitiesIsLeftAlone() {
    assertLeftAlone(guarded(masked(), 1));
  }

  @Test
  void probabilitiesThatAreReadElsewhereAreLeftAlone() {
    Graph graph =
        finish(operands().node("MatMul", "masked", "qHeads", "kHeads"))
            .output("y")
            .output("probabilities")
            .build();
    Graph same = new FuseAttention().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void scoresAddedToThemselvesAreNoMask() {
    assertLeftAlone(
        finish(
            operands()
                .node("MatMul", "scores", "qHeads", "kHeads")
                .node("Add", "masked", "scores", "scores")));
  }

  @Test
  void softmaxOverAnotherAxisIsLeftAlone() {
    assertLeftAlone(finish(operands().node("MatMul", "masked", "qHeads", "kHeads"), 2, 0, 2, 1, 3));
  }

  @Test
  void headsJoinedInAnotherOrderAreLeftAlone() {
    assertLeftAlone(
        finish(operands().node("MatMul", "masked", "qHeads", "kHeads"), -1, 0, 2, 3, 1));
  }

  @Test
  void anUnsplitOrderOfTheQueryIsLeftAlone() {
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("q", DType.F32, "batch", 4, 4)
            .input("k", DType.F32, "batch", 4, 4)
            .input("v", DType.F32, "batch", 4, 4)
            .longs("split", 0, 0, 1, 4)
            .longs("join", 0, 0, 4);
    // every extent is the same, so only the order of the axes tells the pattern from its neighbour
    heads(heads(heads(builder, "q", 0, 2, 1, 3), "k", 0, 2, 1, 3), "v", 0, 2, 1, 3);
    Graph graph = finish(builder.node("MatMul", "masked", "qHeads", "kHeads")).output("y").build();
    Graph same = new FuseAttention().apply(graph);
    assertEquals(types(graph), types(same));
  }

  @Test
  void aScaleThatIsNoConstantIsLeftAlone() {
    assertLeftAlone(
        finish(
            operands()
                .node("ReduceMax", Map.of("keepdims", 0), List.of("measured"), "mask")
                .node("MatMul", "scores", "qHeads", "kHeads")
                .node("Mul", "masked", "scores", "measured")));
  }

  @Test
  void aScaledValueIsLeftAlone() {
    assertLeftAlone(
        operands()
            .node("MatMul", "masked", "qHeads", "kHeads")
            .node("Mul", "scaledValue", "vHeads", "scale")
            .node("Softmax", Map.of("axis", -1), List.of("probabilities"), "masked")
            .node("MatMul", "context", "probabilities", "scaledValue")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
            .node("Reshape", "y", "tokens", "join"));
  }

  @Test
  void aJoinIntoAnotherShapeIsLeftAlone() {
    Graph graph =
        operands()
            .longs("flat", 0, -1)
            .node("MatMul", "masked", "qHeads", "kHeads")
            .node("Softmax", Map.of("axis", -1), List.of("probabilities"), "masked")
            .node("MatMul", "context", "probabilities", "vHeads")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
            .node("Reshape", "y", "tokens", "flat")
            .output("y")
            .build();
    assertEquals(0, count(new FuseAttention().apply(graph), "Attention"));
  }

  /** Attention to keys and values of other extents than the queries'. */
  private static Graph across(Object keyBatch, String keyTokens, String valueTokens) {
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("q", DType.F32, "batch", "seq", FEATURES)
            .input("k", DType.F32, keyBatch, keyTokens, FEATURES)
            .input("v", DType.F32, keyBatch, valueTokens, FEATURES)
            .longs("split", 0, 0, HEADS, WIDTH)
            .longs("join", 0, 0, FEATURES);
    heads(heads(heads(builder, "q", 0, 2, 1, 3), "k", 0, 2, 3, 1), "v", 0, 2, 1, 3);
    return finish(builder.node("MatMul", "masked", "qHeads", "kHeads")).output("y").build();
  }

  @Test
  void keysOfOneTextForSeveralAreLeftAlone() {
    Graph graph = across(1, "keys", "keys");
    Graph same = new FuseAttention().apply(graph);
    assertEquals(types(graph), types(same));
    Map<String, Tensor> inputs =
        Map.of(
            "q", random(1, 2, 3, FEATURES),
            "k", random(2, 1, 5, FEATURES),
            "v", random(3, 1, 5, FEATURES));
    assertSameValues(graph, same, inputs, 0);
    assertEquals(types(graph), types(new FuseAttention().apply(across("batch", "k", "v"))));
    assertEquals(
        List.of("Attention"), types(new FuseAttention().apply(across("batch", "keys", "keys"))));
  }

  @Test
  void withoutKeysThereIsNothing() {
    Graph graph = across("batch", "keys", "keys");
    Map<String, Tensor> inputs =
        Map.of(
            "q", random(1, 2, 3, FEATURES),
            "k", random(2, 2, 0, FEATURES),
            "v", random(3, 2, 0, FEATURES));
    assertSameValues(graph, new FuseAttention().apply(graph), inputs, 0);
  }
}
