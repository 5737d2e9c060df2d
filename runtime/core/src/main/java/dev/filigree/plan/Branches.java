package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Value;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Linear;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * An If whose branches are networks of their own, such as a decoder exported with and without a
 * cache: the branch that the data chooses is planned like a model, with what it takes from around
 * it as inputs and the constants among that as its weights. Thread-safe.
 */
final class Branches implements AutoCloseable {
  private static final Set<String> WORK =
      Set.of("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN");

  private final Node node;
  private final Graph around;
  private final Function<Graph, GraphRunner> runners;
  private final Map<Boolean, GraphRunner> taken = new ConcurrentHashMap<>();
  private final Interpreter alone;

  /**
   * @param node the If
   * @param around the graph it is in
   * @param runners of graphs after the standard passes
   */
  Branches(Node node, Graph around, Function<Graph, GraphRunner> runners) {
    this.node = node;
    this.around = around;
    this.runners = runners;
    List<ValueInfo> made =
        node.outputs().stream()
            .filter(name -> !name.isEmpty())
            .map(name -> new ValueInfo(name, null, null))
            .toList();
    Map<String, Constant> read = new LinkedHashMap<>(around.constants());
    read.keySet().retainAll(Set.copyOf(node.inputs()));
    this.alone =
        new Interpreter(
            new Graph(node.name(), around.opset(), List.of(), made, List.of(node), read));
  }

  Node node() {
    return node;
  }

  /** Whether a node does so much that it is worth a plan. */
  static boolean isWork(Node node) {
    return node.isFused(Linear.TYPE)
        || node.isFused(Convolution.TYPE)
        || node.isFused(Attention.TYPE)
        || node.isFused(Experts.TYPE)
        || node.domain().equals(Node.ONNX) && WORK.contains(node.type());
  }

  /** Whether a node is an If with such nodes in its branches. */
  static boolean isHeavy(Node node) {
    return node.is("If")
        && node.bodies().values().stream()
            .flatMap(body -> body.nodes().stream())
            .anyMatch(inner -> isWork(inner) || isHeavy(inner));
  }

  /**
   * Runs the branch that its condition chooses.
   *
   * @param values by name, of the graph around it
   * @return what the If makes, by name
   */
  Map<String, Value> run(Map<String, Value> values) {
    Tensor condition = tensor(node.inputs().getFirst(), values);
    if (condition == null || condition.dtype() != DType.BOOL || condition.elements() != 1) {
      return alone.runValues(values);
    }
    boolean met = condition.getLong(0) != 0;
    Graph body = node.body(met ? "then_branch" : "else_branch");
    boolean typed =
        body.outputs().size() == node.outputs().size()
            && body.outputs().stream().allMatch(output -> output.dtype() != null)
            && node.inputs().stream().allMatch(name -> isTensor(name, values));
    if (!typed) {
      return alone.runValues(values);
    }
    GraphRunner runner =
        taken.computeIfAbsent(met, unused -> runners.apply(Passes.standard(branch(body, values))));
    Map<String, Tensor> inputs = new HashMap<>();
    int first = node.inputs().size() - body.inputs().size();
    for (int i = 0; i < body.inputs().size(); i++) {
      String outer = node.inputs().get(first + i);
      if (!around.constants().containsKey(outer)) {
        inputs.put(body.inputs().get(i).name(), tensor(outer, values).contiguous());
      }
    }
    Map<String, Tensor> results = runner.run(inputs);
    Map<String, Value> made = new HashMap<>();
    for (int i = 0; i < node.outputs().size(); i++) {
      made.put(node.outputs().get(i), Value.of(results.get(body.outputs().get(i).name())));
    }
    return made;
  }

  private boolean isTensor(String name, Map<String, Value> values) {
    return around.constants().containsKey(name)
        || values.get(name) != null && values.get(name).tensor() != null;
  }

  /** A value of the graph around; null if it is none, or a sequence. */
  private Tensor tensor(String name, Map<String, Value> values) {
    Value value = values.get(name);
    Constant constant = around.constants().get(name);
    if (value != null) {
      return value.tensor();
    }
    return constant == null ? null : constant.toTensor();
  }

  private Graph branch(Graph body, Map<String, Value> values) {
    Map<String, Constant> constants = new LinkedHashMap<>(body.constants());
    List<ValueInfo> inputs = new ArrayList<>();
    int first = node.inputs().size() - body.inputs().size();
    for (int i = 0; i < body.inputs().size(); i++) {
      String inner = body.inputs().get(i).name();
      Constant constant = around.constants().get(node.inputs().get(first + i));
      if (constant != null) {
        constants.put(inner, constant);
      } else {
        DType dtype = tensor(node.inputs().get(first + i), values).dtype();
        inputs.add(new ValueInfo(inner, dtype, null));
      }
    }
    return new Graph(body.name(), around.opset(), inputs, body.outputs(), body.nodes(), constants);
  }

  long packedBytes() {
    return taken.values().stream().mapToLong(GraphRunner::packedBytes).sum();
  }

  long idleBytes() {
    return taken.values().stream().mapToLong(GraphRunner::idleBytes).sum();
  }

  @Override
  public void close() {
    taken.values().forEach(GraphRunner::close);
  }
}
