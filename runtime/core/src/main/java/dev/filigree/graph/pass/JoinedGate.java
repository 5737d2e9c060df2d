package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Experts;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * The gate of an expert whose first layer makes both factors, as {@link VendorExperts} writes it:
 * {@code min(g, limit) * sigmoid(alpha * min(g, limit)) * (clip(l, -limit, limit) + beta)}.
 *
 * @param both the value that has both factors
 * @param form how they lie in it, and the numbers
 */
record JoinedGate(String both, Experts.Form form) {
  /** Rank at least of a value whose last axes are pairs, or halves. */
  private static final int PARTED = 3;

  /** One of two stretches of a value's features. */
  private record Half(String both, Experts.Gate gate, int index) {}

  /** The gate that makes a value. */
  static Optional<JoinedGate> of(String value, GraphView view) {
    Optional<Node> product = view.producer(value, "Mul");
    Optional<Node> open = product.flatMap(node -> view.producer(node.inputs().get(0), "Mul"));
    Optional<Node> shifted = product.flatMap(node -> view.producer(node.inputs().get(1), "Add"));
    if (open.isEmpty() || shifted.isEmpty()) {
      return Optional.empty();
    }
    String bounded = open.get().inputs().get(0);
    Optional<Node> scaled =
        view.producer(open.get().inputs().get(1), "Sigmoid")
            .flatMap(sigmoid -> view.producer(sigmoid.inputs().getFirst(), "Mul"))
            .filter(node -> node.inputs().get(0).equals(bounded));
    Optional<Node> upper = view.producer(bounded, "Min");
    Optional<Node> lower = view.producer(shifted.get().inputs().get(0), "Max");
    Optional<Node> within = lower.flatMap(node -> view.producer(node.inputs().get(0), "Min"));
    if (scaled.isEmpty() || upper.isEmpty() || within.isEmpty()) {
      return Optional.empty();
    }
    Optional<Float> limit = number(upper.get(), view);
    Optional<Float> alpha = number(scaled.get(), view);
    Optional<Float> beta = number(shifted.get(), view);
    boolean bound =
        limit.isPresent()
            && number(within.get(), view).equals(limit)
            && number(lower.get(), view).equals(limit.map(l -> -l));
    Optional<Half> gate = half(upper.get().inputs().getFirst(), view);
    Optional<Half> linear = half(within.get().inputs().getFirst(), view);
    if (!bound || alpha.isEmpty() || beta.isEmpty() || !areHalves(gate, linear)) {
      return Optional.empty();
    }
    return Optional.of(
        new JoinedGate(
            gate.get().both,
            new Experts.Form(
                gate.get().gate, Activation.NONE, alpha.get(), beta.get(), limit.get())));
  }

  private static boolean areHalves(Optional<Half> gate, Optional<Half> linear) {
    return gate.isPresent()
        && linear.isPresent()
        && gate.get().index == 0
        && linear.get().equals(new Half(gate.get().both, gate.get().gate, 1));
  }

  /** The number that a node has as its second operand. */
  private static Optional<Float> number(Node node, GraphView view) {
    return view.producer(node.inputs().get(1), "CastLike")
        .flatMap(cast -> view.scalar(cast.inputs().getFirst()))
        .or(() -> view.scalar(node.inputs().get(1)))
        .map(Double::floatValue);
  }

  private static Optional<Half> half(String value, GraphView view) {
    Optional<Node> taken = view.producer(value, "Gather");
    Optional<Node> parted =
        taken.flatMap(node -> view.producer(node.inputs().getFirst(), "Reshape"));
    Optional<Tensor> index = taken.flatMap(node -> view.tensor(node.inputs().get(1)));
    Optional<Tensor> shape = parted.flatMap(node -> view.tensor(node.inputs().get(1)));
    int rank = shape.map(extents -> (int) extents.elements()).orElse(0);
    if (index.isEmpty() || rank < PARTED || index.get().shape().rank() != 0) {
      return Optional.empty();
    }
    int axis = (int) taken.get().intAttribute("axis", 0);
    boolean pairs = axis == rank - 1;
    // tokens are as many as they were, and the features are cut in two
    boolean keepsTokens = LongStream.range(0, rank - 2).allMatch(i -> shape.get().getLong(i) == 0);
    if (!keepsTokens || axis < rank - 2 || axis >= rank || shape.get().getLong(axis) != 2) {
      return Optional.empty();
    }
    return Optional.of(
        new Half(
            parted.get().inputs().getFirst(),
            pairs ? Experts.Gate.PAIRS : Experts.Gate.HALVES,
            (int) index.get().getLong(0)));
  }
}
