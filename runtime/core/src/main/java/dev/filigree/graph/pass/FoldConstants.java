package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Computes what depends on constants alone. Compressed weights are left as they are, and so is what
 * would exceed a budget that grows with the constants the model holds: a small file cannot fill the
 * memory.
 */
final class FoldConstants implements Pass {
  /** Elements of folded results for each element of the model's own constants: a few stages. */
  private static final long GROWTH = 8;

  /** Elements of folded results that any model may have. */
  private static final long FREE = 1 << 20;

  /**
   * Elements that fills of one value may have: files whose weights were left out have them in their
   * place, and a convolution is slow whose weights are not known when it is planned.
   */
  private static final long FILLED = 1 << 27;

  @Override
  public Graph apply(Graph graph) {
    Map<String, ValueType> types = ShapeInference.infer(graph, Operators::find);
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    long budget = FREE + GROWTH * plainElements(constants);
    long fills = FILLED;
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      ValueType known = node.outputs().size() == 1 ? types.get(node.output()) : null;
      if (known != null && known.isConcrete() && known.hasKnownContent()) {
        constants.put(node.output(), new Constant.Plain(known.tensor()));
        continue;
      }
      OptionalLong made = elements(node, types);
      boolean fill = node.is("ConstantOfShape");
      if (made.isPresent()
          && made.getAsLong() <= (fill ? fills : budget)
          && isConstant(node, constants)) {
        if (fill) {
          fills -= made.getAsLong();
        } else {
          budget -= made.getAsLong();
        }
        fold(node, graph.opset(), constants);
      } else {
        nodes.add(node);
      }
    }
    return graph.with(nodes, constants);
  }

  private static long plainElements(Map<String, Constant> constants) {
    long elements = 0;
    for (Constant constant : constants.values()) {
      if (constant instanceof Constant.Plain(Tensor tensor)) {
        elements += tensor.elements();
      }
    }
    return elements;
  }

  /** Elements of a node's results, if all their extents are known. */
  private static OptionalLong elements(Node node, Map<String, ValueType> types) {
    long made = 0;
    for (String output : node.outputs()) {
      ValueType type = types.get(output);
      if (type == null || !type.isConcrete()) {
        return OptionalLong.empty();
      }
      made += type.shape().elements();
    }
    return made < 0 ? OptionalLong.empty() : OptionalLong.of(made);
  }

  private static boolean isConstant(Node node, Map<String, Constant> constants) {
    // a body may run for as long as it likes
    return node.bodies().isEmpty()
        && !Operators.find(node).isRandom()
        && node.inputs().stream()
            .allMatch(input -> input.isEmpty() || constants.get(input) instanceof Constant.Plain);
  }

  private static void fold(Node node, int opset, Map<String, Constant> constants) {
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      if (!node.inputs().get(i).isEmpty()) {
        operands[i] = constants.get(node.inputs().get(i)).toTensor().contiguous();
      }
    }
    Tensor[] results = Interpreter.run(node, opset, operands);
    for (int i = 0; i < results.length; i++) {
      constants.put(node.outputs().get(i), new Constant.Plain(results[i]));
    }
  }
}
