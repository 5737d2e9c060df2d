package dev.filigree.plan;

import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.LastToken;

/** How a plan runs the operators of decoders. */
final class DecoderRules {
  private final Planner planner;
  private final KvCache cache;
  private final int longest;

  /**
   * Rules.
   *
   * @param cache of the decoder
   * @param longest tokens of a sequence at most
   */
  DecoderRules(Planner planner, KvCache cache, int longest) {
    this.planner = planner;
    this.cache = cache;
    this.longest = longest;
  }

  /** Plans a node; false if it is none of a decoder. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case Gated.TYPE -> gated(node);
      case LastToken.TYPE -> lastToken(node);
      case CachedAttention.TYPE -> attention(node);
      default -> false;
    };
  }

  private float[] vector(String name) {
    return planner.constant(name).orElseThrow().toFloats();
  }

  private boolean gated(Node node) {
    Slot gate = planner.use(node.inputs().get(0), Layout.PANELS);
    Slot x = planner.use(node.inputs().get(1), Layout.PANELS);
    Slot y = planner.define(node.output(), Layout.PANELS);
    planner.add(
        new DecoderSteps.Gated(
            planner.linearLayers().kernels(), Gated.activation(node), gate, x, y));
    planner.explain(node, Layout.PANELS, "element by element");
    return true;
  }

  private boolean lastToken(Node node) {
    Slot x = planner.use(node.inputs().getFirst(), Layout.PANELS);
    Slot y = planner.define(node.output(), Layout.PANELS);
    planner.add(new DecoderSteps.LastToken(x, y));
    planner.explain(node, Layout.PANELS, "the only one whose successor is asked for");
    return true;
  }

  private boolean attention(Node node) {
    Slot q = planner.use(node.inputs().get(0), Layout.PANELS);
    Slot k = planner.use(node.inputs().get(1), Layout.PANELS);
    Slot v = planner.use(node.inputs().get(2), Layout.PANELS);
    Slot y = planner.define(node.output(), Layout.PANELS);
    CachedAttention.Form form = CachedAttention.Form.of(node);
    boolean norms = node.input(CachedAttention.NORMS).isPresent();
    planner.add(
        new CachedAttentionStep(
            planner.linearLayers().kernels(),
            cache,
            form,
            q,
            k,
            v,
            y,
            norms ? vector(node.inputs().get(CachedAttention.NORMS)) : null,
            norms ? vector(node.inputs().get(CachedAttention.NORMS + 1)) : null,
            node.input(CachedAttention.SINKS).map(this::vector).orElse(null),
            longest));
    planner.explain(
        node,
        Layout.PANELS,
        form.heads()
            + " heads over "
            + form.keyHeads()
            + " of keys, cached in pages of "
            + KvCache.PAGE
            + " tokens"
            + (form.window() == 0 ? "" : ", over a window of " + form.window())
            + (form.sinks() ? ", with a sink each" : ""));
    return true;
  }
}
