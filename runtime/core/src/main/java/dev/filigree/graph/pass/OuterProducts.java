package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.Map;
import java.util.Optional;

/**
 * Multiplies a column by a row element by element, which a matrix product of one term is: {@code
 * MatMul [..., m, 1], [..., 1, n]}, as exporters write the angles of rotary positions. A device
 * that rounds the operands of its matrix products then leaves these as they are. A layer of one
 * input feature stays one.
 */
final class OuterProducts implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, OuterProducts::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("MatMul")) {
      return Optional.empty();
    }
    Optional<ValueType> a = view.type(last.inputs().get(0)).filter(OuterProducts::isMatrix);
    Optional<ValueType> b = view.type(last.inputs().get(1)).filter(OuterProducts::isMatrix);
    boolean isLayer =
        view.constant(last.inputs().get(1)).isPresent() && b.filter(w -> w.rank() == 2).isPresent();
    return !isLayer
            && a.isPresent()
            && b.isPresent()
            && a.get().dim(-1).is(1)
            && b.get().dim(-2).is(1)
        ? Optional.of(
            new Node(last.name(), Node.ONNX, "Mul", last.inputs(), last.outputs(), Map.of()))
        : Optional.empty();
  }

  private static boolean isMatrix(ValueType type) {
    return type.rank() >= 2;
  }
}
