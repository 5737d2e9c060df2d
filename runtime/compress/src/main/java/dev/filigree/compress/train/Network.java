package dev.filigree.compress.train;

import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.compress.algebra.MatrixProduct;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A graph that gradients flow through, from its outputs or any cut back to its parameters. Nodes
 * that depend on no parameter, such as those that look words up, are computed once for a batch.
 * Results do not depend on the number of threads. Not safe to share.
 */
public final class Network implements AutoCloseable {
  private final Graph graph;
  private static final String SHAPE = "Shape";

  private final List<Node> fixed = new ArrayList<>();
  private final List<Node> measured = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final List<Operation> operations = new ArrayList<>();
  private final Set<String> flowing = new HashSet<>();
  private final Map<String, Parameter> parameters = new HashMap<>();
  private final MatrixProduct products;

  /**
   * A network.
   *
   * @param graph as a model plans it
   * @param trained in the place of constants of the graph; the others stay as they are
   * @param pool used by one call at a time
   * @throws dev.filigree.UnsupportedException if gradients cannot flow through a node
   */
  public Network(Graph graph, Collection<Parameter> trained, Kernels kernels, WorkerPool pool) {
    this.graph = graph;
    this.products = new MatrixProduct(kernels, pool);
    trained.forEach(parameter -> parameters.put(parameter.constant(), parameter));
    Operations operationOf = new Operations(products, this::parameter, graph.constants());
    for (Node node : graph.nodes()) {
      if (node.is(SHAPE) && flowing.contains(node.inputs().getFirst())) {
        // the extents of a value follow from those of the inputs
        measured.add(node);
      } else if (Operations.hasParameters(node)
          || node.inputs().stream().anyMatch(flowing::contains)) {
        nodes.add(node);
        operations.add(operationOf.of(node));
        flowing.add(node.output());
      } else {
        fixed.add(node);
      }
    }
  }

  private Parameter parameter(String constant) {
    return parameters.computeIfAbsent(constant, name -> of(name, graph.constants().get(name)));
  }

  /** A parameter with the values of a constant: a matrix, or a vector as one column. */
  static Parameter of(String name, Constant constant) {
    if (constant instanceof Constant.Compressed(var weights, boolean transposed) && !transposed) {
      return new Parameter(name, weights.rows(), weights.columns(), weights.unpack());
    }
    if (constant == null) {
      throw new InputException(
          "'" + name + "' depends on the inputs and cannot be trained", "export it as a constant");
    }
    Tensor tensor = constant.toTensor().contiguous();
    int rows = tensor.shape().rank() == 0 ? 1 : (int) tensor.shape().extent(0);
    float[] values = tensor.toFloats().clone();
    return new Parameter(name, rows, values.length / Math.max(1, rows), values);
  }

  /** Values of a batch that depend on no parameter, by name: inputs and what is made of them. */
  public record Batch(Map<String, Tensor> values) {}

  /** Computes what depends on no parameter. */
  public Batch prepare(Map<String, Tensor> inputs) {
    Map<String, Tensor> values = new HashMap<>(inputs);
    if (!measured.isEmpty()) {
      measure(inputs, values);
    }
    for (Node node : fixed) {
      Tensor[] operands = new Tensor[node.inputs().size()];
      for (int i = 0; i < operands.length; i++) {
        String name = node.inputs().get(i);
        if (!name.isEmpty()) {
          Tensor value = values.get(name);
          operands[i] = value != null ? value.contiguous() : graph.constants().get(name).toTensor();
        }
      }
      Tensor[] results = Interpreter.run(node, graph.opset(), operands);
      for (int i = 0; i < results.length; i++) {
        values.put(node.outputs().get(i), results[i]);
      }
    }
    Set<String> read = new HashSet<>();
    nodes.forEach(node -> read.addAll(node.inputs()));
    values.keySet().retainAll(read);
    return new Batch(values);
  }

  private void measure(Map<String, Tensor> inputs, Map<String, Tensor> values) {
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    Map<String, ValueType> types = ShapeInference.infer(graph, shapes, Operators::find);
    for (Node node : measured) {
      ValueType type = types.get(node.output());
      if (type == null || !type.hasKnownContent()) {
        throw node.unsupported(
            "reads extents that follow from data", "leave the training stage out");
      }
      long[] extents = type.content().stream().mapToLong(Dim::value).toArray();
      values.put(node.output(), Tensor.of(extents, extents.length));
    }
  }

  /**
   * A part of the network between two places where all that flows on is one value.
   *
   * @param from first node that gradients flow through
   * @param to node after the last
   * @param input the value it starts from, null for the beginning
   * @param output the value it ends with
   * @param attends whether it has attention
   */
  record Segment(int from, int to, String input, String output, boolean attends) {}

  /** The whole network as one segment. */
  Segment whole() {
    return new Segment(0, nodes.size(), null, graph.outputs().getFirst().name(), false);
  }

