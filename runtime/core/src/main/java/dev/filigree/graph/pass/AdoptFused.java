package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.RootMeanSquare;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Puts the fused operators, which have kernels of their own, in the place of ONNX's composite ones
 * of operator sets 20 to 24 where they mean the same.
 */
final class AdoptFused implements Pass {
  private static final Set<String> COMPOSITE =
      Set.of("Gelu", "Swish", "RMSNormalization", "Attention");

  @Override
  public Graph apply(Graph graph) {
    // most models are of an earlier set and need not be looked at closely
    boolean some = graph.nodes().stream().anyMatch(node -> COMPOSITE.contains(node.type()));
    return some ? GraphView.rewrite(graph, AdoptFused::adopt) : graph;
  }

  private static Optional<Node> adopt(Node node, GraphView view) {
    if (!node.domain().equals(Node.ONNX) || node.outputs().size() != 1) {
      return Optional.empty();
    }
    return switch (node.type()) {
      case "Gelu" ->
          node.textAttribute("approximate", "none").equals("none")
              ? unary(node, FuseGelu.TYPE, true)
              : unary(node, FuseGelu.BY_TANH, node.textAttribute("approximate", "").equals("tanh"));
      case "Swish" -> unary(node, FuseSilu.TYPE, node.floatAttribute("alpha", 1) == 1);
      case "RMSNormalization" -> rootMeanSquare(node, view);
      case "Attention" -> attention(node, view);
      default -> Optional.empty();
    };
  }

  private static Optional<Node> unary(Node node, String type, boolean same) {
    return Optional.of(
            new Node(node.name(), Node.FUSED, type, node.inputs(), node.outputs(), Map.of()))
        .filter(fused -> same);
  }

  private static Optional<Node> rootMeanSquare(Node node, GraphView view) {
    String x = node.inputs().get(0);
    String scale = node.inputs().get(1);
    Optional<ValueType> of = view.type(x).filter(type -> type.rank() > 0);
    Optional<ValueType> by = view.type(scale).filter(type -> type.rank() == 1);
    if (of.isEmpty() || by.isEmpty() || !by.get().dim(0).equals(of.get().dim(-1))) {
      return Optional.empty();
    }
    long axis = node.intAttribute("axis", -1);
    boolean last = axis == -1 || axis == of.get().rank() - 1;
    return last && of.get().dtype() == DType.F32
        ? Optional.of(
            RootMeanSquare.node(
                node.name(), x, scale, node.output(), node.floatAttribute("epsilon", 1e-5f)))
        : Optional.empty();
  }

  /** Attention of joined heads, all with keys of their own, without a past. */
  private static Optional<Node> attention(Node node, GraphView view) {
    Optional<ValueType> q = view.type(node.inputs().get(0)).filter(AdoptFused::isJoined);
    Optional<ValueType> k = view.type(node.inputs().get(1)).filter(AdoptFused::isJoined);
    Optional<ValueType> v = view.type(node.inputs().get(2)).filter(AdoptFused::isJoined);
    long heads = node.intAttribute("q_num_heads", 0);
    boolean plain =
        q.isPresent()
            && k.isPresent()
            && v.isPresent()
            && q.get().dim(2).isKnown()
            && k.get().dims().equals(v.get().dims())
            && k.get().dim(2).equals(q.get().dim(2))
            && heads == node.intAttribute("kv_num_heads", -1)
            && node.intAttribute("is_causal", 0) == 0
            && node.floatAttribute("softcap", 0) == 0
            && node.inputs().size() <= Attention.MASK + 1;
    if (!plain) {
      return Optional.empty();
    }
    String mask = node.input(Attention.MASK).orElse("");
    if (!mask.isEmpty()
        && view.type(mask).filter(type -> type.dtype() == q.get().dtype()).isEmpty()) {
      return Optional.empty();
    }
    double width = q.get().dim(2).value() / (double) heads;
    float scale = node.floatAttribute("scale", (float) (1 / Math.sqrt(width)));
    List<String> inputs =
        List.of(node.inputs().get(0), node.inputs().get(1), node.inputs().get(2), mask);
    return Optional.of(
        Attention.node(
            node.name(),
            inputs,
            node.output(),
            new Attention.Form((int) heads, (int) heads, scale, 1, false)));
  }

  private static boolean isJoined(ValueType type) {
    return type.rank() == 3 && type.dtype() == DType.F32;
  }
}
