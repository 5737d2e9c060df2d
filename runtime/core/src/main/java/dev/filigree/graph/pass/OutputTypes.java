package dev.filigree.graph.pass;

import dev.filigree.GraphException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import java.util.List;
import java.util.Map;

/**
 * Tells what outputs are that their file declares by name alone, as ONNX Runtime does: tools that
 * cut a graph out of another leave their types out.
 */
public final class OutputTypes {
  private OutputTypes() {}

  /**
   * The graph with a type for every output, and extents where they follow from its inputs.
   *
   * @throws GraphException if a type follows from data, or nodes contradict each other
   * @throws dev.filigree.UnsupportedException if a node's operator is not known
   */
  public static Graph declared(Graph graph) {
    if (graph.outputs().stream().allMatch(output -> output.dtype() != null)) {
      return graph;
    }
    Map<String, ValueType> types =
        ShapeInference.outline(new LowerVendorOperators().apply(graph), Operators::find);
    List<ValueInfo> outputs =
        graph.outputs().stream()
            .map(output -> output.dtype() == null ? told(output, types) : output)
            .toList();
    return new Graph(
        graph.name(), graph.opset(), graph.inputs(), outputs, graph.nodes(), graph.constants());
  }

  private static ValueInfo told(ValueInfo output, Map<String, ValueType> types) {
    ValueType type = types.get(output.name());
    if (type == null) {
      throw new GraphException(
          "the output '" + output.name() + "' has no type, and none follows from the nodes",
          "declare its type in the model's file");
    }
    boolean isOpen = type.dims().stream().anyMatch(Dim::isOpen);
    return new ValueInfo(output.name(), type.dtype(), isOpen ? null : type.dims());
  }
}
