package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Runs a graph some of whose shapes only the data tells, such as the boxes that NonMaxSuppression
 * leaves: what comes before them by plans, the nodes that make them one by one, and what comes
 * after them again by plans for the shapes that are known then. Thread-safe.
 */
final class SplitRunner implements AutoCloseable {
  private final Graph graph;
  private final GraphRunner before;
  private final Graph first;
  private final Graph between;
  private final Interpreter betweenOnly;
  private final List<Branches> branches;
  private final Interpreter remainder;
  private final List<Node> rest;
  private final Function<Graph, GraphRunner> runners;

  /** Made by the first run, which knows the types of what it reads; null until then. */
  private volatile GraphRunner after;

  private SplitRunner(
      Graph graph,
      Graph first,
      Graph between,
      List<Node> heavy,
      List<Node> rest,
      Function<Graph, GraphRunner> runners) {
    this.graph = graph;
    this.first = first;
    this.before = runners.apply(first);
    this.between = between;
    this.betweenOnly = new Interpreter(between);
    this.branches = heavy.stream().map(node -> new Branches(node, graph, runners)).toList();
    this.rest = rest;
    this.runners = runners;
    this.remainder = new Interpreter(remaining(List.of()));
  }

  /**
   * Divides a graph.
   *
   * @param shapes of its inputs
   * @param runners of its parts
   * @return nothing if no part is worth a plan
   */
  static Optional<SplitRunner> of(
      Graph graph, Map<String, Shape> shapes, Function<Graph, GraphRunner> runners) {
    Map<String, ValueType> types = ShapeInference.infer(graph, shapes, Operators::find);
    Set<String> known = new HashSet<>(graph.constants().keySet());
    graph.inputs().forEach(input -> known.add(input.name()));
    List<Node> planned = new ArrayList<>();
    List<Node> others = new ArrayList<>();
    for (Node node : graph.nodes()) {
      boolean told =
          !Branches.isHeavy(node) && named(node).allMatch(made -> isConcrete(types.get(made)));
      if (told && reads(node, known)) {
        planned.add(node);
        named(node).forEach(known::add);
      } else {
        others.add(node);
      }
    }
    List<Node> frontier = others.stream().filter(node -> reads(node, known)).toList();
    List<Node> rest = others.stream().filter(node -> !reads(node, known)).toList();
    // what is left is divided again, and its work may be behind several shapes that follow from
    // data
    boolean worthwhile =
        planned.stream().anyMatch(Branches::isWork)
            || others.stream().anyMatch(Branches::isHeavy)
            || rest.stream().anyMatch(Branches::isWork);
    if (others.isEmpty() || !worthwhile) {
      return Optional.empty();
    }
    Graph first = part(graph, graph.inputs(), planned, others, name -> types.get(name).dtype());
    List<Node> heavy = frontier.stream().filter(Branches::isHeavy).toList();
    List<Node> light = frontier.stream().filter(node -> !Branches.isHeavy(node)).toList();
    Graph between = part(graph, List.of(), light, rest, name -> null);
    return Optional.of(new SplitRunner(graph, first, between, heavy, rest, runners));
  }

  private static boolean reads(Node node, Set<String> known) {
    return node.inputs().stream().allMatch(name -> name.isEmpty() || known.contains(name));
  }

  private static Stream<String> named(Node node) {
    return node.outputs().stream().filter(name -> !name.isEmpty());
  }

  private static boolean isConcrete(ValueType type) {
    return type != null && type.isConcrete();
  }

  /** Some nodes as a graph that makes what others and the caller read of them. */
  private static Graph part(
      Graph graph,
      List<ValueInfo> inputs,
      List<Node> nodes,
      List<Node> readers,
      Function<String, DType> types) {
    Set<String> wanted = new HashSet<>();
    readers.forEach(node -> wanted.addAll(node.inputs()));
    graph.outputs().forEach(output -> wanted.add(output.name()));
    Set<String> read = new HashSet<>();
    nodes.forEach(node -> read.addAll(node.inputs()));
    List<ValueInfo> outputs =
        nodes.stream()
            .flatMap(SplitRunner::named)
            .filter(wanted::contains)
            .map(name -> new ValueInfo(name, types.apply(name), null))
            .toList();
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    constants.keySet().retainAll(read);
    List<ValueInfo> used = inputs.stream().filter(input -> read.contains(input.name())).toList();
    return new Graph(graph.name(), graph.opset(), used, outputs, nodes, constants);
  }

