package dev.filigree.graph.pass;

import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.math.Softmax;
import java.util.List;
import java.util.Optional;

/**
 * Recognises multi-head attention written out, from the heads' split to their join:
 *
 * <pre>
 *   q -&gt; Reshape [b,s,h,d] -&gt; Transpose [b,h,s,d] -+
 *   k -&gt; Reshape [b,s,h,d] -&gt; Transpose [b,h,d,s] -+-&gt; MatMul -&gt; (Div|Mul scale) -&gt; (Add mask) -&gt; Softmax -+
 *   v -&gt; Reshape [b,s,h,d] -&gt; Transpose [b,h,s,d] -----------------------------------------------------------+
 *     -&gt; MatMul -&gt; Transpose [b,s,h,d] -&gt; Reshape [b,s,h*d]
 * </pre>
 *
 * The scale may also be applied to q, to k, or half to each; several heads of q may read each of k
 * and v, which are then repeated before the products; where the probabilities are NaN, which they
 * are of a query that sees no key, 0 may take their place. A graph that reads the scores or the
 * probabilities elsewhere is left alone, since they would be computed twice.
 */
final class FuseAttention implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseAttention::fuse);
  }

  /** One operand: its heads, how often each is repeated, its factor. */
  private record Operand(HeadSplit split, long times, double scale) {
    boolean isReadBy(Operand q) {
      return split.heads() * times == q.split.heads() && split.width() == q.split.width();
    }
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Reshape")) {
      return Optional.empty();
    }
    Optional<Node> context =
        view.producer(last.inputs().getFirst(), "Transpose")
            .filter(node -> HeadSplit.isOrder(node, 0, 2, 1, 3))
            .flatMap(node -> view.producer(node.inputs().getFirst(), "MatMul"));
    Optional<Weights> weights =
        context
            .flatMap(node -> weights(node.inputs().getFirst(), view))
            .filter(found -> Softmax.axis(found.softmax, view.opset(), 4) == 3);
    if (weights.isEmpty()) {
      return Optional.empty();
    }
    Optional<Operand> v = operand(context.get().inputs().get(1), false, view);
    String scores = weights.get().softmax.inputs().getFirst();
    boolean guarded = weights.get().guarded;
    Optional<Node> masked = inner(scores, "Add", view);
    if (masked.isEmpty()) {
      return fuse(last, scores, "", v, guarded, view);
    }
    return masked.get().inputs().stream()
        .flatMap(
            unmasked ->
                GraphView.other(masked.get(), unmasked).stream()
                    .flatMap(mask -> fuse(last, unmasked, mask, v, guarded, view).stream()))
        .findFirst();
  }

  /** A softmax that nothing else reads, and whether 0 takes the place of its NaN. */
  private record Weights(Node softmax, boolean guarded) {}

  private static Optional<Weights> weights(String value, GraphView view) {
    Optional<Node> guard = inner(value, "Where", view);
    if (guard.isEmpty()) {
      return inner(value, "Softmax", view).map(softmax -> new Weights(softmax, false));
    }
    String softmax = guard.get().inputs().get(2);
    return view.producer(guard.get().inputs().getFirst(), "IsNaN")
        .filter(test -> test.inputs().getFirst().equals(softmax))
        .filter(test -> view.isReadOnce(test.output()) && view.isReadBy(softmax, 2))
        .filter(test -> view.scalar(guard.get().inputs().get(1)).filter(x -> x == 0).isPresent())
        .flatMap(test -> view.producer(softmax, "Softmax"))
        .map(node -> new Weights(node, true));
  }

  private static Optional<Node> fuse(
      Node last, String scores, String mask, Optional<Operand> v, boolean guarded, GraphView view) {
    Optional<Scaled> scaled = scaled(scores, view).filter(found -> view.isReadOnce(scores));
    Optional<Node> product = inner(scaled.map(Scaled::value).orElse(scores), "MatMul", view);
    Optional<Operand> q = product.flatMap(node -> operand(node.inputs().get(0), false, view));
    Optional<Operand> k = product.flatMap(node -> operand(node.inputs().get(1), true, view));
    return q.isPresent() && k.isPresent() && v.isPresent()
        ? join(last, q.get(), k.get(), v.get(), scaled.orElse(Scaled.NOT), mask, guarded, view)
        : Optional.empty();
  }

  /** The node that makes scores or probabilities: were they read elsewhere, it would stay. */
  private static Optional<Node> inner(String value, String type, GraphView view) {
    return view.producer(value, type).filter(node -> view.isReadOnce(value));
  }

  private static Optional<Node> join(
      Node last,
      Operand q,
      Operand k,
      Operand v,
      Scaled scores,
      String mask,
      boolean guarded,
      GraphView view) {
    HeadSplit heads = q.split;
    boolean fits =
        q.times == 1
            && k.isReadBy(q)
            && v.isReadBy(q)
            && k.split.heads() == v.split.heads()
            && v.scale == 1;
    Optional<List<Dim>> out = view.type(last.output()).map(ValueType::dims);
    if (!fits || out.isEmpty()) {
      return Optional.empty();
    }
    Dim features = Dim.of((long) heads.heads() * heads.width());
    Dim batch = heads.tokens(view).get(0);
    Dim queries = heads.tokens(view).get(1);
    // a product would repeat keys of a single text for each text of queries
    if (!k.split.tokens(view).get(0).equals(batch)
        || !v.split.tokens(view).equals(k.split.tokens(view))) {
      return Optional.empty();
    }
    boolean whole = out.get().equals(List.of(batch, queries, features));
    boolean folded = out.get().equals(List.of(batch.times(queries), features));
    if (!whole && !folded) {
      return Optional.empty();
    }
    String name = last.name();
    List<String> inputs =
        List.of(
            heads.joined(name + "/queries", view),
            k.split.joined(name + "/keys", view),
            v.split.joined(name + "/values", view),
            mask);
    Attention.Form form =
        new Attention.Form(
            heads.heads(),
            k.split.heads(),
            (float) (scores.scale * q.scale * k.scale),
            (float) scores.divisor,
            guarded);
    if (whole) {
      return Optional.of(Attention.node(name, inputs, last.output(), form));
    }
    String joined =
        view.insert(Attention.node(name, inputs, view.freeName(last.output() + "_joined"), form));
    return Optional.of(last.withInputs(List.of(joined, last.inputs().get(1))));
  }

  /** A value that is another one times a number, or divided by one. */
  private record Scaled(String value, double scale, double divisor) {
    static final Scaled NOT = new Scaled("", 1, 1);

    double factor() {
      return scale / divisor;
    }
  }

  /** A value that is another one times a constant number. */
  private static Optional<Scaled> scaled(String value, GraphView view) {
    Optional<Node> div = view.producer(value, "Div");
    if (div.isPresent()) {
      return view.scalar(div.get().inputs().get(1))
          .map(divisor -> new Scaled(div.get().inputs().get(0), 1, divisor));
    }
    return view.producer(value, "Mul").stream()
        .flatMap(
            mul ->
                mul.inputs().stream()
                    .flatMap(
                        factor ->
                            view.scalar(factor).stream()
                                .flatMap(
                                    number ->
                                        GraphView.other(mul, factor).stream()
                                            .map(rest -> new Scaled(rest, number, 1)))))
        .findFirst();
  }

  private static Optional<Operand> operand(String value, boolean key, GraphView view) {
    Scaled outer = scaled(value, view).orElse(new Scaled(value, 1, 1));
    if (!key) {
      return heads(outer.value, outer.factor(), view);
    }
    Optional<Node> transpose = view.producer(outer.value, "Transpose");
    if (transpose.isEmpty()) {
      return Optional.empty();
    }
    String source = transpose.get().inputs().getFirst();
    if (HeadSplit.isOrder(transpose.get(), 0, 2, 3, 1)) {
      return HeadSplit.of(source, view).map(split -> new Operand(split, 1, outer.factor()));
    }
    if (!HeadSplit.isOrder(transpose.get(), 0, 1, 3, 2)) {
      return Optional.empty();
    }
    // the key's last two axes are exchanged in a step of its own, with or without a scale between
    Scaled inner = scaled(source, view).orElse(new Scaled(source, 1, 1));
    return heads(inner.value, outer.factor() * inner.factor(), view);
  }

  /** Heads before tokens, {@code [batch, heads, tokens, width]}. */
  private static Optional<Operand> heads(String value, double scale, GraphView view) {
    Optional<Operand> once =
        view.producer(value, "Transpose")
            .flatMap(node -> HeadSplit.before(node, view))
            .map(split -> new Operand(split, 1, scale));
    return once.or(() -> repeated(value, scale, view));
  }

  /**
   * Each head several times: {@code [b,h,s,d] -> Unsqueeze [b,h,1,s,d] -> Expand [b,h,n,s,d] ->
   * Reshape [b,h*n,s,d]}.
   */
  private static Optional<Operand> repeated(String value, double scale, GraphView view) {
    Optional<Node> expand =
        view.producer(value, "Reshape")
            .flatMap(node -> view.producer(node.inputs().getFirst(), "Expand"));
    Optional<Node> unsqueeze =
        expand.flatMap(node -> view.producer(node.inputs().getFirst(), "Unsqueeze"));
    Optional<ValueType> many =
        expand.flatMap(node -> view.type(node.output())).filter(type -> type.rank() == 5);
    Optional<ValueType> all = view.type(value).filter(type -> type.rank() == 4);
    if (unsqueeze.isEmpty() || many.isEmpty() || all.isEmpty() || !many.get().dim(2).isKnown()) {
      return Optional.empty();
    }
    List<Dim> each = many.get().dims();
    Dim times = each.get(2);
    List<Dim> before = List.of(each.get(0), each.get(1), Dim.of(1), each.get(3), each.get(4));
    List<Dim> after = List.of(each.get(0), each.get(1).times(times), each.get(3), each.get(4));
    boolean repeats =
        view.type(unsqueeze.get().output()).map(ValueType::dims).filter(before::equals).isPresent()
            && view.axes(unsqueeze.get()).filter(List.of(2L)::equals).isPresent()
            && all.get().dims().equals(after);
    return repeats
        ? heads(unsqueeze.get().inputs().getFirst(), scale, view)
            .map(one -> new Operand(one.split, one.times * times.value(), one.scale))
        : Optional.empty();
  }
}
