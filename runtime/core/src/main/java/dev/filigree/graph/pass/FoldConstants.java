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

/**
 * Computes what depends on constants alone. Compressed weights are left as they are, and so is a
 * node whose result is far larger than what it reads, which a small file could otherwise use to
 * fill the memory.
 */
final class FoldConstants implements Pass {
  /** Elements that a folded result may have beyond those of its inputs. */
  private static final long MAX_GROWTH = 1 << 16;

  @Override
  public Graph apply(Graph graph) {
    Map<String, ValueType> types = ShapeInference.infer(graph, Operators::find);
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      ValueType known = node.outputs().size() == 1 ? types.get(node.output()) : null;
      if (known != null && known.isConcrete() && known.hasKnownContent()) {
        constants.put(node.output(), new Constant.Plain(known.tensor()));
      } else if (isFoldable(node, constants, types)) {
        fold(node, graph.opset(), constants);
      } else {
        nodes.add(node);
      }
    }
    return graph.with(nodes, constants);
  }

  private static boolean isFoldable(
      Node node, Map<String, Constant> constants, Map<String, ValueType> types) {
    long read = 0;
    for (String input : node.inputs()) {
      if (!input.isEmpty()) {
        if (!(constants.get(input) instanceof Constant.Plain(Tensor tensor))) {
          return false;
        }
        read += tensor.elements();
      }
    }
    long made = 0;
    for (String output : node.outputs()) {
      ValueType type = types.get(output);
      if (type == null || !type.isConcrete()) {
        return false;
      }
      made += type.shape().elements();
    }
    return made <= read + MAX_GROWTH;
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
