package dev.filigree.cuda.plan;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.LastToken;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.RootMeanSquare;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.kernel.shape.View;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Which values of a graph stay f32 on the device; everything else is f16.
 *
 * <ul>
 *   <li>Masks are added to scores and hold the greatest finite f32 number as a rule, which f16
 *       cannot.
 *   <li>The residual stream is added to in every layer: rounded each time, it costs more precision
 *       than all other roundings together.
 *   <li>Sums of products of integers are larger than f16 can hold until they are scaled.
 *   <li>Results of linear layers and of normalisation that leave the graph need not be rounded
 *       first.
 * </ul>
 *
 * What these are computed from stays f32 as far back as elementwise and shape operators go.
 */
final class Precision {
  private static final Set<String> FOLLOWED =
      Set.of(
          "Add",
          "Sub",
          "Mul",
          "Div",
          "Where",
          "Neg",
          "Expand",
          "Transpose",
          "Cast",
          "Concat",
          "Cos",
          "Sin",
          LastToken.TYPE);

  private static final Set<String> INTEGER_SUMS = Set.of("ConvInteger", "MatMulInteger");

  private final Set<String> exact = new HashSet<>();
  private final Set<String> rounded = new HashSet<>();

  Precision(Graph graph) {
    Set<String> wide = new HashSet<>();
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE) || isNormalization(node) || node.isFused(LastToken.TYPE)) {
        wide.add(node.output());
      }
    }
    graph.outputs().stream().map(ValueInfo::name).filter(wide::contains).forEach(exact::add);
    List<Node> nodes = graph.nodes();
    integerSums(nodes);
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      if (node.isFused(Attention.TYPE)) {
        node.input(Attention.MASK).ifPresent(exact::add);
      } else if (node.isFused(Rotary.TYPE)) {
        exact.addAll(node.inputs().subList(1, 3));
      } else if (node.isFused(Linear.TYPE)) {
        node.input(Linear.RESIDUAL).ifPresent(exact::add);
      } else if (isNormalization(node) && wide.contains(node.inputs().getFirst())) {
        exact.add(node.inputs().getFirst());
      } else if (exact.contains(node.output()) && isFollowed(node)) {
        exact.addAll(node.inputs());
      }
    }
    for (Node node : nodes) {
      for (int i = 0; i < node.inputs().size(); i++) {
        boolean wideOperand =
            node.isFused(Linear.TYPE) && i == Linear.RESIDUAL
                || node.isFused(Rotary.TYPE) && i > 0
                || isNormalization(node) && i == 0
                || isFollowed(node) && exact.contains(node.output());
        if (!wideOperand) {
          rounded.add(node.inputs().get(i));
        }
      }
    }
  }

  /** What becomes of sums of integers up to the product with their scale. */
  private void integerSums(List<Node> nodes) {
    Set<String> large = new HashSet<>();
    for (Node node : nodes) {
      if (INTEGER_SUMS.contains(node.type())) {
        large.add(node.output());
      } else if (isFollowed(node) && node.inputs().stream().anyMatch(large::contains)) {
        exact.add(node.output());
        boolean isScaled = node.is("Mul") || node.is("Div");
        if (!isScaled) {
          large.add(node.output());
        }
      }
    }
  }

  /** Whether a value stays f32. */
  boolean isExact(String value) {
    return exact.contains(value);
  }

  /** Whether some node reads a value in f16. */
  boolean isReadRounded(String value) {
    return rounded.contains(value);
  }

  private static boolean isNormalization(Node node) {
    return node.type().equals(RowRules.NORMALIZATION) || node.isFused(RootMeanSquare.TYPE);
  }

  private static boolean isFollowed(Node node) {
    return FOLLOWED.contains(node.type()) || Operators.find(node) instanceof View;
  }
}
