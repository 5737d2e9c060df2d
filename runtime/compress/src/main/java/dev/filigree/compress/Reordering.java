package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.layer.ChannelPermutation;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The inputs of layers in an order in which N:M pruning loses less. A layer can have its inputs in
 * another order where one linear layer alone makes them and nothing else reads them, as within the
 * feed-forward part of a transformer: the rows and the bias of that layer are put in the same
 * order, an activation between them works on each value for itself, and the model computes what it
 * did.
 *
 * @param constants of the model in their new order, by name
 * @param layers whose inputs have another order
 * @param notes what a file says of it, so that layers can be compared with those of the original
 */
public record Reordering(
    Map<String, Constant> constants, List<Compression.Permuted> layers, Map<String, String> notes) {
  /** Every input where it was. */
  static final Reordering NONE = new Reordering(Map.of(), List.of(), Map.of());

  /** Prefix of the notes: the constant whose columns, or whose rows, have another order. */
  static final String COLUMNS = "filigree.permuted.columns.";

  static final String ROWS = "filigree.permuted.rows.";

  /** How often the search leaves an order that no exchange improves. */
  private static final int ESCAPES = 8;

  private static final long SEED = 1;

  /** A layer and the one that makes its inputs. */
  private record Pair(WeightMatrix producer, WeightMatrix consumer, String bias, Work work) {}

  /** The order of a recipe for a model; empty where the recipe asks for none. */
  static Reordering of(Model model, List<Work> work, int threads) {
    Map<String, Constant> constants = new LinkedHashMap<>();
    List<Compression.Permuted> layers = new ArrayList<>();
    Map<String, String> notes = new LinkedHashMap<>();
    if (work.stream().noneMatch(Reordering::asks)) {
      return new Reordering(constants, layers, notes);
    }
    try (WorkerPool pool = new WorkerPool(threads, "filigree-permute")) {
      for (Pair pair : pairs(model, work)) {
        // a layer whose own inputs were reordered before has its rows free still
        int[] order = order(pair, constants, layers, pool);
        reorder(model, constants, pair.producer, order, true);
        reorder(model, constants, pair.consumer, order, false);
        if (pair.bias != null) {
          float[] bias = tensor(model, constants, pair.bias).toFloats();
          put(constants, pair.bias, Shape.of(bias.length), permuted(bias, order, 1, 1));
        }
        String text =
            Arrays.stream(order).mapToObj(Integer::toString).collect(Collectors.joining(","));
        notes.put(COLUMNS + pair.consumer.constant(), text);
        notes.put(ROWS + pair.producer.constant(), text);
      }
    }
    return new Reordering(constants, layers, notes);
  }

  /** An order that the notes of a file tell, or null. */
  static int[] noted(Map<String, String> notes, String key, int length) {
    String text = notes.get(key);
    if (text == null || !text.matches("\\d{1,9}(,\\d{1,9})*")) {
      return null;
    }
    int[] order = Arrays.stream(text.split(",")).mapToInt(Integer::parseInt).toArray();
    int[] sorted = order.clone();
    Arrays.sort(sorted);
    boolean isOrder = order.length == length;
    for (int i = 0; isOrder && i < length; i++) {
      isOrder = sorted[i] == i;
    }
    return isOrder ? order : null;
  }

  private static boolean asks(Work work) {
    return work.prune() != null && work.prune().permute();
  }

  private static List<Pair> pairs(Model model, List<Work> work) {
    Graph graph = model.graph();
    Map<String, Node> producers = new HashMap<>();
    graph.nodes().forEach(node -> node.outputs().forEach(out -> producers.put(out, node)));
    Map<String, Work> byConstant = new HashMap<>();
    work.forEach(item -> byConstant.put(item.matrix().constant(), item));
    List<Pair> pairs = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (!node.isFused(Linear.TYPE) || Linear.isDynamic(node)) {
        continue;
      }
      Work consumer = byConstant.get(Linear.source(node));
      Node before = producers.get(node.inputs().getFirst());
      boolean fits =
          consumer != null
              && asks(consumer)
              && before != null
              && before.isFused(Linear.TYPE)
              && before.input(Linear.RESIDUAL).isEmpty()
              && isReadOnce(graph, node.inputs().getFirst())
              && isOwn(model, graph, node)
              && isOwn(model, graph, before);
      if (fits) {
        bias(model, graph, before)
            .ifPresent(
                bias ->
                    pairs.add(
                        new Pair(
                            byConstant.get(Linear.source(before)).matrix(),
                            consumer.matrix(),
                            bias.isEmpty() ? null : bias,
                            consumer)));
      }
    }
    return pairs;
  }

  private static boolean isReadOnce(Graph graph, String value) {
    return graph.consumers().get(value).size() == 1
        && graph.outputs().stream().map(ValueInfo::name).noneMatch(value::equals);
  }

  /** Whether a layer's matrix is one of f32 that no other layer has. */
  private static boolean isOwn(Model model, Graph graph, Node node) {
    return graph.consumers().get(node.inputs().get(Linear.WEIGHTS)).size() == 1
        && model.constants().get(Linear.source(node)) instanceof Constant.Plain(Tensor tensor)
        && tensor.dtype() == DType.F32
        && tensor.shape().rank() == 2;
  }

  /** The name of the layer's bias, empty if it has none; nothing if it cannot be reordered. */
  private static Optional<String> bias(Model model, Graph graph, Node node) {
    if (node.input(Linear.BIAS).isEmpty()) {
      return Optional.of("");
    }
    String name = node.inputs().get(Linear.BIAS);
    boolean isOwn =
        graph.consumers().get(name).size() == 1
            && model.constants().get(name) instanceof Constant.Plain(Tensor tensor)
            && tensor.dtype() == DType.F32
            && tensor.shape().rank() == 1;
    return isOwn ? Optional.of(name) : Optional.empty();
  }

  private static int[] order(
      Pair pair,
      Map<String, Constant> constants,
      List<Compression.Permuted> layers,
      WorkerPool pool) {
    Structure.Groups groups = (Structure.Groups) pair.work.prune().structure();
    int rows = pair.consumer.weights().rows();
    int columns = pair.consumer.weights().columns();
    float[] scores = pair.consumer.weights().unpack();
    for (int i = 0; i < scores.length; i++) {
      scores[i] = Float.isFinite(scores[i]) ? Math.abs(scores[i]) : 0;
    }
    int[] order =
        ChannelPermutation.search(
            scores, rows, columns, groups.keep(), groups.of(), ESCAPES, SEED, pool);
    int[] before = new int[columns];
    Arrays.setAll(before, i -> i);
    double all = 0;
    for (float score : scores) {
      all += score;
    }
    double norm = all == 0 ? 1 : all;
    layers.add(
        new Compression.Permuted(
            pair.consumer.name(),
            kept(scores, rows, columns, groups, before) / norm,
            kept(scores, rows, columns, groups, order) / norm));
    return order;
  }

  private static double kept(
      float[] scores, int rows, int columns, Structure.Groups groups, int[] order) {
    return ChannelPermutation.kept(scores, rows, columns, groups.keep(), groups.of(), order);
  }

  /** Puts the rows or the columns of a matrix in another order, whichever way its file has it. */
  private static void reorder(
      Model model,
      Map<String, Constant> constants,
      WeightMatrix matrix,
      int[] order,
      boolean rows) {
    Tensor tensor = tensor(model, constants, matrix.constant());
    int first = (int) tensor.shape().extent(0);
    int second = (int) tensor.shape().extent(1);
    boolean outer = rows != matrix.transposed();
    float[] values = tensor.toFloats();
    put(
        constants,
        matrix.constant(),
        tensor.shape(),
        permuted(values, order, outer ? 1 : first, outer ? second : 1));
  }

  private static Tensor tensor(Model model, Map<String, Constant> constants, String name) {
    return constants.getOrDefault(name, model.constants().get(name)).toTensor();
  }

  private static void put(
      Map<String, Constant> constants, String name, Shape shape, float[] values) {
    constants.put(
        name, new Constant.Plain(Tensor.of(DType.F32, shape, MemorySegment.ofArray(values))));
  }

  /** The middle axis of {@code [outer, order, inner]} in another order. */
  private static float[] permuted(float[] values, int[] order, int outer, int inner) {
    float[] result = new float[values.length];
    for (int o = 0; o < outer; o++) {
      int start = o * order.length * inner;
      for (int i = 0; i < order.length; i++) {
        System.arraycopy(values, start + order[i] * inner, result, start + i * inner, inner);
      }
    }
    return result;
  }
}
