package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class QuantizedConstantsTest {
  private static final Map<String, Tensor> IDS =
      Map.of("ids", Tensor.of(new long[] {1, 0, 2, -1}, 2, 2));

  private static Tensor bytes(DType dtype, int... values) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(values.length));
    for (int i = 0; i < values.length; i++) {
      tensor.setLong(i, values[i]);
    }
    return tensor;
  }

  private static Tensor table() {
    return bytes(DType.U8, 0, 255, 3, 128, 127, 1).reshape(Shape.of(3, 2));
  }

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("ids", DType.I64, "batch", "seq")
        .constant("codes", table())
        .scalar("scale", 0.5)
        .scalar("other", 2)
        .constant("zero", bytes(DType.U8, 128).reshape(Shape.SCALAR));
  }

  private static Graph apply(Graph graph) {
    Graph result = new QuantizedConstants().apply(graph);
    assertSameValues(graph, result, IDS, 0);
    return result;
  }

  @Test
  void aDequantisedMatrixBecomesCompressedWeights() {
    Graph result =
        apply(
            start()
                .node("DequantizeLinear", "w", "codes", "scale", "zero")
                .node("Gather", "y", "w", "ids")
                .output("y")
                .build());
    assertEquals(List.of("Gather"), types(result));
    assertInstanceOf(Constant.Compressed.class, result.constants().get("w"));
  }

  @Test
  void scalesForEachRowAndForEachColumnAreKeptApart() {
    GraphBuilder rows =
        start()
            .constant("scales", Tensor.of(new float[] {1, 10, 100}, 3))
            .constant("zeros", bytes(DType.U8, 1, 2, 3))
            .node("DequantizeLinear", Map.of("axis", 0), List.of("w"), "codes", "scales", "zeros");
    assertEquals(
        List.of("Gather"), types(apply(rows.node("Gather", "y", "w", "ids").output("y").build())));
    GraphBuilder columns =
        start()
            .constant("scales", Tensor.of(new float[] {1, 10}, 2))
            .constant("zeros", bytes(DType.U8, 1, 2))
            .node("DequantizeLinear", "w", "codes", "scales", "zeros");
    assertEquals(
        List.of("Gather"),
        types(apply(columns.node("Gather", "y", "w", "ids").output("y").build())));
  }

  @Test
  void aLookUpIsMovedBehindTheDequantisation() {
    Graph result =
        apply(
            start()
                .node("Gather", "rows", "codes", "ids")
                .node("DequantizeLinear", "y", "rows", "scale", "zero")
                .output("y")
                .build());
    assertEquals(List.of("Gather", "Gather"), types(result));
    assertEquals(List.of("Gather"), types(new RemoveDeadCode().apply(result)));
    // by rows, as the kernel of look-ups reads a table where it lies
    Constant.Compressed table =
        assertInstanceOf(Constant.Compressed.class, result.constants().get("y_table"));
    assertFalse(table.transposed());
    assertEquals(3, table.weights().rows());
  }

  @Test
  void oneTableUnderTwoScalesStaysTwoTables() {
    apply(
        start()
            .node("Gather", "rows", "codes", "ids")
            .node("DequantizeLinear", "y", "rows", "scale", "zero")
            .node("DequantizeLinear", "z", "rows", "other")
            .output("y")
            .output("z")
            .build());
  }

  @Test
  void aLookUpAlongTheColumnsIsLeftAlone() {
    Graph graph =
        start()
            .constant("column", Tensor.of(new long[] {1}, 1))
            .node("Gather", Map.of("axis", 1), List.of("taken"), "codes", "column")
            .node("DequantizeLinear", "y", "taken", "scale", "zero")
            .output("y")
            .build();
    assertEquals(List.of("Gather", "DequantizeLinear"), types(apply(graph)));
  }

  @Test
  void codesOfMoreThanEightBitsOrOtherRankAreLeftAlone() {
    Graph wide =
        start()
            .constant("wide", Tensor.of(new int[] {1, 2, 3, 4}, 2, 2))
            .node("DequantizeLinear", "y", "wide", "scale")
            .output("y")
            .build();
    assertEquals(List.of("DequantizeLinear"), types(apply(wide)));
    Graph vector =
        start()
            .constant("vector", bytes(DType.I8, 1, -2, 3))
            .node("DequantizeLinear", "y", "vector", "scale")
            .output("y")
            .build();
    assertEquals(List.of("DequantizeLinear"), types(apply(vector)));
  }
}
