package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How a plan runs mixtures of experts. */
final class ExpertRules {
  /** Tokens of a round: a few panels, so that what experts make stays near the processor. */
  private static final int ROUND = 2 * Panels.FULL;

  /** Tokens of a unit at least: the weights are read once for all of them. */
  private static final int LEAST = 8;

  private final Planner planner;
  private final PanelRules rules;
  private final Kernels kernels;

  ExpertRules(Planner planner, PanelRules rules) {
    this.planner = planner;
    this.rules = rules;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a mixture; false if its operands have no such form. */
  boolean plan(Node node) {
    String x = node.inputs().getFirst();
    String shares = node.inputs().get(Experts.SHARES);
    List<Experts.Layer> layers = Experts.layers(node);
    List<Weights> weights =
        layers.stream().flatMap(layer -> rules.weights(layer.weights()).stream()).toList();
    if (!planner.isMatrix(x) || !planner.isMatrix(shares) || weights.size() < layers.size()) {
      return false;
    }
    new Mixture(node, layers, weights).plan(x, shares);
    return true;
  }

  /** What is encoded and how; buffers are compared by identity. */
  private record Encoding(Buffer buffer, String code) {}

  /** A mixture while it is planned. */
  private final class Mixture {
    private final Node node;
    private final Experts.Form form;
    private final List<Experts.Layer> layers;
    private final List<Weights> weights;
    private final int tokens;
    private final int experts;
    private final int width;
    private final int capacity;
    private final Map<String, Slot> rooms = new HashMap<>();
    private final Map<Encoding, EncodeStep> codes = new HashMap<>();

    Mixture(Node node, List<Experts.Layer> layers, List<Weights> weights) {
      this.node = node;
      this.form = Experts.form(node);
      this.layers = layers;
      this.weights = weights;
      Shape shape = planner.type(node.inputs().getFirst()).shape();
      this.tokens = Math.toIntExact(shape.elements() / shape.extent(-1));
      this.experts = layers.size() / form.layers();
      int chosen = Math.clamp(Experts.chosen(node), 1, experts);
      this.width = width(chosen);
      long most = Math.min((long) experts * Math.ceilDiv(tokens, width), (long) chosen * tokens);
      this.capacity = isSingle() ? experts : Math.clamp(most, 1, ROUND / width);
    }

    /** A token alone is not moved, and every expert has memory of its own. */
    private boolean isSingle() {
      return tokens == 1;
    }

    /** As many tokens as an expert has on average, so that most fill one unit. */
    private int width(int chosen) {
      int mean = Math.toIntExact(Math.ceilDiv((long) tokens * chosen, experts));
      int least = Math.max(LEAST, kernels.lanes());
      return isSingle() ? 1 : Math.clamp(Integer.highestOneBit(2 * mean - 1), least, Panels.FULL);
    }

    void plan(String x, String shares) {
      Slot in = planner.use(x, Layout.PANELS);
      Slot factors = planner.use(shares, Layout.ROWS);
      Slot out = planner.define(node.output(), Layout.PANELS);
      Slot gathered = isSingle() ? null : room("x", in.features());
      Slot read = isSingle() ? in : gathered;
      List<EncodeStep> encoded = new ArrayList<>();
      List<ExpertsStep.Expert> all = new ArrayList<>();
      for (int e = 0; e < experts; e++) {
        all.add(expert(e, read, encoded));
      }
      planner.add(
          new ExpertsStep(
              kernels, form, in, factors, out, gathered, List.copyOf(encoded), all, capacity));
      planner.explain(
          node,
          Layout.PANELS,
          "of "
              + experts
              + " experts those that tokens chose, "
              + Experts.chosen(node)
              + " for each, up to "
              + width
              + (width == 1 ? " token" : " tokens")
              + " at a time");
    }

    private ExpertsStep.Expert expert(int expert, Slot read, List<EncodeStep> encoded) {
      int layer = expert * form.layers();
      int last = layer + form.layers() - 1;
      String own = isSingle() ? expert + "/" : "";
      Slot first = room(own + "first", weights.get(layer).rows());
      int inner = weights.get(last).columns();
      Slot second = form.gate() == Experts.Gate.NONE ? null : room(own + "second", inner);
      List<LinearWork> readers = new ArrayList<>();
      readers.add(layer(layer, read, first, form.activation(), encoded));
      if (form.gate() == Experts.Gate.LAYER) {
        readers.add(layer(layer + 1, read, second, Activation.NONE, encoded));
      }
      Slot middle = form.gate().isJoined() ? room(own + "inner", inner) : first;
      Slot out = room(own + "out", weights.get(last).rows());
      List<EncodeStep> code = new ArrayList<>();
      LinearWork end = layer(last, middle, out, Activation.NONE, code);
      return new ExpertsStep.Expert(
          List.copyOf(readers),
          first,
          second,
          middle,
          code.isEmpty() ? null : code.getFirst(),
          end,
          out);
    }

    /**
     * A layer.
     *
     * @param encoded receives how its input is encoded, if it is
     */
    private LinearWork layer(
        int layer, Slot x, Slot y, Activation activation, List<EncodeStep> encoded) {
      Experts.Layer own = layers.get(layer);
      float[] bias =
          own.bias().isEmpty() ? null : planner.constant(own.bias()).orElseThrow().toFloats();
      PanelRules.Picked picked =
          rules.pick(own.name(), weights.get(layer), LinearLayers.Use.VALUES, width);
      planner.explain(picked.layer());
      return switch (picked.kernel()) {
        case LinearKernel kernel ->
            new LinearStep(kernels, kernel, x, y, null, bias, null, activation);
        case RoundedKernel kernel -> {
          EncodeStep code = code(kernel.code(), x);
          if (!encoded.contains(code)) {
            encoded.add(code);
          }
          yield new RoundedStep(kernel, code.y(), y, null, bias, activation);
        }
      };
    }

    /** How a value is encoded, the same for all layers that read it so. */
    private EncodeStep code(ActivationCode code, Slot x) {
      return codes.computeIfAbsent(
          new Encoding(x.buffer(), code.name()),
          key -> {
            Panels panels = x.panels();
            return new EncodeStep(code, x, planner.room(code.bytes(panels, x.features()), panels));
          });
    }

    /** Memory for what an expert reads or makes, one for all that name it alike. */
    private Slot room(String name, int features) {
      return rooms.computeIfAbsent(
          name,
          key -> {
            Panels panels =
                isSingle() ? Panels.of(1, kernels.lanes()) : Panels.uniform(capacity, width);
            Buffer buffer = planner.room(panels.bytes(features), panels).buffer();
            Shape shape = Shape.of(panels.tokens(), features);
            return new Slot(DType.F32, shape, Layout.PANELS, panels, buffer);
          });
    }
  }
}
