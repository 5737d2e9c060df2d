package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Embedding;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Recognises the input of a text encoder: a look-up in a constant table, or a sum of several. */
final class FuseEmbedding implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseEmbedding::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    List<String> operands = new ArrayList<>();
    boolean found =
        last.is("Gather")
            ? lookUp(last, view, operands)
            : last.is("Add") && sum(last, view, operands);
    return found
        ? Optional.of(Embedding.node(last.name(), operands, last.output()))
        : Optional.empty();
  }

  private static boolean sum(Node add, GraphView view, List<String> operands) {
    for (String term : add.inputs()) {
      Optional<Node> part = view.producer(term).filter(node -> node.isFused(Embedding.TYPE));
      if (part.isEmpty() || !sameFeatures(part.get(), operands, view)) {
        return false;
      }
      operands.addAll(part.get().inputs());
    }
    return true;
  }

  private static boolean sameFeatures(Node part, List<String> operands, GraphView view) {
    return operands.isEmpty()
        || view.type(operands.getFirst())
            .map(type -> type.dim(1))
            .equals(view.type(part.inputs().getFirst()).map(type -> type.dim(1)));
  }

  private static boolean lookUp(Node gather, GraphView view, List<String> operands) {
    String table = gather.inputs().get(0);
    String indices = gather.inputs().get(1);
    Optional<ValueType> type =
        view.constant(table)
            .flatMap(constant -> view.type(table))
            .filter(matrix -> matrix.rank() == 2 && matrix.dtype() == DType.F32);
    if (type.isEmpty() || gather.intAttribute("axis", 0) != 0) {
      return false;
    }
    operands.add(table);
    operands.add(indices);
    return true;
  }
}
