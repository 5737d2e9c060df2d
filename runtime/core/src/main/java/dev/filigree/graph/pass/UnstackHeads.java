package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.shape.Transpose;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Cuts queries, keys and values out of one layer's features where the graph makes an axis of them
 * first:
 *
 * <pre>
 *   x [b,s,3*h*d] -&gt; Reshape [b,s,3,h,d] -&gt; (Transpose [3,b,h,s,d]) -&gt; one of 3 [b,h,s,d]
 *
 *   x -&gt; Slice [b,s,h*d] -&gt; Reshape [b,s,h,d] -&gt; (Transpose [b,h,s,d])
 * </pre>
 *
 * as timm's vision transformers and ModernBERT have it; {@link FuseAttention} knows the second
 * form.
 */
final class UnstackHeads implements Pass {
  /** The axis of queries, keys and values. */
  private static final int STACK = 2;

  private static final int SLICE_READS_INPUTS = 10;

  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, UnstackHeads::fuse);
  }

  /** One place of an axis of a value. */
  private record Taken(String of, int axis, int index) {}

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (view.opset() < SLICE_READS_INPUTS) {
      return Optional.empty();
    }
    Optional<Taken> taken =
        last.is("Gather")
            ? gathered(last, view)
            : last.is("Squeeze") ? cut(last, view) : Optional.empty();
    if (taken.isEmpty()) {
      return Optional.empty();
    }
    Optional<Node> transpose = view.producer(taken.get().of, "Transpose");
    int[] order =
        transpose
            .map(node -> Transpose.order(node, 5))
            .orElseGet(() -> IntStream.range(0, 5).toArray());
    String stacked = transpose.map(node -> node.inputs().getFirst()).orElse(taken.get().of);
    Optional<Node> reshape = view.producer(stacked, "Reshape").filter(node -> stacks(node, view));
    if (reshape.isEmpty() || order[taken.get().axis] != STACK) {
      return Optional.empty();
    }
    List<Dim> dims = view.type(stacked).orElseThrow().dims();
    long heads = dims.get(3).value();
    long width = dims.get(4).value();
    long features = heads * width;
    String name = last.name();
    long start = taken.get().index * features;
    String part =
        view.insert(
            new Node(
                name + "/part",
                Node.ONNX,
                "Slice",
                List.of(
                    reshape.get().inputs().getFirst(),
                    view.longs(name + "/start", start),
                    view.longs(name + "/end", start + features),
                    view.longs(name + "/axis", 2)),
                List.of(view.freeName(last.output() + "_part")),
                Map.of()));
    List<Long> rest = new ArrayList<>();
    for (int axis : order) {
      if (axis != STACK) {
        rest.add((long) (axis > STACK ? axis - 1 : axis));
      }
    }
    boolean moves = !rest.equals(List.of(0L, 1L, 2L, 3L));
    return Optional.of(
        moves
            ? new Node(
                name,
                Node.ONNX,
                "Transpose",
                List.of(view.reshape(part, name + "/heads", 0, 0, heads, width)),
                last.outputs(),
                Map.of("perm", new Attribute.Ints(rest)))
            : new Node(
                name,
                Node.ONNX,
                "Reshape",
                List.of(part, view.longs(name + "/heads", 0, 0, heads, width)),
                last.outputs(),
                Map.of()));
  }

  /** A reshape of {@code [b,s,n*h*d]} to {@code [b,s,n,h,d]}. */
  private static boolean stacks(Node reshape, GraphView view) {
    Optional<ValueType> x = view.type(reshape.inputs().getFirst()).filter(type -> type.rank() == 3);
    Optional<ValueType> y = view.type(reshape.output()).filter(type -> type.rank() == 5);
    return x.isPresent()
        && y.isPresent()
        && y.get().dims().subList(STACK, 5).stream().allMatch(Dim::isKnown)
        && y.get().dims().subList(0, 2).equals(x.get().dims().subList(0, 2))
        && x.get()
            .dim(2)
            .is(y.get().dim(2).value() * y.get().dim(3).value() * y.get().dim(4).value());
  }

  private static Optional<Taken> gathered(Node gather, GraphView view) {
    String of = gather.inputs().get(0);
    Optional<ValueType> type = view.type(of).filter(known -> known.rank() == 5);
    int axis = Math.floorMod(gather.intAttribute("axis", 0), 5);
    return type.flatMap(
        known ->
            view.tensor(gather.inputs().get(1))
                .filter(tensor -> tensor.shape().rank() == 0 && known.dim(axis).isKnown())
                .filter(tensor -> isWithin(tensor.getLong(0), known.dim(axis).value()))
                .map(
                    tensor ->
                        new Taken(
                            of,
                            axis,
                            (int) Math.floorMod(tensor.getLong(0), known.dim(axis).value()))));
  }

  private static boolean isWithin(long index, long extent) {
    return index >= -extent && index < extent;
  }

  private static Optional<Taken> cut(Node squeeze, GraphView view) {
    String part = squeeze.inputs().getFirst();
    Optional<Node> split = view.producer(part, "Split");
    Optional<ValueType> whole =
        split.flatMap(node -> view.type(node.inputs().getFirst())).filter(type -> type.rank() == 5);
    if (whole.isEmpty()) {
      return Optional.empty();
    }
    int axis = Math.floorMod(split.get().intAttribute("axis", 0), 5);
    boolean single =
        whole.get().dim(axis).is(split.get().outputs().size())
            && view.type(part).filter(type -> type.dim(axis).is(1)).isPresent();
    return view.axes(squeeze)
        .filter(axes -> single && axes.size() == 1 && Math.floorMod(axes.getFirst(), 5) == axis)
        .map(
            axes ->
                new Taken(
                    split.get().inputs().getFirst(), axis, split.get().outputs().indexOf(part)));
  }
}
