package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Does without sequences whose tensors are known by name, as exporters write them for the splits,
 * chunks and lists of a network's source: what takes a tensor from one reads the tensor itself.
 * Sequences that loops make stay, and a graph with them is computed node by node.
 */
final class ResolveSequences implements Pass {
  @Override
  public Graph apply(Graph graph) {
    boolean some = graph.nodes().stream().anyMatch(node -> node.type().contains("Sequence"));
    return some ? new RemoveDeadCode().apply(new Work(graph).resolved()) : graph;
  }

  /** One graph while its sequences are resolved. */
  private static final class Work {
    private final Graph graph;
    private final Map<String, ValueType> types;
    private final Map<String, Constant> constants;
    private final Map<String, List<String>> sequences = new HashMap<>();
    private final List<Node> nodes = new ArrayList<>();

    Work(Graph graph) {
      this.graph = graph;
      this.types = ShapeInference.infer(graph, Operators::find);
      this.constants = new LinkedHashMap<>(graph.constants());
    }

    Graph resolved() {
      for (Node node : graph.nodes()) {
        Lowered lowered = new Lowered(node, constants, "sequence");
        if (node.domain().equals(Node.ONNX) && replace(node, lowered)) {
          nodes.addAll(lowered.nodes());
        } else {
          nodes.add(node);
        }
      }
      return graph.with(nodes, constants);
    }

    /** Resolves a node; false if it stays. A node that makes a sequence stays beside its parts. */
    private boolean replace(Node node, Lowered to) {
      return switch (node.type()) {
        case "SequenceEmpty" -> known(node, List.of());
        case "SequenceConstruct" -> known(node, node.inputs());
        case "Identity" -> parts(node).map(parts -> known(node, parts)).orElse(false);
        case "SequenceInsert" -> insert(node);
        case "SequenceErase" -> erase(node);
        case "SplitToSequence" -> split(node, to);
        case "SequenceAt" -> at(node, to);
        case "SequenceLength" -> length(node, to);
        case "ConcatFromSequence" -> concat(node, to);
        default -> false;
      };
    }

    /** Notes the parts of a sequence, whose node stays until nothing reads it. */
    private boolean known(Node node, List<String> parts) {
      sequences.put(node.output(), List.copyOf(parts));
      return false;
    }

    private Optional<List<String>> parts(Node node) {
      return node.input(0).map(sequences::get);
    }

    /** A constant whole number of an input, counted from the front; nothing if it is none. */
    private Optional<Integer> position(Node node, int input, int size, int last) {
      return node.input(input)
          .map(constants::get)
          .map(Constant::toTensor)
          .filter(tensor -> tensor.elements() == 1 && tensor.dtype().isInteger())
          .map(tensor -> tensor.getLong(0) + (tensor.getLong(0) < 0 ? size : 0))
          .filter(position -> position >= 0 && position <= last)
          .map(Long::intValue);
    }

    private boolean insert(Node node) {
      Optional<List<String>> parts = parts(node);
      if (parts.isEmpty()) {
        return false;
      }
      List<String> longer = new ArrayList<>(parts.get());
      int size = longer.size();
      Optional<Integer> at =
          node.input(2).isEmpty() ? Optional.of(size) : position(node, 2, size, size);
      at.ifPresent(
          position -> {
            longer.add(position, node.inputs().get(1));
            known(node, longer);
          });
      return false;
    }

    private boolean erase(Node node) {
      List<String> shorter = new ArrayList<>(parts(node).orElse(List.of()));
      int last = shorter.size() - 1;
      Optional<Integer> at =
          node.input(1).isEmpty() && last >= 0
              ? Optional.of(last)
              : position(node, 1, shorter.size(), last);
      at.ifPresent(
          position -> {
            shorter.remove(position.intValue());
            known(node, shorter);
          });
      return false;
    }