  /** The shortest segments, in order. */
  List<Segment> segments() {
    Map<String, Integer> lastUse = new HashMap<>();
    for (int i = 0; i < nodes.size(); i++) {
      for (String input : nodes.get(i).inputs()) {
        lastUse.put(input, i);
      }
    }
    for (ValueInfo output : graph.outputs()) {
      lastUse.put(output.name(), nodes.size());
    }
    List<Segment> segments = new ArrayList<>();
    Set<String> live = new HashSet<>();
    int from = 0;
    String input = null;
    boolean attends = false;
    for (int i = 0; i < nodes.size(); i++) {
      int at = i;
      attends |= nodes.get(i).isFused(Attention.TYPE);
      live.add(nodes.get(i).output());
      live.removeIf(value -> lastUse.getOrDefault(value, -1) <= at);
      if (live.size() == 1) {
        String output = live.iterator().next();
        segments.add(new Segment(from, i + 1, input, output, attends));
        from = i + 1;
        input = output;
        attends = false;
      }
    }
    return segments;
  }

  /** The parameters of a segment's nodes, each once. */
  List<Parameter> parameters(Segment segment) {
    return nodes.subList(segment.from, segment.to).stream()
        .flatMap(node -> node.inputs().stream())
        .filter(parameters::containsKey)
        .distinct()
        .map(parameters::get)
        .toList();
  }

  /** A segment that has been run. */
  final class Trace {
    private final Segment segment;
    private final Map<String, Signal> values;
    private final List<Operation.Step> steps;

    private Trace(Segment segment, Map<String, Signal> values, List<Operation.Step> steps) {
      this.segment = segment;
      this.values = values;
      this.steps = steps;
    }

    /** What the segment made. */
    Signal output() {
      return values.get(segment.output);
    }

    /** A value on the way. */
    Signal value(String name) {
      return values.get(name);
    }

    /**
     * Adds to the gradients of the parameters.
     *
     * @param gradients of values of the segment
     */
    void backward(Map<String, float[]> gradients) {
      Map<String, float[]> open = new HashMap<>(gradients);
      Set<String> own = new HashSet<>();
      for (int i = segment.to - 1; i >= segment.from; i--) {
        Node node = nodes.get(i);
        float[] dy = open.remove(node.output());
        own.remove(node.output());
        if (dy == null) {
          continue;
        }
        boolean wanted = isWanted(node.inputs().getFirst());
        float[][] ofInputs = steps.get(i - segment.from).backward().inputs(dy, wanted);
        for (int k = 0; k < ofInputs.length; k++) {
          String name = node.inputs().get(k);
          if (ofInputs[k] != null && isWanted(name)) {
            add(open, own, name, ofInputs[k]);
          }
        }
      }
    }

    /** Whether gradients flow on to a value: one that the segment makes. */
    private boolean isWanted(String name) {
      return values.containsKey(name) && !name.equals(segment.input);
    }

    private static void add(
        Map<String, float[]> open, Set<String> own, String name, float[] gradient) {
      float[] sum = open.get(name);
      if (sum == null) {
        open.put(name, gradient);
        return;
      }
      // what others hold as well must not be changed
      if (own.add(name)) {
        sum = sum.clone();
        open.put(name, sum);
      }
      for (int i = 0; i < sum.length; i++) {
        sum[i] += gradient[i];
      }
    }
  }

  /**
   * Runs a segment.
   *
   * @param start the value it starts from, null for the beginning
   */
  Trace run(Segment segment, Batch batch, Signal start, boolean needsGradient) {
    Map<String, Signal> values = new HashMap<>();
    if (segment.input != null) {
      values.put(segment.input, start);
    }
    List<Operation.Step> steps = new ArrayList<>();
    for (int i = segment.from; i < segment.to; i++) {
      Node node = nodes.get(i);
      Signal[] inputs = new Signal[node.inputs().size()];
      for (int k = 0; k < inputs.length; k++) {
        String name = node.inputs().get(k);
        Tensor tensor = batch.values.get(name);
        if (tensor != null && node.isFused(Attention.TYPE)) {
          requireNoMask(node, tensor);
        } else {
          inputs[k] = tensor == null ? values.get(name) : Signal.of(tensor);
        }
      }
      Operation.Step step = operations.get(i).forward(inputs, needsGradient);
      values.put(node.output(), step.output());
      if (needsGradient) {
        steps.add(step);
      }
    }
    return new Trace(segment, values, steps);
  }

  private static void requireNoMask(Node node, Tensor mask) {
    for (long i = 0; i < mask.elements(); i++) {
      if (mask.getDouble(i) != 0) {
        throw new InputException(
            "node " + node + " masks tokens of a training sample",
            "train on batches of texts of one length, without padding");
      }
    }
  }

  /** The values of the first output. */
  float[] forward(Batch batch) {
    return run(whole(), batch, null, false).output().data();
  }

  @Override
  public void close() {
    products.close();
  }
}
