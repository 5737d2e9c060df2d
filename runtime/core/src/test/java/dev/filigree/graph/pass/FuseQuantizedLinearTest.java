package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.weights.Quantized;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class FuseQuantizedLinearTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3, 8));

  private static Tensor bytes(DType dtype, long seed, long... extents) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    byte[] codes = new byte[(int) tensor.elements()];
    new Random(seed).nextBytes(codes);
    tensor.data().copyFrom(MemorySegment.ofArray(codes));
    return tensor;
  }

  private static GraphBuilder start(Tensor scales, Tensor zeroPoints) {
    return new GraphBuilder(11)
        .input("x", DType.F32, "batch", "seq", 8)
        .constant("w_quantized", bytes(DType.I8, 2, 8, 5))
        .constant("w_scale", scales)
        .constant("w_zero_point", zeroPoints)
        .node("DynamicQuantizeLinear", Map.of(), List.of("q", "qScale", "qZero"), "x");
  }

  private static GraphBuilder start() {
    return start(Tensor.of(new float[] {0.02f}), bytes(DType.I8, 3));
  }

  private static GraphBuilder finish(GraphBuilder builder) {
    return builder
        .node("MatMulInteger", "sums", "q", "w_quantized", "qZero", "w_zero_point")
        .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
        .node("Mul", "bothScales", "qScale", "w_scale")
        .node("Mul", "y", "floats", "bothScales")
        .output("y");
  }

  private static void assertFuses(Graph graph) {
    Graph fused = new FuseQuantizedLinear().apply(graph);
    assertEquals(List.of("Linear"), types(fused));
    String weights = only(fused, "Linear").inputs().get(Linear.WEIGHTS);
    assertTrue(Linear.isDynamic(only(fused, "Linear")));
    assertTrue(
        fused.constants().get(weights) instanceof Constant.Compressed(Quantized q, boolean t)
            && q.rows() == 5
            && q.columns() == 8);
    assertSameValues(graph, fused, INPUT, 1e-5f);
  }

  private static void assertLeftAlone(Graph graph) {
    Graph same = new FuseQuantizedLinear().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUT, 0);
  }

  @Test
  void dynamicQuantisationWithOneScaleIsFused() {
    assertFuses(finish(start()).build());
  }

  @Test
  void dynamicQuantisationWithAScaleForEachColumnIsFused() {
    Tensor scales = Tensor.of(new float[] {0.01f, 0.02f, 0.03f, 0.04f, 0.05f}, 5);
    assertFuses(finish(start(scales, bytes(DType.I8, 3, 5))).build());
  }

  @Test
  void weightsWithoutAZeroPointAreFused() {
    assertFuses(
        start()
            .node("MatMulInteger", "sums", "q", "w_quantized", "qZero")
            .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
            .node("Mul", "bothScales", "w_scale", "qScale")
            .node("Mul", "y", "bothScales", "floats")
            .output("y")
            .build());
  }

  @Test
  void aMissingOrForeignZeroPointOfTheInputIsLeftAlone() {
    assertLeftAlone(
        start()
            .node("MatMulInteger", "sums", "q", "w_quantized", "", "w_zero_point")
            .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
            .node("Mul", "bothScales", "qScale", "w_scale")
            .node("Mul", "y", "floats", "bothScales")
            .output("y")
            .build());
    assertLeftAlone(
        start()
            .constant("other", bytes(DType.U8, 5))
            .node("MatMulInteger", "sums", "q", "w_quantized", "other", "w_zero_point")
            .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
            .node("Mul", "bothScales", "qScale", "w_scale")
            .node("Mul", "y", "floats", "bothScales")
            .output("y")
            .build());
  }

  @Test
  void aProductThatIsNotScaledByTheInputsScaleIsLeftAlone() {
    assertLeftAlone(
        start()
            .node("MatMulInteger", "sums", "q", "w_quantized", "qZero", "w_zero_point")
            .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
            .node("Mul", "twice", "w_scale", "w_scale")
            .node("Mul", "y", "floats", "twice")
            .output("y")
            .build());
  }

  @Test
  void asManyZeroPointsAsColumnsUnderOneScaleAreLeftAlone() {
    assertLeftAlone(finish(start(Tensor.of(new float[] {0.02f}), bytes(DType.I8, 3, 5))).build());
  }

  @Test
  void quantisedWeightsThatAreNoConstantAreLeftAlone() {
    Graph graph =
        new GraphBuilder(11)
            .input("x", DType.F32, 3, 3)
            .scalar("w_scale", 0.02)
            .node("DynamicQuantizeLinear", Map.of(), List.of("q", "qScale", "qZero"), "x")
            .node("MatMulInteger", "sums", "q", "q", "qZero", "qZero")
            .node("Cast", Map.of("to", 1), List.of("floats"), "sums")
            .node("Mul", "bothScales", "qScale", "w_scale")
            .node("Mul", "y", "floats", "bothScales")
            .output("y")
            .build();
    assertEquals(types(graph), types(new FuseQuantizedLinear().apply(graph)));
  }
}
