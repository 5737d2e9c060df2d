package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.compress.train.ForwardNode;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.plan.GraphRunner;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs one node of a graph, many times: those that compute with fast kernels as a graph of their
 * own, the others, which mostly shape things, by their reference.
 */
final class NodeRunner implements AutoCloseable {
  private final Graph graph;
  private final Node node;
  private final Map<String, Constant> constants = new HashMap<>();
  private final Map<String, Tensor> unpacked = new HashMap<>();
  private final SessionOptions options;
  private final Kernels kernels;
  private GraphRunner runner;
  private WorkerPool pool;
  private ForwardNode forward;

  /**
   * A runner of a node.
   *
   * @param replaced constants in the place of the graph's
   */
  NodeRunner(
      Graph graph,
      Node node,
      Map<String, Constant> replaced,
      SessionOptions options,
      Kernels kernels) {
    this.graph = graph;
    this.node = node;
    this.options = options;
    this.kernels = kernels;
    for (String input : node.inputs()) {
      Constant constant = replaced.getOrDefault(input, graph.constants().get(input));
      if (constant != null) {
        constants.put(input, constant);
      }
    }
  }

  /** The outputs the node makes of its inputs that are no constants. */
  Tensor[] run(Map<String, Tensor> inputs) {
    // nothing is planned for the many lengths of texts where it need not be
    if (ForwardNode.canRun(node, inputs)) {
      return new Tensor[] {forward().run(inputs)};
    }
    return isFast() ? fast(inputs) : reference(inputs);
  }

  private ForwardNode forward() {
    if (forward == null) {
      pool = new WorkerPool(options.threads(), "filigree-calibration");
      forward = new ForwardNode(node, constants, kernels, pool);
    }
    return forward;
  }

  private boolean isFast() {
    return node.domain().equals(Node.FUSED) && !node.type().equals(Embedding.TYPE)
        || node.is("LayerNormalization");
  }

  private Tensor[] fast(Map<String, Tensor> inputs) {
    if (runner == null) {
      List<ValueInfo> infos = new ArrayList<>();
      inputs.forEach((name, tensor) -> infos.add(info(name, tensor)));
      Graph alone =
          new Graph(
              node.name(),
              graph.opset(),
              infos,
              List.of(new ValueInfo(node.output(), DType.F32, null)),
              List.of(
                  new Node(
                      node.name(),
                      node.domain(),
                      node.type(),
                      node.inputs(),
                      List.of(node.output()),
                      node.attributes())),
              constants);
      runner = new GraphRunner(alone, options, kernels, "filigree-calibration");
    }
    return new Tensor[] {runner.run(inputs).get(node.output())};
  }

  /** An input whose extents differ from batch to batch. */
  private static ValueInfo info(String name, Tensor tensor) {
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < tensor.shape().rank(); axis++) {
      dims.add(Dim.symbol(name + "." + axis));
    }
    return new ValueInfo(name, tensor.dtype(), dims);
  }

  private Tensor[] reference(Map<String, Tensor> inputs) {
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      String name = node.inputs().get(i);
      Tensor input = inputs.get(name);
      operands[i] =
          name.isEmpty()
              ? null
              : input == null
                  ? unpacked.computeIfAbsent(
                      name, constant -> constants.get(constant).toTensor().contiguous())
                  : input.contiguous();
    }
    return Interpreter.run(node, graph.opset(), operands);
  }

  @Override
  public void close() {
    if (runner != null) {
      runner.close();
    }
    if (forward != null) {
      forward.close();
      pool.close();
    }
  }
}
