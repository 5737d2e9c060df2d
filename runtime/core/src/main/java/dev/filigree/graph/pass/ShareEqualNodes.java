package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Operators;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Computes once what several nodes compute of the same values, such as the mask and the extents
 * that an exporter writes for each layer anew. Fused layers keep their nodes, since people know
 * them by name. Runs after the fusions, which ask who reads a value.
 */
final class ShareEqualNodes implements Pass {
  /** Elements up to which constants are compared by what they hold. */
  private static final long SMALL = 16;

  @Override
  public Graph apply(Graph graph) {
    Map<String, String> renamed = new HashMap<>();
    Map<Computation, Node> known = new HashMap<>();
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      Node read =
          node.withInputs(
              node.inputs().stream().map(name -> renamed.getOrDefault(name, name)).toList());
      Node first = mayShare(read, graph) ? known.putIfAbsent(key(read, graph), read) : null;
      if (first == null) {
        nodes.add(read);
        continue;
      }
      for (int i = 0; i < read.outputs().size(); i++) {
        renamed.put(read.outputs().get(i), first.outputs().get(i));
      }
    }
    return renamed.isEmpty() ? graph : graph.with(nodes, graph.constants());
  }

  private static boolean mayShare(Node node, Graph graph) {
    return node.domain().equals(Node.ONNX)
        && node.bodies().isEmpty()
        && !Operators.find(node).isRandom()
        && node.outputs().stream().noneMatch(name -> name.isEmpty() || graph.isOutput(name));
  }

  /** What a node computes: equal for nodes that make equal values. */
  private record Computation(
      String type, Map<String, Attribute> attributes, List<Object> inputs, int outputs) {}

  private static Computation key(Node node, Graph graph) {
    List<Object> inputs = new ArrayList<>();
    node.inputs().forEach(name -> inputs.add(key(name, graph)));
    return new Computation(node.type(), node.attributes(), inputs, node.outputs().size());
  }

  /** A small constant. */
  private record Content(DType dtype, Shape shape, List<Long> bits) {}

  private static Object key(String name, Graph graph) {
    if (!(graph.constants().get(name) instanceof Constant.Plain(Tensor tensor))
        || tensor.elements() > SMALL) {
      return name;
    }
    List<Long> bits = new ArrayList<>();
    for (long i = 0; i < tensor.elements(); i++) {
      bits.add(
          tensor.dtype().isFloating()
              ? Double.doubleToRawLongBits(tensor.getDouble(i))
              : tensor.getLong(i));
    }
    return new Content(tensor.dtype(), tensor.shape(), bits);
  }
}
