package dev.filigree.graph.pass;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.onnx.OnnxReader;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.testing.MiniLm;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Quantized;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The passes on the real all-MiniLM-L6-v2, in f32 and quantised. */
final class MiniLmPassesTest {
  private static final int LAYERS = 6;
  private static final int FEATURES = 384;

  private static Arena arena;
  private static Graph dense;
  private static Graph quantized;

  @BeforeAll
  static void applyThePasses() {
    arena = Arena.ofShared();
    dense = Passes.standard(OnnxReader.read(MiniLm.dense(), arena));
    quantized = Passes.standard(OnnxReader.read(MiniLm.quantized(), arena));
  }

  @AfterAll
  static void unmap() {
    arena.close();
  }

  private static Map<String, Long> histogram(Graph graph) {
    return graph.nodes().stream()
        .collect(Collectors.groupingBy(Node::type, TreeMap::new, Collectors.counting()));
  }

  private static final Map<String, Long> EXPECTED =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("Attention", 6L),
              Map.entry("LayerNormalization", 13L),
              Map.entry("Linear", 36L),
              Map.entry("Embedding", 1L),
              // the mask: 1 - mask as a float, times the lowest float
              Map.entry("Unsqueeze", 3L),
              Map.entry("Cast", 1L),
              Map.entry("Sub", 1L),
              Map.entry("Mul", 1L),
              // the positions: as many rows of a constant as there are tokens
              Map.entry("Shape", 1L),
              Map.entry("Gather", 1L),
              Map.entry("Slice", 1L)));

  @Test
  void theDenseModelIsFusedCompletely() {
    assertEquals(EXPECTED, histogram(dense));
  }

  @Test
  void theQuantisedModelIsFusedIntoTheSameNodes() {
    assertEquals(EXPECTED, histogram(quantized));
  }

  private static List<Node> linear(Graph graph) {
    return graph.nodes().stream().filter(node -> node.isFused(Linear.TYPE)).toList();
  }

  @Test
  void everyLayerTakesInItsBiasAndWhatFollows() {
    for (Graph graph : List.of(dense, quantized)) {
      for (Node node : linear(graph)) {
        assertTrue(node.input(Linear.BIAS).isPresent(), node::name);
      }
      assertEquals(
          LAYERS,
          linear(graph).stream().filter(n -> Linear.activation(n) == Activation.GELU).count());
      assertEquals(
          2 * LAYERS,
          linear(graph).stream().filter(node -> node.input(Linear.RESIDUAL).isPresent()).count());
    }
  }

  @Test
  void layersAreNamedAsTheModelsAuthorNamedThem() {
    List<String> expected =
        List.of(
            "encoder.layer.5.attention.self.query",
            "encoder.layer.5.attention.self.key",
            "encoder.layer.5.attention.self.value",
            "encoder.layer.5.attention.output.dense",
            "encoder.layer.5.intermediate.dense",
            "encoder.layer.5.output.dense");
    for (Graph graph : List.of(dense, quantized)) {
      List<String> names = linear(graph).stream().map(Node::name).toList();
      assertEquals(6 * LAYERS, names.stream().distinct().count());
      assertEquals(
          expected.stream().sorted().toList(),
          names.stream().filter(name -> name.contains("layer.5.")).sorted().toList());
    }
  }

  @Test
  void weightsAreLogicalAndStayInTheirForm() {
    Map<List<Integer>, Long> shapes =
        linear(dense).stream()
            .map(node -> dense.constants().get(node.inputs().get(Linear.WEIGHTS)))
            .map(constant -> ((Constant.Compressed) constant).weights())
            .peek(weights -> assertTrue(weights instanceof Dense))
            .collect(
                Collectors.groupingBy(
                    weights -> List.of(weights.rows(), weights.columns()), Collectors.counting()));
    assertEquals(
        Map.of(
            List.of(384, 384), 24L,
            List.of(1536, 384), 6L,
            List.of(384, 1536), 6L),
        shapes);
    for (Node node : linear(quantized)) {
      Constant constant = quantized.constants().get(node.inputs().get(Linear.WEIGHTS));
      assertTrue(((Constant.Compressed) constant).weights() instanceof Quantized, node::name);
      assertTrue(Linear.isDynamic(node), node::name);
    }
  }

  @Test
  void attentionKnowsItsHeadsScaleAndMask() {
    for (Graph graph : List.of(dense, quantized)) {
      List<Node> attentions =
          graph.nodes().stream().filter(node -> node.isFused(Attention.TYPE)).toList();
      assertEquals(
          1, attentions.stream().map(node -> node.input(Attention.MASK)).distinct().count());
      for (Node node : attentions) {
        assertEquals(12, Attention.form(node).heads(), node::name);
        assertEquals(1, Attention.form(node).scale(), node::name);
        assertEquals((float) Math.sqrt(32), Attention.form(node).divisor(), node::name);
        assertTrue(node.input(Attention.MASK).isPresent(), node::name);
      }
    }
  }

  @Test
  void symbolicExtentsReachEveryValue() {
    for (Graph graph : List.of(dense, quantized)) {
      Map<String, ValueType> types = ShapeInference.infer(graph, Operators::find);
      String[] symbols = {"batch_size", "sequence_length"};
      String tokens = String.format("f32[%s, %s, ", (Object[]) symbols);
      for (Node node : graph.nodes()) {
        String type = String.valueOf(types.get(node.output()));
        switch (node.type()) {
          case "Attention", "LayerNormalization", "Embedding" ->
              assertEquals(tokens + FEATURES + "]", type, node::name);
          case "Linear" -> {
            boolean wide = node.name().endsWith("intermediate.dense");
            assertEquals(tokens + (wide ? 4 : 1) * FEATURES + "]", type, node::name);
          }
          case "Mul" -> assertEquals("f32[batch_size, 1, 1, sequence_length]", type);
          case "Slice" -> assertEquals("i64[1, sequence_length]", type);
          default -> assertTrue(types.containsKey(node.output()), node::name);
        }
      }
    }
  }

  @Test
  void fusedAndUnfusedGraphsGiveTheSameEmbeddings() {
    Map<String, Tensor> inputs =
        Map.of(
            "input_ids", Tensor.of(new long[] {101, 1037, 102, 101, 102, 0}, 2, 3),
            "attention_mask", Tensor.of(new long[] {1, 1, 1, 1, 1, 0}, 2, 3),
            "token_type_ids", Tensor.zeros(DType.I64, Shape.of(2, 3)));
    Check.assertSameValues(OnnxReader.read(MiniLm.dense(), arena), dense, inputs, 5e-6f);
  }
}
