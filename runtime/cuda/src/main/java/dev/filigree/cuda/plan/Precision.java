package dev.filigree.cuda.plan;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.shape.View;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Which values of a graph must stay f32 on the device. Masks are added to scores and hold the
 * greatest finite f32 number as a rule, which f16 cannot: what they are computed from stays f32 as
 * far back as elementwise and shape operators go. Everything else is f16.
 */
final class Precision {
  private static final Set<String> FOLLOWED =
      Set.of("Add", "Sub", "Mul", "Div", "Where", "Neg", "Expand", "Transpose", "Cast");

  private Precision() {}

  /** Values that stay f32. */
  static Set<String> exactValues(Graph graph) {
    Set<String> exact = new HashSet<>();
    List<Node> nodes = graph.nodes();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      if (node.isFused(Attention.TYPE)) {
        node.input(Attention.MASK).ifPresent(exact::add);
      } else if (exact.contains(node.output()) && isFollowed(node)) {
        exact.addAll(node.inputs());
      }
    }
    return exact;
  }

  private static boolean isFollowed(Node node) {
    return FOLLOWED.contains(node.type()) || Operators.find(node) instanceof View;
  }
}
