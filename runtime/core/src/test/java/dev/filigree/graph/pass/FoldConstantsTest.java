package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FoldConstantsTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3));

  private static GraphBuilder start() {
    return new GraphBuilder(13).input("x", DType.F32, "rows", 3).constant("c", random(2, 3));
  }

  private static Graph apply(Graph graph) {
    Graph result = new FoldConstants().apply(graph);
    assertSameValues(graph, result, INPUT, 0);
    return result;
  }

  @Test
  void aChainOfConstantsIsComputedOnce() {
    Graph result =
        apply(
            start()
                .node("Neg", "minus", "c")
                .node("Exp", "e", "minus")
                .node("Mul", "y", "x", "e")
                .output("y")
                .build());
    assertEquals(List.of("Mul"), types(result));
    float[] c = random(2, 3).toFloats();
    float[] expected = {(float) Math.exp(-c[0]), (float) Math.exp(-c[1]), (float) Math.exp(-c[2])};
    assertArrayEquals(expected, result.constants().get("e").toTensor().toFloats());
  }

  @Test
  void theKnownExtentOfASymbolicShapeIsFolded() {
    Graph result =
        apply(
            start()
                .longs("second", 1)
                .node("Shape", "shape", "x")
                .node("Gather", "extent", "shape", "second")
                .node("Cast", Map.of("to", 1), List.of("width"), "extent")
                .node("Div", "y", "x", "width")
                .output("y")
                .build());
    assertEquals(List.of("Shape", "Div"), types(result));
    assertArrayEquals(new float[] {3}, result.constants().get("width").toTensor().toFloats());
  }

  @Test
  void theUnknownExtentOfASymbolicShapeStays() {
    Graph result =
        apply(
            start()
                .longs("first", 0)
                .node("Shape", "shape", "x")
                .node("Gather", "extent", "shape", "first")
                .node("Cast", Map.of("to", 1), List.of("height"), "extent")
                .node("Div", "y", "x", "height")
                .output("y")
                .build());
    assertEquals(List.of("Shape", "Gather", "Cast", "Div"), types(result));
  }

  @Test
  void whatAnInputReachesStays() {
    Graph graph = start().node("Neg", "minus", "x").node("Add", "y", "minus", "c").build();
    assertEquals(List.of("Neg", "Add"), types(new FoldConstants().apply(graph)));
  }

  @Test
  void aSmallGraphCannotGrowConstantsWithoutBound() {
    GraphBuilder builder = start();
    String value = "c";
    // 3 * 2^30 elements if nothing stopped it
    for (int i = 0; i < 30; i++) {
      String next = "doubled" + i;
      builder.node("Concat", Map.of("axis", 0), List.of(next), value, value);
      value = next;
    }
    Graph result = new FoldConstants().apply(builder.output(value).build());
    long elements =
        result.constants().values().stream().mapToLong(c -> c.type().shape().elements()).sum();
    // a budget of 2^20 elements stands for 17 doublings of 3
    assertTrue(elements < 1 << 21, () -> elements + " elements");
    assertEquals(13, result.nodes().size());
  }

  @Test
  void fillsStandForWeightsUpToABoundOfTheirOwn() {
    GraphBuilder builder = start();
    long[] extents = {1 << 20, 1 << 24, 1 << 26};
    for (int i = 0; i < extents.length; i++) {
      builder
          .longs("extents" + i, 3, extents[i])
          .node("ConstantOfShape", "filled" + i, "extents" + i)
          .node("MatMul", "y" + i, "x", "filled" + i)
          .output("y" + i);
    }
    Graph result = new FoldConstants().apply(builder.build());
    // three times 2^20 and 2^24 elements fit 2^27, three times 2^26 do not
    assertEquals(List.of("MatMul", "MatMul", "ConstantOfShape", "MatMul"), types(result));
  }

  @Test
  void constantsWiderThanTheirTypeWrapAsTheKernelsDo() {
    Tensor a = Tensor.zeros(DType.U8, Shape.of(2));
    a.setLong(0, 200);
    a.setLong(1, 3);
    Graph result =
        new FoldConstants()
            .apply(
                new GraphBuilder(14)
                    .constant("a", a)
                    .node("Add", "sum", "a", "a")
                    .node("Div", "y", "sum", "a")
                    .output("y", DType.U8)
                    .build());
    // (200 + 200) mod 256 is 144, which 200 does not go into
    assertArrayEquals(new long[] {0, 2}, result.constants().get("y").toTensor().toLongs());
  }
}
