package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import java.util.List;

/** The passes every model goes through when it is loaded, in their order. */
public final class Passes {
  private static final List<Pass> STANDARD =
      List.of(
          new InlineConstants(),
          new RemoveIdentities(),
          new QuantizedConstants(),
          new FoldConstants(),
          new RemoveDeadCode(),
          new FuseLayerNormalization(),
          new FuseGelu(),
          new FuseQuantizedLinear(),
          new FuseLinear(),
          new FuseAttention(),
          new FuseEmbedding(),
          new FuseEpilogue());

  private Passes() {}

  /** A graph as its file has it, made ready for planning. */
  public static Graph standard(Graph graph) {
    Graph result = graph;
    for (Pass pass : STANDARD) {
      result = pass.apply(result);
    }
    return result;
  }
}
