package dev.filigree.graph.pass;

import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.kernel.shape.Transpose;
import java.util.Arrays;
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
 * The scale may also be applied to q, to k, or half to each; where the probabilities are NaN, which
 * they are of a query that sees no key, 0 may take their place. A graph that reads the scores or
 * the probabilities elsewhere is left alone, since they would be computed twice.
 */
final class FuseAttention implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseAttention::fuse);
  }

  /** One operand: the value before its heads were split, its factor, its heads. */
  private record Operand(String value, double scale, Dim heads, Dim width) {}

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Reshape")) {
      return Optional.empty();
    }
    Optional<Node> context =
        view.producer(last.inputs().getFirst(), "Transpose")
            .filter(node -> isOrder(node, 0, 2, 1, 3))
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
    boolean sameHeads =
        q.heads.equals(k.heads)
            && k.heads.equals(v.heads)
            && q.width.equals(k.width)
            && k.width.equals(v.width)
            && v.scale == 1;
    boolean joined =
        view.type(last.output())
            .flatMap(out -> view.type(q.value).filter(in -> in.dims().equals(out.dims())))
            .isPresent();
    if (!sameHeads || !joined) {
      return Optional.empty();
    }
    return Optional.of(
        Attention.node(
            last.name(),
            List.of(q.value, k.value, v.value, mask),
            last.output(),
            (int) q.heads.value(),
            (float) (scores.scale * q.scale * k.scale),
            (float) scores.divisor,
            guarded));
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
    Optional<Scaled> scaled = scaled(value, view);
    double scale = scaled.map(Scaled::factor).orElse(1.0);
    Optional<Node> transpose = view.producer(scaled.map(Scaled::value).orElse(value), "Transpose");
    if (transpose.isEmpty()) {
      return Optional.empty();
    }
    Node split = transpose.get();
    if (key && isOrder(split, 0, 1, 3, 2)) {
      // the key's last two axes are exchanged in a step of its own, with or without a scale between
      String inner = split.inputs().getFirst();
      Optional<Scaled> innerScale = scaled(inner, view);
      scale *= innerScale.map(Scaled::factor).orElse(1.0);
      Optional<Node> first =
          view.producer(innerScale.map(Scaled::value).orElse(inner), "Transpose")
              .filter(node -> isOrder(node, 0, 2, 1, 3));
      if (first.isEmpty()) {
        return Optional.empty();
      }
      split = first.get();
    } else if (!(key ? isOrder(split, 0, 2, 3, 1) : isOrder(split, 0, 2, 1, 3))) {
      return Optional.empty();
    }
    double factor = scale;
    return view.producer(split.inputs().getFirst(), "Reshape")
        .flatMap(reshape -> heads(reshape, factor, view));
  }

  /** A reshape that splits the last axis in heads. */
  private static Optional<Operand> heads(Node reshape, double scale, GraphView view) {
    String value = reshape.inputs().getFirst();
    Optional<ValueType> before = view.type(value).filter(type -> type.rank() == 3);
    Optional<ValueType> after = view.type(reshape.output()).filter(type -> type.rank() == 4);
    if (before.isEmpty() || after.isEmpty()) {
      return Optional.empty();
    }
    Dim heads = after.get().dim(2);
    Dim width = after.get().dim(3);
    boolean splits =
        heads.isKnown()
            && width.isKnown()
            && heads.times(width).equals(before.get().dim(2))
            && after.get().dim(0).equals(before.get().dim(0))
            && after.get().dim(1).equals(before.get().dim(1));
    return splits ? Optional.of(new Operand(value, scale, heads, width)) : Optional.empty();
  }

  private static boolean isOrder(Node transpose, int... order) {
    return transpose.intsAttribute("perm").filter(perm -> perm.size() == 4).isPresent()
        && Arrays.equals(Transpose.order(transpose, 4), order);
  }
}
