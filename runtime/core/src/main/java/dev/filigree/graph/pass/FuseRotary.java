package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.kernel.shape.Slice;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises rotary positions written out for heads before tokens, and turns the heads while they
 * lie beside each other:
 *
 * <pre>
 *   x [b,s,h,d] -&gt; Transpose -+-&gt; Mul cos --------------------------------------------+-&gt; Add -&gt; (Concat with the rest)
 *                            +-&gt; Slice second half -&gt; Neg -+-&gt; Concat -&gt; Mul sin ------+
 *                            +-&gt; Slice first half ---------+
 *
 *   x -&gt; Reshape [b,s,h*d] -&gt; Rotary -&gt; Reshape [b,s,h,d] -&gt; Transpose
 * </pre>
 *
 * Where only the first features of a head are turned, the rest joins them at the end. The tokens
 * may also stand before the heads all the way, without a transposition.
 */
final class FuseRotary implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseRotary::fuse);
  }

  /** A value whose features are turned by tables. */
  private record Turned(String value, String cos, String sin) {}

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (last.is("Add")) {
      // a part of the features waits for the rest to join it
      return turned(last, view)
          .filter(found -> piece(found.value, view).isEmpty())
          .flatMap(found -> fuse(last, found, found.value, view));
    }
    if (!last.is("Concat") || last.inputs().size() != 2) {
      return Optional.empty();
    }
    // the turned features, and those that stay
    Optional<Turned> part =
        view.producer(last.inputs().get(0), "Add").flatMap(sum -> turned(sum, view));
    Optional<Piece> first = part.flatMap(found -> piece(found.value, view));
    Optional<Piece> rest = piece(last.inputs().get(1), view);
    boolean whole =
        first.isPresent()
            && rest.isPresent()
            && first.get().start == 0
            && first.get().isFollowedBy(rest.get())
            && isLastAxis(last, view);
    return whole ? fuse(last, part.get(), first.get().of, view) : Optional.empty();
  }

  private static Optional<Node> fuse(Node last, Turned turned, String x, GraphView view) {
    Optional<Node> transpose = view.producer(x, "Transpose");
    Optional<HeadSplit> behind = transpose.flatMap(node -> HeadSplit.before(node, view));
    Optional<HeadSplit> heads = behind.or(() -> HeadSplit.of(x, view));
    int headAxis = behind.isPresent() ? 1 : 2;
    Optional<ValueType> part = view.type(turned.value).filter(type -> type.rank() == 4);
    if (heads.isEmpty()
        || part.isEmpty()
        || !part.get().dim(3).isKnown()
        || part.get().dim(3).value() % 2 != 0
        || !isTable(turned.cos, part.get(), headAxis, view)
        || !isTable(turned.sin, part.get(), headAxis, view)) {
      return Optional.empty();
    }
    HeadSplit split = heads.get();
    String joined = split.joined(last.name() + "/joined", view);
    String cos = table(turned.cos, headAxis, last.name() + "/cos", view);
    String sin = table(turned.sin, headAxis, last.name() + "/sin", view);
    String output = view.freeName(last.output() + "_turned");
    String rotated =
        view.insert(Rotary.node(last.name() + "/turned", joined, cos, sin, output, split.heads()));
    if (headAxis == 1) {
      String again = split.split(rotated, last.name() + "/split", view);
      return Optional.of(HeadSplit.transpose(last.name(), again, last.output()));
    }
    String shape = view.longs(last.name() + "/split", 0, 0, split.heads(), split.width());
    return Optional.of(
        new Node(
            last.name(), Node.ONNX, "Reshape", List.of(rotated, shape), last.outputs(), Map.of()));
  }

  /** A sum of a value times cosines and of its halves exchanged times sines. */
  private static Optional<Turned> turned(Node sum, GraphView view) {
    Optional<Node> left = view.producer(sum.inputs().get(0), "Mul");
    Optional<Node> right = view.producer(sum.inputs().get(1), "Mul");
    if (left.isEmpty() || right.isEmpty()) {
      return Optional.empty();
    }
    return turned(left.get(), right.get(), view).or(() -> turned(right.get(), left.get(), view));
  }

  private static Optional<Turned> turned(Node straight, Node crossed, GraphView view) {
    return crossed.inputs().stream()
        .flatMap(half -> exchanged(half, view).stream())
        .flatMap(
            x ->
                GraphView.other(straight, x).stream()
                    .flatMap(
                        cos ->
                            crossed.inputs().stream()
                                .filter(sin -> exchanged(sin, view).isEmpty())
                                .map(sin -> new Turned(x, cos, sin))))
        .findFirst();
  }

  /** The value x of a concatenation of minus x's second half and x's first half. */
  private static Optional<String> exchanged(String value, GraphView view) {
    Optional<Node> concat =
        view.producer(value, "Concat")
            .filter(node -> node.inputs().size() == 2 && isLastAxis(node, view));
    Optional<Piece> second =
        concat
            .flatMap(node -> view.producer(node.inputs().get(0), "Neg"))
            .flatMap(node -> piece(node.inputs().getFirst(), view));
    Optional<Piece> first = concat.flatMap(node -> piece(node.inputs().get(1), view));
    boolean halves =
        first.isPresent()
            && second.isPresent()
            && first.get().start == 0
            && first.get().length == second.get().length
            && first.get().isFollowedBy(second.get());
    return halves ? Optional.of(first.get().of) : Optional.empty();
  }

  /** Some of the last axis of a value of four, which has {@code extent} in all. */
  private record Piece(String of, long start, long length, long extent) {
    /** Whether the other one is all that follows. */
    boolean isFollowedBy(Piece other) {
      return of.equals(other.of)
          && start + length == other.start
          && other.start + other.length == extent;
    }
  }

  private static Optional<Piece> piece(String value, GraphView view) {
    Optional<Node> made = view.producer(value);
    Optional<ValueType> type = view.type(value).filter(known -> known.rank() == 4);
    Optional<ValueType> whole =
        made.filter(node -> node.is("Slice") || node.is("Split"))
            .flatMap(node -> view.type(node.inputs().getFirst()));
    if (type.isEmpty()
        || whole.isEmpty()
        || !type.get().dim(3).isKnown()
        || !whole.get().dim(3).isKnown()
        || !type.get().dims().subList(0, 3).equals(whole.get().dims().subList(0, 3))) {
      return Optional.empty();
    }
    long length = type.get().dim(3).value();
    String of = made.get().inputs().getFirst();
    return start(made.get(), value, view)
        .map(start -> new Piece(of, start, length, whole.get().dim(3).value()));
  }

  /** The first feature of a part that takes all of the other axes. */
  private static Optional<Long> start(Node node, String part, GraphView view) {
    if (node.is("Slice")) {
      List<Slice.Range> ranges = view.ranges(node);
      return ranges.size() == 1 && ranges.getFirst().axis() == 3 && ranges.getFirst().step() == 1
          ? Optional.of(ranges.getFirst().start())
          : Optional.empty();
    }
    if (!isLastAxis(node, view)) {
      return Optional.empty();
    }
    long start = 0;
    for (String output : node.outputs()) {
      if (output.equals(part)) {
        return Optional.of(start);
      }
      Optional<Dim> length = view.type(output).map(type -> type.dim(3)).filter(Dim::isKnown);
      if (length.isEmpty()) {
        return Optional.empty();
      }
      start += length.get().value();
    }
    return Optional.empty();
  }

  private static boolean isLastAxis(Node node, GraphView view) {
    long axis = node.intAttribute("axis", 0);
    return axis == -1
        || axis == 3 && view.type(node.output()).filter(t -> t.rank() == 4).isPresent();
  }

  /** Whether a table has a number for each turned feature, the same for all heads. */
  private static boolean isTable(String table, ValueType x, int headAxis, GraphView view) {
    Optional<ValueType> type = view.type(table).filter(known -> known.dtype() == x.dtype());
    if (type.isEmpty() || type.get().rank() == 0 || type.get().rank() > 4) {
      return false;
    }
    List<Dim> dims = type.get().dims();
    int missing = 4 - dims.size();
    int own = headAxis - missing;
    return dims.getLast().equals(x.dim(3)) && (own < 0 || dims.get(own).is(1));
  }

  /** A table without the axis of heads. */
  private static String table(String table, int headAxis, String name, GraphView view) {
    int rank = view.type(table).orElseThrow().rank();
    int own = headAxis - (4 - rank);
    if (own < 0) {
      // an axis of tokens or batch that is not there is one that does not matter
      return table;
    }
    Optional<Node> added =
        view.producer(table, "Unsqueeze")
            .filter(node -> view.type(node.inputs().getFirst()).orElseThrow().rank() == rank - 1)
            .filter(node -> view.axes(node).filter(List.of((long) own)::equals).isPresent());
    if (added.isPresent()) {
      return added.get().inputs().getFirst();
    }
    // the axes are an attribute up to operator set 12, an input from then on
    return view.insert(
        new Node(
            name,
            Node.ONNX,
            "Squeeze",
            List.of(table, view.longs(name + "/axis", own)),
            List.of(view.freeName(name)),
            Map.of("axes", new Attribute.Ints(List.of((long) own)))));
  }
}
