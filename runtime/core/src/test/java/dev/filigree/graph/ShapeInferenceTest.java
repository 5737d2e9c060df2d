package dev.filigree.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.Operators;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Types and extents through graphs with a symbolic batch and sequence. */
final class ShapeInferenceTest {
  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("x", DType.F32, "batch", "seq", 384)
        .longs("zero", 0)
        .longs("one", 1)
        .longs("two", 2)
        .longs("minusOne", -1);
  }

  private static String type(GraphBuilder builder, String value) {
    return String.valueOf(ShapeInference.infer(builder.build(), Operators::find).get(value));
  }

  @Test
  void headsAreSplitAndJoinedWithoutKnowingTheTokens() {
    GraphBuilder builder =
        start()
            .longs("split", 0, 0, 12, 32)
            .longs("join", 0, -1, 384)
            .node("Reshape", "heads", "x", "split")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("turned"), "heads")
            .node("Transpose", Map.of("perm", List.of(0, 2, 3, 1)), List.of("key"), "heads")
            .node("MatMul", "scores", "turned", "key")
            .node("Reshape", "joined", "x", "join");
    assertEquals("f32[batch, seq, 12, 32]", type(builder, "heads"));
    assertEquals("f32[batch, 12, seq, 32]", type(builder, "turned"));
    assertEquals("f32[batch, 12, seq, seq]", type(builder, "scores"));
    assertEquals("f32[batch, seq, 384]", type(builder, "joined"));
  }

  @Test
  void aShapeComputedFromAShapeIsFollowed() {
    GraphBuilder builder =
        start()
            .longs("width", 32)
            .node("Shape", "shape", "x")
            .node("Gather", "batch", "shape", "zero")
            .node("Gather", "features", "shape", "two")
            .node("Div", "headCount", "features", "width")
            .node(
                "Concat",
                Map.of("axis", 0),
                List.of("target"),
                "batch",
                "minusOne",
                "headCount",
                "width")
            .node("Reshape", "y", "x", "target");
    assertEquals("f32[batch, seq, 12, 32]", type(builder, "y"));
  }

  @Test
  void productsOfSymbolsAreDividedAgain() {
    GraphBuilder builder =
        start()
            .longs("flat", -1, 384)
            .node("Reshape", "tokens", "x", "flat")
            .node("Shape", "shape", "x")
            .node("Reshape", "back", "tokens", "shape");
    assertEquals("f32[batch*seq, 384]", type(builder, "tokens"));
    assertEquals("f32[batch, seq, 384]", type(builder, "back"));
  }

  @Test
  void asManyRowsAsThereAreTokensAreSliced() {
    GraphBuilder builder =
        start()
            .constant("positions", Tensor.of(new long[512], 1, 512))
            .node("Shape", "shape", "x")
            .node("Gather", "length", "shape", "one")
            .node("Slice", "taken", "positions", "zero", "length", "one");
    assertEquals("i64[1, seq]", type(builder, "taken"));
  }

  @Test
  void aSliceOfContentBySymbolsIsUnknownAndNoError() {
    GraphBuilder builder =
        start()
            .node("Shape", "shape", "x")
            .node("Gather", "length", "shape", "one")
            .node("Slice", "part", "shape", "zero", "length", "zero")
            .node("Slice", "tail", "shape", "length", "minusOne", "zero");
    assertEquals("i64[seq]", type(builder, "part"));
    assertTrue(type(builder, "tail").startsWith("i64[(3["), type(builder, "tail"));
  }

  @Test
  void concatenationAddsSymbols() {
    GraphBuilder builder =
        start()
            .input("past", DType.F32, "batch", "before", 384)
            .node("Concat", Map.of("axis", 1), List.of("all"), "x", "past")
            .node("Concat", Map.of("axis", 1), List.of("other"), "past", "x")
            .node("Concat", Map.of("axis", 1), List.of("twice"), "x", "x")
            .node("Add", "sum", "all", "other");
    assertEquals("f32[batch, (before + seq), 384]", type(builder, "all"));
    assertEquals("f32[batch, (before + seq), 384]", type(builder, "sum"));
    assertEquals("f32[batch, 2*seq, 384]", type(builder, "twice"));
  }

  @Test
  void shapesThatDependOnDataAreLeftOutAndSoIsWhatFollows() {
    GraphBuilder builder =
        start()
            .input("wanted", DType.I64, 2)
            .node("Reshape", "y", "x", "wanted")
            .node("Neg", "z", "y")
            .node("Abs", "w", "x");
    assertEquals("null", type(builder, "y"));
    assertEquals("null", type(builder, "z"));
    assertEquals("f32[batch, seq, 384]", type(builder, "w"));
  }

  @Test
  void shapesOfOneCallMakeEverythingKnown() {
    Graph graph =
        start()
            .node("Shape", "shape", "x")
            .node("Gather", "length", "shape", "one")
            .node("Mul", "twice", "length", "two")
            .node("ConstantOfShape", "y", "twice")
            .build();
    Map<String, ValueType> types =
        ShapeInference.infer(graph, Map.of("x", Shape.of(2, 7, 384)), Operators::find);
    assertEquals("f32[14]", types.get("y").toString());
    assertTrue(types.values().stream().allMatch(ValueType::isConcrete));
  }

  @Test
  void aMismatchIsRefusedWithItsNodeOnceTheExtentsAreKnown() {
    Graph graph = start().longs("wrong", 0, 0, 12, 31).node("Reshape", "y", "x", "wrong").build();
    // of no tokens both have as many elements
    assertTrue(ShapeInference.infer(graph, Operators::find).containsKey("y"));
    GraphException refused =
        assertThrows(
            GraphException.class,
            () -> ShapeInference.infer(graph, Map.of("x", Shape.of(1, 2, 384)), Operators::find));
    assertTrue(refused.getMessage().contains("'y' (Reshape)"), refused.getMessage());
  }

  @Test
  void contentsAreKeptAsTheirTypeStoresThem() {
    List<Dim> wide = List.of(Dim.of(300), Dim.of(-1));
    assertEquals(List.of(Dim.of(44), Dim.of(255)), content(DType.U8, wide));
    assertEquals(List.of(Dim.of(44), Dim.of(-1)), content(DType.I8, wide));
    assertEquals(List.of(Dim.of(1), Dim.of(1)), content(DType.BOOL, wide));
    assertEquals(wide, content(DType.I32, wide));
    assertEquals(List.of(Dim.of(1)), content(DType.I32, List.of(Dim.of((1L << 32) + 1))));
    List<Dim> symbol = List.of(Dim.symbol("seq"));
    assertEquals(symbol, content(DType.I64, symbol));
    assertEquals(symbol, content(DType.I32, symbol));
    assertEquals(null, content(DType.U8, symbol));
    assertEquals(null, content(DType.F32, wide));
  }

  private static List<Dim> content(DType dtype, List<Dim> content) {
    return new ValueType(dtype, List.of(Dim.of(content.size())), content).content();
  }

  @Test
  void dimsAreEqualWhateverTheOrderTheyWereMadeIn() {
    Dim batch = Dim.symbol("batch");
    Dim seq = Dim.symbol("seq");
    assertEquals(batch.times(seq), seq.times(batch));
    assertEquals(batch.plus(seq), seq.plus(batch));
    assertEquals(Dim.of(0), batch.times(Dim.of(0)));
    assertEquals(Dim.of(0), batch.minus(batch));
    assertEquals(seq, batch.times(seq).times(Dim.of(12)).dividedBy(batch.times(Dim.of(12))).get());
    assertFalse(batch.dividedBy(seq).isPresent());
    assertFalse(batch.times(Dim.of(3)).dividedBy(Dim.of(2)).isPresent());
    assertFalse(batch.dividedBy(Dim.of(0)).isPresent());
    assertEquals("12*batch*seq", seq.times(Dim.of(12)).times(batch).toString());
  }

  @Test
  void anExtentThatIsNotKnownMayBeThatOfTheScale() {
    for (String type : List.of("LayerNormalization", "RMSNormalization")) {
      Graph graph =
          new GraphBuilder(23)
              .input("x", DType.F32, "batch", "width")
              .constant("scale", Tensor.of(new float[8], 8))
              .node(type, "y", "x", "scale")
              .output("y")
              .build();
      assertEquals(
          "f32[batch, width]",
          ShapeInference.infer(graph, Operators::find).get("y").toString(),
          type);
    }
  }
}
