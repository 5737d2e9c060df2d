package dev.filigree.benchmarks.peers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.norm.LayerNorm;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cli.PeerRuntime;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A transformer's graph, after the passes that recognise its layers, run by PyTorch. What comes
 * before the first layer and is not worth measuring, such as the mask, is computed ahead.
 */
final class TorchGraph {
  /** Operators that PyTorch runs. */
  private static final Set<String> OPERATORS =
      Set.of(Linear.TYPE, Attention.TYPE, Embedding.TYPE, "LayerNormalization", "Add", "Gelu");

  private final Graph graph;
  private final NDManager manager;
  private final Map<String, NDArray> weights = new HashMap<>();

  /**
   * A graph.
   *
   * @param manager owns the weights
   * @throws UnsupportedException if the graph holds something that is not run here
   */
  TorchGraph(Graph graph, NDManager manager) {
    this.graph = graph;
    this.manager = manager;
    for (Node node : graph.nodes()) {
      if (node.type().equals(Linear.TYPE) && Linear.isDynamic(node)) {
        throw new UnsupportedException(
            "djl-pytorch has no layers of 8-bit integers (" + node.name() + ")",
            "leave djl-pytorch out of --against for this model");
      }
      if (OPERATORS.contains(node.type())) {
        node.inputs().forEach(this::weight);
      }
    }
  }

  private void weight(String name) {
    Constant constant = graph.constants().get(name);
    if (constant != null && !weights.containsKey(name)) {
      weights.put(name, array(manager, constant.toTensor()));
    }
  }

