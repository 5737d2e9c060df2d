package dev.filigree.graph.pass;

import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.shape.Slice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises a mixture of experts: a sum of what networks of one form make of the same tokens, each
 * times its column of a matrix into which a router scattered the shares of the experts it chose.
 *
 * <pre>
 *   x -&gt; layer(s) -&gt; gate -&gt; layer -&gt; Mul -&gt; Add -&gt; Add -&gt; ...
 *   TopK -&gt; ScatterElements -&gt; Slice --^      ^---- another expert
 * </pre>
 *
 * <p>Only for devices that compute chosen experts alone: everywhere else the layers stay what they
 * are, so that recipes and kernels find each.
 */
final class FuseExperts implements Pass {
  /**
   * Some experts of a mixture, of neighbouring columns.
   *
   * @param x what all read
   * @param shares the matrix
   * @param chosen experts of a token
   * @param form of each
   * @param column of the first expert
   * @param layers of all experts, one after the other
   */
  private record Mixture(
      String x,
      String shares,
      int chosen,
      Experts.Form form,
      int column,
      List<Experts.Layer> layers) {
    /** The column after the last expert's. */
    int end() {
      return column + layers.size() / form.layers();
    }

    /** This one and its neighbour, if they are parts of the same. */
    Optional<Mixture> with(Mixture next) {
      if (!x.equals(next.x)
          || !shares.equals(next.shares)
          || !form.equals(next.form)
          || end() != next.column) {
        return Optional.empty();
      }
      List<Experts.Layer> all = new ArrayList<>(layers);
      all.addAll(next.layers);
      return Optional.of(new Mixture(x, shares, chosen, form, column, all));
    }
  }

