package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.RootMeanSquare;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.kernel.shape.Slice;
import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.RoundedKernel;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Which operations have a kernel of the set in use, and how a plan runs them with it. */
final class PanelRules {
  private static final Map<String, Activation> ACTIVATIONS =
      Map.of(
          "Gelu", Activation.GELU,
          "GeluTanh", Activation.GELU_TANH,
          "Silu", Activation.SILU,
          "Relu", Activation.RELU,
          "Tanh", Activation.TANH,
          "Sigmoid", Activation.SIGMOID);

  private final Planner planner;
  private final Kernels kernels;
  private final AttentionRules attention;
  private final ExpertRules experts;
  private final SoftmaxRules softmax;
  private final Map<String, Encoded> encoded = new HashMap<>();

  PanelRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
    this.attention = new AttentionRules(planner);
    this.experts = new ExpertRules(planner, this);
    this.softmax = new SoftmaxRules(planner);
  }

  /** Plans a node; false if it has no such kernel. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case Linear.TYPE -> linear(node);
      case Attention.TYPE -> node.isFused(Attention.TYPE) && attention.attend(node);
      case Rotary.TYPE -> attention.rotate(node);
      case Embedding.TYPE -> embedding(node);
      case Experts.TYPE -> node.isFused(Experts.TYPE) && experts.plan(node);
      case "LayerNormalization" -> layerNormalization(node);
      case "Softmax", "LogSoftmax" -> softmax.plan(node);
      case RootMeanSquare.TYPE -> node.isFused(RootMeanSquare.TYPE) && rootMeanSquare(node);
      case "MatMul" -> product(node);
      case "Slice", "Split" -> parts(node);
      // ONNX's own Gelu is left where it is approximated by a tanh
      default -> ACTIVATIONS.containsKey(node.type()) && !node.is("Gelu") && activate(node);
    };
  }

  private boolean linear(Node node) {
    String x = node.inputs().getFirst();
    Optional<Weights> weights = weights(node.inputs().get(Linear.WEIGHTS));
    if (!planner.isMatrix(x) || weights.isEmpty()) {
      return false;
    }
    LinearLayers.Use use =
        Linear.isDynamic(node)
            ? LinearLayers.Use.INTEGERS
            : Linear.isExact(node) ? LinearLayers.Use.EXACT_VALUES : LinearLayers.Use.VALUES;
    Picked picked = pick(node.name(), weights.get(), use, planner.tokens(x));
    planner.add(
        switch (picked.kernel) {
          case LinearKernel kernel -> exact(node, kernel, weights.get());
          case RoundedKernel kernel -> rounded(node, kernel);
        });
    planner.explain(picked.layer);
    return true;
  }

  /** The kernel of a layer, and the layer as it is explained. */
  record Picked(PackedLinear kernel, LayerPlan layer) {}

  /** Packs a layer for the kernel that multiplies so many tokens best. */
  Picked pick(String name, Weights weights, LinearLayers.Use use, int tokens) {
    LinearLayers layers = planner.linearLayers();
    LinearLayers.Layer layer = new LinearLayers.Layer(weights, use);
    LinearLayers.Choice choice = layers.choose(layer, tokens);
    PackedLinear packed = layers.kernel(layer, choice.option());
    planner.use(packed, layer, tokens);
    return new Picked(
        packed,
        new LayerPlan(
            name,
            Linear.TYPE,
            weights.format(),
            choice.kernel(),
            choice.reason(),
            weights.bytes(),
            choice.candidates()));
  }

  private Step exact(Node node, LinearKernel kernel, Weights weights) {
    String x = node.inputs().getFirst();
    boolean dynamic = Linear.isDynamic(node);
    Encoded integers = dynamic ? quantized(x, null) : null;
    Slot in = dynamic ? integers.codes : planner.use(x, Layout.PANELS);
    Slot residual = residual(node);
    Slot out = planner.define(node.output(), Layout.PANELS);
    LinearStep.Scales scales =
        dynamic ? new LinearStep.Scales(integers.scale, scales(weights)) : null;
    return new LinearStep(
        kernels, kernel, in, out, residual, bias(node), scales, Linear.activation(node));
  }

  private Step rounded(Node node, RoundedKernel kernel) {
    String x = node.inputs().getFirst();
    Encoded codes =
        Linear.isDynamic(node)
            ? quantized(x, (ActivationCode.Integers) kernel.code())
            : encoded(x, kernel.code());
    Slot residual = residual(node);
    Slot out = planner.define(node.output(), Layout.PANELS);
    return new RoundedStep(kernel, codes.codes, out, residual, bias(node), Linear.activation(node));
  }

  private Slot residual(Node node) {
    return node.input(Linear.RESIDUAL).map(name -> planner.use(name, Layout.PANELS)).orElse(null);
  }

  private float[] bias(Node node) {
    return node.input(Linear.BIAS)
        .map(name -> planner.constant(name).orElseThrow().toFloats())
        .orElse(null);
  }

  /**
   * A value in another form, made once for all layers that read it.
   *
   * @param scale of a value quantised as a whole, or null
   */
  private record Encoded(Slot codes, Slot scale) {}

  /** A value in the code of some kernels, for the step that is added next. */
  Slot encode(String x, ActivationCode code) {
    return encoded(x, code).codes;
  }

  /** A value in the code of some kernels. */
  private Encoded encoded(String x, ActivationCode code) {
    return shared(
        code.name() + " " + x,
        () -> {
          Slot exact = planner.use(x, Layout.PANELS);
          Slot codes = planner.place(code.bytes(exact.panels(), exact.features()), exact.panels());
          planner.add(new EncodeStep(code, exact, codes));
          return new Encoded(codes, null);
        });
  }

  /**
   * A value as integers over the range of all of it.
   *
   * @param code of the kernel that reads it, or null for whole f32 numbers
   */
  private Encoded quantized(String x, ActivationCode.Integers code) {
    return shared(
        (code == null ? "whole " : "whole " + code.name() + " ") + x,
        () -> {
          Slot exact = planner.use(x, Layout.PANELS);
          Slot scale = planner.place(ValueType.of(DType.F32, List.of()), Layout.ROWS);
          Slot codes =
              code == null
                  ? planner.place(planner.type(x), Layout.PANELS)
                  : planner.place(code.bytes(exact.panels(), exact.features()), exact.panels());
          planner.add(new QuantizeStep(kernels, code, exact, codes, scale));
          return new Encoded(codes, scale);
        });
  }

  private Encoded shared(String key, Supplier<Encoded> make) {
    Encoded known = encoded.get(key);
    if (known == null) {
      known = make.get();
      encoded.put(key, known);
    }
    planner.use(known.codes);
    if (known.scale != null) {
      planner.use(known.scale);
    }
    return known;
  }

  /** What a whole number among the weights stands for, for each output. */
  private static float[] scales(Weights weights) {
    float[] scales = new float[weights.rows()];
    for (int row = 0; row < scales.length; row++) {
      scales[row] = weights instanceof Quantized integers ? integers.values().scale(row) : 1;
    }
    return scales;
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
    if (!planner.isMatrix(x)
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
    planner.explain(node, Layout.PANELS, "statistics along features, vectors along tokens");
    return true;
  }

  private boolean rootMeanSquare(Node node) {
    String x = node.inputs().getFirst();
    Optional<Tensor> scale = planner.constant(node.inputs().get(1));
    if (!planner.isMatrix(x) || !isVector(scale, x)) {
      return false;
    }
    Slot in = planner.use(x, Layout.PANELS);
    Slot out = planner.define(node.output(), Layout.PANELS);
    planner.add(
        new DecoderSteps.RootMeanSquare(
            in, out, scale.get().toFloats(), RootMeanSquare.epsilon(node)));
    planner.explain(node, Layout.PANELS, "token by token");
    return true;
  }

  /** A product of two matrices that are both made while the network runs. */
  private boolean product(Node node) {
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    boolean fits =
        planner.isMatrix(a)
            && planner.isMatrix(b)
            && planner.type(a).rank() > 1
            && planner.type(b).rank() > 1
            && planner.type(node.output()).shape().elements() <= Integer.MAX_VALUE;
    if (!fits) {
      return false;
    }
    Slot left = planner.use(a, Layout.ROWS);
    Slot right = planner.use(b, Layout.ROWS);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(new ProductStep(kernels, left, right, out));
    planner.explain(node, Layout.ROWS, "both operands as they are");
    return true;
  }

  /** Stretches of the features of a value in panels, where they lie one after the other. */
  private boolean parts(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isMatrix(x) || !planner.isInPanels(x) || planner.type(x).rank() < 2) {
      return false;
    }
    if (node.outputs().stream().anyMatch(String::isEmpty)) {
      return false;
    }
    int last = planner.type(x).rank() - 1;
    int start = 0;
    if (node.is("Slice")) {
      List<Slice.Range> ranges = Slice.ranges(node, planner.known(node));
      if (ranges.size() != 1 || ranges.getFirst().axis() != last || ranges.getFirst().step() != 1) {
        return false;
      }
      start = (int) ranges.getFirst().start();
    } else if (Math.floorMod(node.intAttribute("axis", 0), last + 1) != last) {
      return false;
    }
    for (String output : node.outputs()) {
      Slot in = planner.use(x, Layout.PANELS);
      Slot out = planner.define(output, Layout.PANELS);
      planner.add(new PanelSteps.Part(in, out, start));
      start += (int) planner.type(output).shape().extent(-1);
    }
    planner.explain(node, Layout.PANELS, "stretches of features copied");
    return true;
  }

  private boolean activate(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isMatrix(x) || planner.constant(x).isPresent()) {
      return false;
    }
    Layout layout = planner.isInPanels(x) ? Layout.PANELS : Layout.ROWS;
    Slot in = planner.use(x, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Activate(kernels, ACTIVATIONS.get(node.type()), in, out));
    planner.explain(node, layout, "element by element");
    return true;
  }

  private boolean isVector(Optional<Tensor> tensor, String x) {
    return tensor
        .filter(t -> t.dtype().isFloating() && t.shape().rank() == 1)
        .filter(t -> t.elements() == planner.type(x).shape().extent(-1))
        .isPresent();
  }

  /** A constant matrix as weights. */
  Optional<Weights> weights(String value) {
    return switch (planner.graph().constants().get(value)) {
      case Constant.Compressed(Weights weights, boolean transposed) ->
          transposed ? Optional.empty() : Optional.of(weights);
      case Constant.Plain(Tensor tensor) ->
          tensor.shape().rank() == 2 && tensor.dtype().isFloating()
              ? Optional.of(new Dense(tensor))
              : Optional.empty();
      case Constant.Windowed window -> Optional.empty();
      case null -> Optional.empty();
    };
  }
}