    private boolean at(Node node, Lowered to) {
      Optional<List<String>> parts = parts(node);
      Optional<Integer> at =
          parts.flatMap(known -> position(node, 1, known.size(), known.size() - 1));
      at.ifPresent(position -> to.into("Identity", Map.of(), parts.get().get(position)));
      return at.isPresent();
    }

    private boolean length(Node node, Lowered to) {
      Optional<List<String>> parts = parts(node);
      parts.ifPresent(
          known ->
              to.into("Identity", Map.of(), to.constant(Tensor.of(new long[] {known.size()}))));
      return parts.isPresent();
    }

    private boolean concat(Node node, Lowered to) {
      List<String> parts = parts(node).orElse(List.of());
      Attribute axis = node.attributes().get("axis");
      if (parts.isEmpty() || !(axis instanceof Attribute.Int(long number))) {
        return false;
      }
      List<String> joined = new ArrayList<>();
      for (String part : parts) {
        joined.add(
            node.intAttribute("new_axis", 0) == 0 ? part : reshaped(to, "Unsqueeze", part, number));
      }
      to.add("Concat", Map.of("axis", axis), joined, node.output());
      return true;
    }

    /** Adds or removes an axis of extent 1, in the form of every operator set. */
    private static String reshaped(Lowered to, String type, String value, long axis) {
      return to.add(
          type,
          Map.of("axes", new Attribute.Ints(List.of(axis))),
          value,
          to.constant(Tensor.of(new long[] {axis}, 1)));
    }

    private boolean split(Node node, Lowered to) {
      Optional<List<Long>> lengths = lengths(node);
      if (lengths.isEmpty()) {
        return false;
      }
      List<Long> each = lengths.get();
      List<String> pieces = new ArrayList<>();
      each.forEach(length -> pieces.add(to.fresh()));
      long axis = node.intAttribute("axis", 0);
      long[] numbers = each.stream().mapToLong(Long::longValue).toArray();
      String cuts = to.constant(Tensor.of(numbers, numbers.length));
      // lengths are an attribute up to operator set 12, an input from then on
      Map<String, Attribute> attributes =
          Map.of("axis", new Attribute.Int(axis), "split", new Attribute.Ints(each));
      to.addAll("Split", attributes, List.of(node.inputs().getFirst(), cuts), pieces);
      boolean keeps = node.input(1).isPresent() || node.intAttribute("keepdims", 1) != 0;
      List<String> parts = new ArrayList<>();
      for (String piece : pieces) {
        parts.add(keeps ? piece : reshaped(to, "Squeeze", piece, axis));
      }
      known(node, parts);
      nodes.add(node);
      return true;
    }

    private Optional<List<Long>> lengths(Node node) {
      Optional<Constant> given = node.input(1).map(constants::get);
      if (node.input(1).isPresent() && given.isEmpty()) {
        return Optional.empty();
      }
      Optional<Tensor> split = given.map(Constant::toTensor);
      if (split.isPresent() && split.get().shape().rank() == 1) {
        return Optional.of(Arrays.stream(split.get().toLongs()).boxed().toList())
            .filter(list -> !list.isEmpty());
      }
      long size = split.map(tensor -> tensor.getLong(0)).orElse(1L);
      return extent(node)
          .filter(extent -> size >= 1 && extent >= 1 && extent / size < MOST_PIECES)
          .map(
              extent -> {
                List<Long> lengths = new ArrayList<>();
                for (long at = 0; at < extent; at += size) {
                  lengths.add(Math.min(size, extent - at));
                }
                return lengths;
              });
    }

    /** More pieces are better kept in a sequence than in nodes. */
    private static final long MOST_PIECES = 256;

    private Optional<Long> extent(Node node) {
      ValueType type = types.get(node.inputs().getFirst());
      if (type == null) {
        return Optional.empty();
      }
      long axis = node.intAttribute("axis", 0);
      long fromFront = axis < 0 ? axis + type.rank() : axis;
      return fromFront >= 0 && fromFront < type.rank() && type.dim((int) fromFront).isKnown()
          ? Optional.of(type.dim((int) fromFront).value())
          : Optional.empty();
    }
  }
}
