package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Which operations have a kernel of the set in use, and how a plan runs them with it. */
final class PanelRules {
  private static final Map<String, Activation> ACTIVATIONS =
      Map.of(
          "Gelu", Activation.GELU,
          "Relu", Activation.RELU,
          "Tanh", Activation.TANH,
          "Sigmoid", Activation.SIGMOID);

  private final Planner planner;
  private final Kernels kernels;
  private final Map<String, Quantized> quantized = new HashMap<>();

  PanelRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such kernel. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case Linear.TYPE -> linear(node);
      case Attention.TYPE -> attention(node);
      case Embedding.TYPE -> embedding(node);
      case "LayerNormalization" -> layerNormalization(node);
      case "Softmax" -> softmax(node);
      case "Add" -> add(node);
      default -> ACTIVATIONS.containsKey(node.type()) && activate(node);
    };
  }

  private boolean linear(Node node) {
    String x = node.inputs().getFirst();
    Optional<Weights> weights = weights(node.inputs().get(Linear.WEIGHTS));
    if (!isMatrix(x) || weights.isEmpty()) {
      return false;
    }
    boolean dynamic = Linear.isDynamic(node);
    Quantized integers = dynamic ? quantized(x) : null;
    Slot in = dynamic ? integers.codes : planner.use(x, Layout.PANELS);
    Slot residual = null;
    if (node.input(Linear.RESIDUAL).isPresent()) {
      residual = planner.use(node.inputs().get(Linear.RESIDUAL), Layout.PANELS);
    }
    float[] bias =
        node.input(Linear.BIAS)
            .map(name -> planner.constant(name).orElseThrow().toFloats())
            .orElse(null);
    int tokens = in.panels().tokens();
    LinearLayers layers = planner.linearLayers();
    Weights factors = dynamic ? layers.integers(weights.get()) : weights.get();
    LinearLayers.Choice choice = layers.choose(factors, tokens);
    LinearKernel kernel = layers.kernel(factors, choice.option());
    planner.use(kernel, factors, tokens);
    Slot out = planner.define(node.output(), Layout.PANELS);
    LinearStep.Scales scales =
        dynamic ? new LinearStep.Scales(integers.scale, scales(weights.get())) : null;
    planner.add(
        new LinearStep(kernels, kernel, in, out, residual, bias, scales, Linear.activation(node)));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.get().format(),
            choice.kernel(),
            choice.reason(),
            weights.get().bytes(),
            choice.candidates()));
    return true;
  }

  /** A value as integers, quantised once for all layers that read it. */
  private record Quantized(Slot codes, Slot scale) {}

  private Quantized quantized(String x) {
    Quantized known = quantized.get(x);
    if (known == null) {
      Slot exact = planner.use(x, Layout.PANELS);
      Slot scale = planner.place(ValueType.of(DType.F32, List.of()), Layout.ROWS);
      Slot codes = planner.place(planner.type(x), Layout.PANELS);
      planner.add(new QuantizeStep(kernels, exact, codes, scale));
      known = new Quantized(codes, scale);
      quantized.put(x, known);
    }
    planner.use(known.codes);
    planner.use(known.scale);
    return known;
  }

  /** What a whole number among the weights stands for, for each output. */
  private static float[] scales(Weights weights) {
    float[] scales = new float[weights.rows()];
    for (int row = 0; row < scales.length; row++) {
      scales[row] =
          weights instanceof dev.filigree.weights.Quantized integers
              ? integers.values().scale(row)
              : 1;
    }
    return scales;
  }

  private boolean attention(Node node) {
    for (int i = 0; i < 3; i++) {
      if (!isMatrix(node.inputs().get(i))) {
        return false;
      }
    }
    Slot q = planner.use(node.inputs().get(0), Layout.PANELS);
    Slot k = planner.use(node.inputs().get(1), Layout.PANELS);
    Slot v = planner.use(node.inputs().get(2), Layout.PANELS);
    Optional<Slot> mask = node.input(Attention.MASK).map(name -> planner.use(name, Layout.ROWS));
    Slot y = planner.define(node.output(), Layout.PANELS);
    int batch = (int) q.shape().extent(0);
    int heads = Attention.heads(node);
    int queries = (int) q.shape().extent(1);
    int keys = (int) k.shape().extent(1);
    long[] maskSteps =
        mask.map(slot -> Broadcast.strides(slot.shape(), Shape.of(batch, heads, queries, keys)))
            .orElse(new long[4]);
    Function<MemorySegment, AttentionCall> operands =
        memory ->
            new AttentionCall(
                memory,
                q.panels(),
                k.panels(),
                q.offset(),
                k.offset(),
                v.offset(),
                y.offset(),
                mask.map(Slot::offset).orElse(-1L),
                maskSteps,
                heads,
                q.features() / heads,
                queries,
                keys,
                Attention.scale(node),
                Attention.divisor(node));
    AttentionCall sizes = operands.apply(MemorySegment.NULL);
    planner.add(
        new PanelSteps.Attention(
            kernels,
            operands,
            batch,
            heads,
            kernels.attentionScratch(sizes),
            kernels.attentionBytes(sizes)));
    explain(node, Layout.PANELS, "each head in cache, " + heads + " heads");
    return true;
  }

  private boolean embedding(Node node) {
    List<Weights> tables = new ArrayList<>();
    List<Function<MemorySegment, Tensor>> indices = new ArrayList<>();
    long bytes = 0;
    for (int t = 0; t < Embedding.tables(node); t++) {
      Optional<Weights> table = weights(node.inputs().get(2 * t));
      if (table.isEmpty()) {
        return false;
      }
      tables.add(table.get());
      bytes += table.get().bytes();
      indices.add(planner.operand(node.inputs().get(2 * t + 1)));
    }
    Slot y = planner.define(node.output(), Layout.PANELS);
    planner.add(new EmbeddingStep(kernels, node, tables, indices, y));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            tables.getFirst().format(),
            kernels.name(),
            "rows read where the file has them, summed into panels",
            bytes,
            List.of()));
    return true;
  }

  private boolean layerNormalization(Node node) {
    String x = node.inputs().getFirst();
    Optional<Tensor> scale = planner.constant(node.inputs().get(1));
    Optional<Tensor> bias = node.input(2).flatMap(planner::constant);
    long axis = node.intAttribute("axis", -1);
    if (!isMatrix(x)
        || node.outputs().size() > 1
        || axis != -1 && axis != planner.type(x).rank() - 1
        || !isVector(scale, x)
        || node.input(2).isPresent() && !isVector(bias, x)) {
      return false;
    }
    Slot in = planner.use(x, Layout.PANELS);
    Slot out = planner.define(node.output(), Layout.PANELS);
    planner.add(
        new PanelSteps.LayerNormalization(
            kernels,
            in,
            out,
            scale.get().toFloats(),
            bias.map(Tensor::toFloats).orElse(null),
            node.floatAttribute("epsilon", 1e-5f)));
    explain(node, Layout.PANELS, "statistics along features, vectors along tokens");
    return true;
  }

  private boolean softmax(Node node) {
    String x = node.inputs().getFirst();
    if (!isMatrix(x)
        || Softmax.axis(node, planner.graph().opset(), planner.type(x).rank())
            != planner.type(x).rank() - 1) {
      return false;
    }
    Slot in = planner.use(x, Layout.ROWS);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(new PanelSteps.Softmax(kernels, in, out));
    explain(node, Layout.ROWS, "row by row");
    return true;
  }

  private boolean add(Node node) {
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    if (!isMatrix(a)
        || !isMatrix(b)
        || planner.constant(a).isPresent()
        || planner.constant(b).isPresent()
        || !planner.type(a).dims().equals(planner.type(b).dims())) {
      return false;
    }
    Layout layout = planner.isInPanels(a) || planner.isInPanels(b) ? Layout.PANELS : Layout.ROWS;
    Slot left = planner.use(a, layout);
    Slot right = planner.use(b, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Add(kernels, left, right, out));
    explain(node, layout, "operands of one shape");
    return true;
  }

  private boolean activate(Node node) {
    String x = node.inputs().getFirst();
    if (!isMatrix(x) || planner.constant(x).isPresent()) {
      return false;
    }
    Layout layout = planner.isInPanels(x) ? Layout.PANELS : Layout.ROWS;
    Slot in = planner.use(x, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Activate(kernels, ACTIVATIONS.get(node.type()), in, out));
    explain(node, layout, "element by element");
    return true;
  }

  private void explain(Node node, Layout layout, String reason) {
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            planner.type(node.output()) + (layout == Layout.PANELS ? " in panels" : ""),
            kernels.name(),
            reason,
            0,
            List.of()));
  }

  /** Whether a value is an f32 tensor that can be seen as tokens by features. */
  private boolean isMatrix(String value) {
    ValueType type = planner.type(value);
    return type.dtype() == DType.F32 && type.rank() > 0 && type.shape().elements() > 0;
  }

  private boolean isVector(Optional<Tensor> tensor, String x) {
    return tensor
        .filter(t -> t.dtype().isFloating() && t.shape().rank() == 1)
        .filter(t -> t.elements() == planner.type(x).shape().extent(-1))
        .isPresent();
  }

  /** A constant matrix as weights. */
  private Optional<Weights> weights(String value) {
    return switch (planner.graph().constants().get(value)) {
      case Constant.Compressed(Weights weights, boolean transposed) ->
          transposed ? Optional.empty() : Optional.of(weights);
      case Constant.Plain(Tensor tensor) ->
          tensor.shape().rank() == 2 && tensor.dtype().isFloating()
              ? Optional.of(new Dense(tensor))
              : Optional.empty();
      case null -> Optional.empty();
    };
  }
}
