package dev.filigree.graph.pass;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;

/** What tests of passes ask of graphs. */
final class Check {
  private Check() {}

  /** Operator types of a graph's nodes in their order. */
  static List<String> types(Graph graph) {
    return graph.nodes().stream().map(Node::type).toList();
  }

  /** How many nodes of a type a graph has. */
  static long count(Graph graph, String type) {
    return graph.nodes().stream().filter(node -> node.type().equals(type)).count();
  }

  /** The only node of a type. */
  static Node only(Graph graph, String type) {
    List<Node> found = graph.nodes().stream().filter(node -> node.type().equals(type)).toList();
    assertEquals(1, found.size(), () -> "nodes of type " + type + " in " + types(graph));
    return found.getFirst();
  }

  /** Both graphs make the same values of the inputs, within an absolute tolerance. */
  static void assertSameValues(
      Graph expected, Graph actual, Map<String, Tensor> inputs, float tolerance) {
    Map<String, Tensor> wanted = new Interpreter(expected).run(inputs);
    Map<String, Tensor> got = new Interpreter(actual).run(inputs);
    assertEquals(wanted.keySet(), got.keySet());
    wanted.forEach(
        (name, tensor) -> {
          assertEquals(tensor.toString(), got.get(name).toString(), name);
          assertArrayEquals(tensor.toFloats(), got.get(name).toFloats(), tolerance, name);
        });
  }

  /** Normally distributed numbers, always the same for a seed. */
  static Tensor random(long seed, long... extents) {
    int elements = Math.toIntExact(Shape.of(extents).elements());
    return Tensor.of(new Samples(seed).normal(elements), extents);
  }
}