  private static NDArray array(NDManager manager, Tensor tensor) {
    long[] extents = new long[tensor.shape().rank()];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = tensor.shape().extent(axis);
    }
    Shape shape = new Shape(extents);
    if (tensor.dtype().isFloating()) {
      return manager.create(tensor.toFloats(), shape);
    }
    long[] values = new long[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.getLong(i);
    }
    return manager.create(values, shape);
  }

  /** Prepares runs on the same inputs. */
  PeerRuntime.Run prepare(Map<String, Tensor> inputs) {
    Map<String, Tensor> known = new HashMap<>(inputs);
    List<Node> rest = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (OPERATORS.contains(node.type()) || !ahead(node, known)) {
        rest.add(node);
      }
    }
    for (Node node : rest) {
      if (!OPERATORS.contains(node.type())) {
        throw new UnsupportedException(
            "djl-pytorch does not run " + node.type() + " (" + node.name() + ")",
            "leave djl-pytorch out of --against for this model");
      }
    }
    NDManager own = manager.newSubManager();
    Map<String, NDArray> start = new HashMap<>(weights);
    for (Node node : rest) {
      for (String name : node.inputs()) {
        Tensor tensor = known.get(name);
        if (tensor != null && !start.containsKey(name)) {
          start.put(name, array(own, tensor.contiguous()));
        }
      }
    }
    return new Prepared(graph.outputs().getFirst().name(), rest, start, own);
  }

  /** Computes a node ahead if all it reads is known. */
  private boolean ahead(Node node, Map<String, Tensor> known) {
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      String name = node.inputs().get(i);
      if (name.isEmpty()) {
        continue;
      }
      Constant constant = graph.constants().get(name);
      operands[i] = constant == null ? known.get(name) : constant.toTensor().contiguous();
      if (operands[i] == null) {
        return false;
      }
    }
    Tensor[] results = Interpreter.run(node, graph.opset(), operands);
    for (int i = 0; i < results.length; i++) {
      known.put(node.outputs().get(i), results[i]);
    }
    return true;
  }

  /** Runs on the same inputs; the output of the last run is kept. */
  private static final class Prepared implements PeerRuntime.Run {
    private final String output;
    private final List<Node> nodes;
    private final Map<String, NDArray> start;
    private final NDManager manager;
    private NDManager last;
    private NDArray result;

    Prepared(String output, List<Node> nodes, Map<String, NDArray> start, NDManager manager) {
      this.output = output;
      this.nodes = nodes;
      this.start = start;
      this.manager = manager;
    }

    @Override
    public void run() {
      if (last != null) {
        last.close();
      }
      last = manager.newSubManager();
      Map<String, NDArray> values = new HashMap<>(start);
      for (Node node : nodes) {
        NDArray[] in = node.inputs().stream().map(values::get).toArray(NDArray[]::new);
        NDArray y =
            switch (node.type()) {
              case Linear.TYPE -> linear(node, in);
              case Attention.TYPE -> attention(node, in);
              case Embedding.TYPE -> embedding(in);
              case "LayerNormalization" -> normalise(node, in);
              case "Add" -> in[0].add(in[1]);
              default -> ai.djl.nn.Activation.gelu(in[0]);
            };
        y.attach(last);
        values.put(node.output(), y);
      }
      result = values.get(output);
    }

    private static NDArray linear(Node node, NDArray[] in) {
      NDArray bias = in.length > Linear.BIAS ? in[Linear.BIAS] : null;
      NDArray y = ai.djl.nn.core.Linear.linear(in[0], in[1], bias).singletonOrThrow();
      if (in.length > Linear.RESIDUAL && in[Linear.RESIDUAL] != null) {
        y.addi(in[Linear.RESIDUAL]);
      }
      return switch (Linear.activation(node)) {
        case NONE -> y;
        case GELU -> ai.djl.nn.Activation.gelu(y);
        case RELU -> ai.djl.nn.Activation.relu(y);
        case TANH -> ai.djl.nn.Activation.tanh(y);
        case SIGMOID -> ai.djl.nn.Activation.sigmoid(y);
        case SILU -> ai.djl.nn.Activation.swish(y, 1);
        case GELU_TANH, HARD_SWISH -> throw unsupported(node, Linear.activation(node));
      };
    }

    private static UnsupportedException unsupported(Node node, Activation activation) {
      return new UnsupportedException(
          "djl-pytorch does not run " + activation + " (" + node.name() + ")",
          "leave djl-pytorch out of --against for this model");
    }

    private static NDArray attention(Node node, NDArray[] in) {
      Attention.Form form = Attention.form(node);
      int heads = form.heads();
      NDArray q = heads(in[0], heads);
      NDArray k = heads(in[1], heads);
      NDArray v = heads(in[2], heads);
      NDArray scores = q.matMul(k.transpose(0, 1, 3, 2)).muli(form.scale() / form.divisor());
      if (in.length > Attention.MASK && in[Attention.MASK] != null) {
        scores.addi(in[Attention.MASK]);
      }
      NDArray context = scores.softmax(-1).matMul(v).transpose(0, 2, 1, 3);
      return context.reshape(in[0].getShape());
    }

    private static NDArray heads(NDArray x, int heads) {
      Shape shape = x.getShape();
      long width = shape.get(2) / heads;
      return x.reshape(shape.get(0), shape.get(1), heads, width).transpose(0, 2, 1, 3);
    }

    private static NDArray embedding(NDArray[] in) {
      NDArray sum = null;
      for (int t = 0; t < in.length; t += 2) {
        NDArray indices = in[t + 1].toType(DataType.INT64, false);
        NDArray rows =
            ai.djl.nn.core.Embedding.embedding(indices, in[t], SparseFormat.DENSE)
                .singletonOrThrow();
        if (sum == null) {
          sum = rows;
        } else {
          sum.addi(rows);
          rows.close();
        }
      }
      return sum;
    }

    private static NDArray normalise(Node node, NDArray[] in) {
      Shape features = new Shape(in[0].getShape().get(in[0].getShape().dimension() - 1));
      NDArray bias = in.length > 2 ? in[2] : in[1].zerosLike();
      return LayerNorm.layerNorm(
              in[0], features, in[1], bias, node.floatAttribute("epsilon", 1e-5f))
          .singletonOrThrow();
    }

    @Override
    public float[] output() {
      return result.toFloatArray();
    }

    @Override
    public void close() {
      manager.close();
    }
  }
}
