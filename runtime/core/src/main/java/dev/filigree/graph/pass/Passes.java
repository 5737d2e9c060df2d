package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.kernel.Operators;
import java.util.List;

/** The passes every model goes through when it is loaded, in their order. */
public final class Passes {
  private static final List<Pass> STANDARD =
      List.of(
          new LowerVendorOperators(),
          new InlineConstants(),
          new ResolveSequences(),
          new WidenHalves(),
          new RemoveIdentities(),
          new RemoveCasts(),
          new SplitComposites(),
          new SplitAttention(),
          new QuantizedConstants(),
          new FoldConstants(),
          new RemoveDeadCode(),
          new FoldAffine(),
          new FoldBatchNormalization(),
          new FoldAffine(),
          new SplitConvTranspose(),
          new UnfoldTransposes(),
          new NarrowMasks(),
          new JoinMasks(),
          new FuseLayerNormalization(),
          new FuseRootMeanSquare(),
          new FuseGelu(),
          new FuseHardSwish(),
          new FuseSilu(),
          new AdoptFused(),
          new OuterProducts(),
          new UnstackHeads(),
          new FuseRotary(),
          new FuseQuantizedLinear(),
          new FuseLinear(),
          new FuseAttention(),
          new FuseEmbedding(),
          new FuseEpilogue(),
          new FuseConvolution(),
          new ShareEqualNodes(),
          new RemoveDeadCode());

  private Passes() {}

  /**
   * A graph as its file has it, made ready for planning.
   *
   * @throws dev.filigree.UnsupportedException if a node's operator is not known
   * @throws dev.filigree.GraphException if nodes contradict each other
   */
  public static Graph standard(Graph graph) {
    // the passes rely on every node having the inputs its operator needs
    requireKnown(graph);
    return ShapeInference.remembering(() -> applied(graph));
  }

  private static Graph applied(Graph graph) {
    Graph result = graph;
    for (Pass pass : STANDARD) {
      result = pass.apply(result);
    }
    return result;
  }

  /**
   * A graph after the standard passes whose products of 8-bit integers are products of whole f32
   * numbers, as kernels for floats compute them. Inputs and outputs are the same.
   */
  public static Graph onWholeNumbers(Graph graph) {
    return new WholeNumbers().apply(graph);
  }

  /**
   * A graph after the standard passes in which each mixture of experts is one node that computes
   * the experts a token has chosen, instead of layers that compute all. Inputs and outputs are the
   * same.
   */
  public static Graph onChosenExperts(Graph graph) {
    return new FuseExperts().apply(graph);
  }

  /**
   * Refuses a graph with a node whose operator is not known.
   *
   * @throws dev.filigree.UnsupportedException if a node's operator is not known
   * @throws dev.filigree.GraphException if a node lacks an input or output that its operator needs
   */
  public static void requireKnown(Graph graph) {
    for (Node node : new LowerVendorOperators().apply(graph).nodes()) {
      Operators.find(node);
      node.bodies().values().forEach(Passes::requireKnown);
    }
  }
}