  /** Runs the graph on contiguous inputs. */
  Map<String, Tensor> run(Map<String, Tensor> inputs) {
    Map<String, Value> values = new HashMap<>();
    inputs.forEach((name, tensor) -> values.put(name, Value.of(tensor)));
    if (!first.nodes().isEmpty()) {
      before
          .run(tensors(first, values))
          .forEach((name, tensor) -> values.put(name, Value.of(tensor)));
    }
    values.putAll(betweenOnly.runValues(values));
    branches.forEach(branch -> values.putAll(branch.run(values)));
    boolean planned =
        rest.stream().anyMatch(node -> Branches.isWork(node) || Branches.isHeavy(node))
            && values.values().stream().allMatch(value -> value.tensor() != null);
    if (planned) {
      GraphRunner runner = after(values);
      runner
          .run(tensors(runner.graph(), values))
          .forEach((name, tensor) -> values.put(name, Value.of(tensor)));
    } else {
      values.putAll(remainder.runValues(values));
    }
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    for (ValueInfo output : graph.outputs()) {
      Value value = values.get(output.name());
      outputs.put(
          output.name(),
          value == null
              ? graph.constants().get(output.name()).toTensor()
              : value.tensorOf(output.name()));
    }
    return outputs;
  }

  private static Map<String, Tensor> tensors(Graph part, Map<String, Value> values) {
    Map<String, Tensor> tensors = new HashMap<>();
    part.inputs()
        .forEach(
            input -> tensors.put(input.name(), values.get(input.name()).tensor().contiguous()));
    return tensors;
  }

  private GraphRunner after(Map<String, Value> values) {
    GraphRunner made = after;
    if (made == null) {
      synchronized (this) {
        if (after == null) {
          List<ValueInfo> inputs = new ArrayList<>();
          values.forEach(
              (name, value) -> inputs.add(new ValueInfo(name, value.tensor().dtype(), null)));
          after = runners.apply(remaining(inputs));
        }
        made = after;
      }
    }
    return made;
  }

  /** What is left to run once the nodes between are done. */
  private Graph remaining(List<ValueInfo> inputs) {
    Map<String, DType> types = new HashMap<>();
    graph.outputs().forEach(output -> types.put(output.name(), output.dtype()));
    return part(graph, inputs, rest, List.of(), types::get);
  }

  /** What a run does, as far as it is known before. */
  List<LayerPlan> layers(Map<String, Shape> shapes) {
    Map<String, Shape> own = new HashMap<>(shapes);
    Set<String> names = new HashSet<>();
    first.inputs().forEach(input -> names.add(input.name()));
    own.keySet().retainAll(names);
    List<LayerPlan> layers = new ArrayList<>(before.layers(own));
    between.nodes().forEach(node -> layers.add(interpreted(node, "its shape follows from data")));
    branches.forEach(
        branch -> layers.add(interpreted(branch.node(), "the branch that is taken has a plan")));
    String planned =
        rest.stream().anyMatch(node -> Branches.isWork(node) || Branches.isHeavy(node))
            ? "planned in each run, when the shapes before it are known"
            : "shapes before it follow from data, so it is computed node by node";
    rest.forEach(node -> layers.add(interpreted(node, planned)));
    return layers;
  }

  /** A node that no plan has. */
  static LayerPlan interpreted(Node node, String reason) {
    return new LayerPlan(node.name(), node.type(), "rows", "reference", reason, 0, List.of());
  }

  /** Prepares the part before the first shape that follows from data. */
  void warmUp(Map<String, Tensor> inputs, Progress progress) {
    Map<String, Value> values = new HashMap<>();
    inputs.forEach((name, tensor) -> values.put(name, Value.of(tensor)));
    if (!first.nodes().isEmpty()) {
      before.warmUp(tensors(first, values), progress);
    }
  }

  long packedBytes() {
    GraphRunner made = after;
    return before.packedBytes()
        + branches.stream().mapToLong(Branches::packedBytes).sum()
        + (made == null ? 0 : made.packedBytes());
  }

  long idleBytes() {
    GraphRunner made = after;
    return before.idleBytes()
        + branches.stream().mapToLong(Branches::idleBytes).sum()
        + (made == null ? 0 : made.idleBytes());
  }

  @Override
  public synchronized void close() {
    before.close();
    branches.forEach(Branches::close);
    if (after != null) {
      after.close();
    }
  }
}