  /** The column of the shares that an expert has, and of how many a token has one. */
  private record Share(String shares, int chosen, int column) {}

  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> node.is("TopK"))) {
      return graph;
    }
    Map<String, Mixture> sums = new HashMap<>();
    return GraphView.rewrite(graph, (last, view) -> fuse(last, view, sums));
  }

  /** Makes a sum of two experts a mixture, and a mixture and one more a larger one. */
  private static Optional<Node> fuse(Node last, GraphView view, Map<String, Mixture> sums) {
    if (!last.is("Add")) {
      return Optional.empty();
    }
    String left = last.inputs().get(0);
    Mixture before = view.isReadOnce(left) ? sums.get(left) : null;
    return (before == null ? expert(left, view) : Optional.of(before))
        .filter(mixture -> mixture.column == 0)
        .flatMap(mixture -> expert(last.inputs().get(1), view).flatMap(mixture::with))
        .filter(mixture -> areAlike(mixture, view))
        .map(
            mixture -> {
              sums.put(last.output(), mixture);
              return Experts.node(
                  name(mixture, last),
                  List.of(mixture.x, mixture.shares),
                  last.output(),
                  mixture.form,
                  mixture.chosen,
                  mixture.layers);
            });
  }

  /** What the names of all layers begin with, up to a dot; that of the sum where they differ. */
  private static String name(Mixture mixture, Node last) {
    String first = mixture.layers.getFirst().name();
    int common = first.length();
    for (Experts.Layer layer : mixture.layers) {
      int same = 0;
      while (same < Math.min(common, layer.name().length())
          && layer.name().charAt(same) == first.charAt(same)) {
        same++;
      }
      common = same;
    }
    int end = first.lastIndexOf('.', common);
    return end > 0 ? first.substring(0, end) : last.name();
  }

  /** Whether the last expert's layers are as large as the first's, and those fit together. */
  private static boolean areAlike(Mixture mixture, GraphView view) {
    int own = mixture.form.layers();
    int last = mixture.layers.size() - own;
    for (int i = 0; i < own; i++) {
      ValueType weights = weights(mixture.layers.get(i), view);
      if (!weights.dims().equals(weights(mixture.layers.get(last + i), view).dims())) {
        return false;
      }
    }
    ValueType first = weights(mixture.layers.getFirst(), view);
    ValueType end = weights(mixture.layers.get(own - 1), view);
    Dim inner = end.dim(1);
    Dim made = mixture.form.gate().isJoined() ? inner.times(Dim.of(2)) : inner;
    // a product may broadcast one number for each token
    boolean fits =
        mixture.form.gate() != Experts.Gate.LAYER
            || weights(mixture.layers.get(1), view).dim(0).equals(inner);
    return fits && first.dim(0).equals(made) && first.dim(1).equals(end.dim(0));
  }

  private static ValueType weights(Experts.Layer layer, GraphView view) {
    return view.constant(layer.weights()).orElseThrow().type();
  }

  /** What one expert makes, times its share. */
  private static Optional<Mixture> expert(String part, GraphView view) {
    Optional<Node> product = view.producer(part, "Mul").filter(node -> view.isReadOnce(part));
    if (product.isEmpty()) {
      return Optional.empty();
    }
    Optional<Node> last = layer(product.get().inputs().get(0), view).filter(FuseExperts::isPlain);
    Optional<Share> share = share(product.get().inputs().get(1), view);
    if (last.isEmpty() || share.isEmpty()) {
      return Optional.empty();
    }
    return inner(last.get().inputs().getFirst(), view)
        .map(
            inner -> {
              List<Experts.Layer> layers = new ArrayList<>();
              inner.layers.forEach(node -> layers.add(described(node)));
              layers.add(described(last.get()));
              return new Mixture(
                  inner.layers.getFirst().inputs().getFirst(),
                  share.get().shares,
                  share.get().chosen,
                  inner.form,
                  share.get().column,
                  layers);
            });
  }

  private static Experts.Layer described(Node linear) {
    return new Experts.Layer(
        linear.name(), linear.inputs().get(Linear.WEIGHTS), linear.input(Linear.BIAS).orElse(""));
  }

  /** The layer that makes a value which nothing else reads. */
  private static Optional<Node> layer(String value, GraphView view) {
    return anyLayer(value, view).filter(node -> view.isReadOnce(value));
  }

  /** The layer that makes a value of another and its weights alone. */
  private static Optional<Node> anyLayer(String value, GraphView view) {
    return view.producer(value)
        .filter(node -> node.isFused(Linear.TYPE))
        .filter(node -> !Linear.isDynamic(node) && !Linear.isExact(node))
        .filter(node -> node.input(Linear.RESIDUAL).isEmpty())
        .filter(node -> view.constant(node.inputs().get(Linear.WEIGHTS)).isPresent())
        .filter(
            node ->
                node.input(Linear.BIAS).map(view::tensor).map(Optional::isPresent).orElse(true));
  }

  private static boolean isPlain(Node linear) {
    return Linear.activation(linear) == Activation.NONE;
  }

  /** What stands before an expert's last layer: its other layers and how they are joined. */
  private record Inner(Experts.Form form, List<Node> layers) {}

  private static Optional<Inner> inner(String value, GraphView view) {
    if (!view.isReadOnce(value)) {
      return Optional.empty();
    }
    Optional<Node> single = layer(value, view);
    if (single.isPresent()) {
      Activation activation = Linear.activation(single.get());
      return Optional.of(
          new Inner(Experts.Form.of(Experts.Gate.NONE, activation), List.of(single.get())));
    }
    Optional<Inner> gated = view.producer(value).flatMap(node -> gated(node, view));
    return gated.isPresent() ? gated : joined(value, view);
  }

  /** Two layers that read the same, the one with an activation before the other. */
  private static Optional<Inner> gated(Node product, GraphView view) {
    if (!product.isFused(Gated.TYPE) && !product.is("Mul")) {
      return Optional.empty();
    }
    Optional<Node> left = layer(product.inputs().get(0), view);
    Optional<Node> right = layer(product.inputs().get(1), view);
    if (left.isEmpty()
        || right.isEmpty()
        || !left.get().inputs().getFirst().equals(right.get().inputs().getFirst())) {
      return Optional.empty();
    }
    boolean turned = isPlain(left.get());
    Node gate = turned && product.is("Mul") ? right.get() : left.get();
    Node other = gate == left.get() ? right.get() : left.get();
    boolean fused = product.isFused(Gated.TYPE);
    if (!isPlain(other) || fused && !isPlain(gate)) {
      return Optional.empty();
    }
    Activation activation = fused ? Gated.activation(product) : Linear.activation(gate);
    return Optional.of(
        new Inner(Experts.Form.of(Experts.Gate.LAYER, activation), List.of(gate, other)));
  }

  /** The gate of both halves of one layer; see {@link JoinedGate}. */
  private static Optional<Inner> joined(String value, GraphView view) {
    return JoinedGate.of(value, view)
        .flatMap(
            gate ->
                anyLayer(gate.both(), view)
                    .filter(FuseExperts::isPlain)
                    .map(layer -> new Inner(gate.form(), List.of(layer))));
  }

  /** A column of what a router scattered. */
  private static Optional<Share> share(String value, GraphView view) {
    Optional<Node> taken = view.producer(value);
    if (taken.isEmpty()) {
      return Optional.empty();
    }
    String shares = taken.get().inputs().getFirst();
    return column(taken.get(), view)
        .flatMap(column -> chosen(shares, view).map(chosen -> new Share(shares, chosen, column)));
  }

  private static Optional<Integer> column(Node taken, GraphView view) {
    int last = view.type(taken.inputs().getFirst()).map(ValueType::rank).orElse(0) - 1;
    if (taken.is("Gather")) {
      long axis = taken.intAttribute("axis", 0);
      return view.tensor(taken.inputs().get(1))
          .filter(index -> index.shape().rank() == 1 && index.elements() == 1)
          .filter(index -> axis == -1 || axis == last)
          .map(index -> (int) index.getLong(0));
    }
    if (!taken.is("Slice")) {
      return Optional.empty();
    }
    List<Slice.Range> ranges = view.ranges(taken);
    return ranges.size() == 1
            && ranges.getFirst().axis() == last
            && ranges.getFirst().extent().equals(Dim.ONE)
        ? Optional.of((int) ranges.getFirst().start())
        : Optional.empty();
  }

  /** How many experts a router chose, if it scattered its best ones. */
  private static Optional<Integer> chosen(String shares, GraphView view) {
    return view.producer(shares, "ScatterElements")
        .flatMap(scatter -> view.producer(scatter.inputs().get(1), "TopK"))
        .flatMap(best -> view.tensor(best.inputs().get(1)))
        .map(count -> (int) count.getLong(0));
  }
}
