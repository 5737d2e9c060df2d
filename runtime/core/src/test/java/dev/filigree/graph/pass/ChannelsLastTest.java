package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Against the operators with channels first; what processors run is among the exported models. */
final class ChannelsLastTest {
  private static final String INTERNAL = "com.ms.internal.nhwc";
  private static final Map<String, Tensor> INPUTS =
      Map.of("x", random(1, 2, 7, 6, 4), "z", random(2, 2, 4, 3, 8));
  private static final Map<String, Object> FIRST = Map.of("perm", List.of(0, 3, 1, 2));
  private static final Map<String, Object> LAST = Map.of("perm", List.of(0, 2, 3, 1));
  private static final Map<String, Object> WINDOW =
      Map.of("kernel_shape", List.of(3, 3), "pads", List.of(1, 1, 1, 1), "strides", List.of(2, 2));

  private static GraphBuilder start() {
    return new GraphBuilder(17)
        .input("x", DType.F32, "batch", 7, 6, 4)
        .input("z", DType.F32, "batch", 4, 3, 8)
        .constant("w", random(3, 8, 4, 3, 3))
        .constant("b", random(4, 8));
  }

  /** The graph with its node for {@code y} replaced by one that has its channels last. */
  private static Graph last(
      Graph like, String domain, String type, Map<String, Attribute> more, String... inputs) {
    Map<String, Attribute> attributes = new HashMap<>(more);
    like.nodes().stream()
        .filter(node -> node.name().equals("inner"))
        .forEach(node -> attributes.putAll(node.attributes()));
    Node node = new Node("y", domain, type, List.of(inputs), List.of("y"), attributes);
    return like.with(List.of(node), like.constants());
  }

  private static void assertSame(Graph first, Graph last) {
    assertSameValues(first, new LowerVendorOperators().apply(last), INPUTS, 1e-5f);
  }

  @Test
  void operatorsOfTheInternalDomainAreThoseWithChannelsFirst() {
    for (String type : List.of("Conv", "MaxPool", "AveragePool")) {
      String[] rest = type.equals("Conv") ? new String[] {"w", "b"} : new String[0];
      String[] inputs = new String[rest.length + 1];
      System.arraycopy(rest, 0, inputs, 1, rest.length);
      inputs[0] = "t";
      GraphBuilder builder = start().node("Transpose", FIRST, List.of("t"), "x");
      builder.node(type, WINDOW, List.of("inner"), inputs);
      Graph first = builder.node("Transpose", LAST, List.of("y"), "inner").output("y").build();
      inputs[0] = "x";
      assertSame(first, last(first, INTERNAL, type, Map.of(), inputs));
    }
  }

  @Test
  void aFusedConvolutionAddsWhatHasItsChannelsLastToo() {
    GraphBuilder builder = start().node("Transpose", FIRST, List.of("t"), "x");
    builder.node("Conv", WINDOW, List.of("inner"), "t", "w", "b");
    builder.node("Transpose", LAST, List.of("c"), "inner").node("Add", "a", "c", "z");
    Graph first = builder.node("Relu", "y", "a").output("y").build();
    Map<String, Attribute> relu = Map.of("activation", new Attribute.Text("Relu"));
    Graph last = last(first, "com.microsoft", "NhwcFusedConv", relu, "x", "w", "b", "z");
    assertSame(first, last);
  }

  @Test
  void placesOfTheGreatestAreRefused() {
    Graph like = start().node("Identity", "y", "x").output("y").build();
    Map<String, Attribute> window = Map.of("kernel_shape", new Attribute.Ints(List.of(2L, 2L)));
    Node pool = new Node("p", INTERNAL, "MaxPool", List.of("x"), List.of("y", "places"), window);
    Graph graph = like.with(List.of(pool), like.constants());
    assertThrows(
        UnsupportedException.class, () -> new LowerVendorOperators().apply(graph), "channels last");
  }
}
