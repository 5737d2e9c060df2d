package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.shape.Transpose;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Exchanges the last two axes of four in one step, where PyTorch's exporter folds the others first:
 *
 * <pre>
 *   x [a,b,m,n] -&gt; Reshape [a*b,m,n] -&gt; Transpose [a*b,n,m] -&gt; Reshape [a,b,n,m]
 * </pre>
 */
final class UnfoldTransposes implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, UnfoldTransposes::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Reshape")) {
      return Optional.empty();
    }
    return view.producer(last.inputs().getFirst(), "Transpose")
        .filter(transpose -> exchangesLast(transpose, view))
        .flatMap(transpose -> view.producer(transpose.inputs().getFirst(), "Reshape"))
        .filter(fold -> keepsRest(fold, last, view))
        .map(
            fold ->
                new Node(
                    last.name(),
                    Node.ONNX,
                    "Transpose",
                    List.of(fold.inputs().getFirst()),
                    last.outputs(),
                    Map.of("perm", new Attribute.Ints(List.of(0L, 1L, 3L, 2L)))));
  }

  private static boolean exchangesLast(Node transpose, GraphView view) {
    return view.type(transpose.output()).filter(type -> type.rank() == 3).isPresent()
        && Arrays.equals(Transpose.order(transpose, 3), new int[] {0, 2, 1});
  }

  private static boolean keepsRest(Node fold, Node last, GraphView view) {
    Optional<ValueType> x = view.type(fold.inputs().getFirst());
    Optional<ValueType> folded = view.type(fold.output());
    Optional<ValueType> y = view.type(last.output());
    if (x.isEmpty() || folded.isEmpty() || y.isEmpty() || x.get().rank() != 4) {
      return false;
    }
    List<Dim> from = x.get().dims();
    return folded.get().rank() == 3
        && folded.get().dims().subList(1, 3).equals(from.subList(2, 4))
        && y.get().dims().equals(List.of(from.get(0), from.get(1), from.get(3), from.get(2)));
  }
}
