package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.Window;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Which operations on images have a fast form, and how a plan runs them. */
final class ImageRules {
  /** Pixels that a convolution multiplies at a time, which is what its kernels are chosen for. */
  private static final int PIXELS = 2 * Panels.FULL;

  /** Time of a convolution by tiles, over the direct product's, from which on it is taken. */
  private static final double FASTER = 0.9;

  private final Planner planner;
  private final Kernels kernels;

  ImageRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    if (node.isFused(Convolution.TYPE)) {
      return convolution(node);
    }
    if (node.is("HardSwish")) {
      return hardSwish(node);
    }
    if (node.is("MaxPool")) {
      return node.outputs().stream().skip(1).allMatch(String::isEmpty) && pool(node, true);
    }
    return node.is("AveragePool") && pool(node, false);
  }

  private boolean hardSwish(Node node) {
    String input = node.inputs().getFirst();
    ValueType x = planner.type(input);
    if (x.dtype() != DType.F32
        || planner.isInPanels(input)
        || planner.constant(input).isPresent()) {
      return false;
    }
    Slot from = planner.use(input, Layout.ROWS);
    Slot to = planner.define(node.output(), Layout.ROWS);
    planner.add(new PanelSteps.Activate(kernels, Activation.HARD_SWISH, from, to));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            planner.type(node.output()).toString(),
            kernels.name(),
            "element by element",
            0,
            List.of()));
    return true;
  }

  private boolean convolution(Node node) {
    String input = node.inputs().getFirst();
    ValueType x = planner.type(input);
    if (!(planner.graph().constants().get(node.inputs().get(Convolution.WEIGHTS))
            instanceof Constant.Compressed(Weights weights, boolean transposed))
        || !isImage(x)
        || !isImage(planner.type(node.output()))) {
      return false;
    }
    long group = Conv.group(node);
    Sliding window = Sliding.of(Window.of(node, Window.kernel(node, x), x), x.shape());
    float[] bias =
        node.input(Convolution.BIAS)
            .map(name -> planner.constant(name).orElseThrow().toFloats())
            .orElse(null);
    if (group == 1) {
      if (!byTiles(node, window, weights, bias)) {
        product(node, window, List.of(weights), weights, bias);
      }
      return true;
    }
    if (group == x.shape().extent(1) && WindowStep.fits(window)) {
      float[] taps = new float[Math.multiplyExact(weights.rows(), weights.columns())];
      for (int row = 0; row < weights.rows(); row++) {
        weights.unpackRow(row, taps, row * weights.columns());
      }
      Activation activation = Convolution.activation(node);
      String reason = "filters of one channel cannot be packed";
      slide(node, window, taps, false, bias, null, activation, reason);
      return true;
    }
    product(node, window, planner.linearLayers().groups(weights, (int) group), weights, bias);
    return true;
  }

  /**
   * Plans a convolution by {@link Winograd}'s tiles; false if it has no such form, or a slower one.
   */
  private boolean byTiles(Node node, Sliding window, Weights weights, float[] bias) {
    LinearLayers layers = planner.linearLayers();
    LinearLayers.Layer layer = new LinearLayers.Layer(weights, LinearLayers.Use.EXACT_VALUES);
    int tokens = tokens(planner.type(node.inputs().getFirst()).shape(), window);
    LinearLayers.Choice choice = layers.choose(layer, tokens);
    boolean stuck = choice.option() >= layers.options(layer).size();
    if (stuck || !Winograd.fits(weights, window)) {
      return false;
    }
    double time = Winograd.overDirect(weights, window, kernels.lanes()) / overLast(choice);
    if (time > FASTER) {
      return false;
    }
    Sliding tiles = Winograd.tiles(window);
    Slot phases = phases(tiles, planner.use(node.inputs().getFirst(), Layout.ROWS));
    Slot residual = residual(node);
    Slot y = planner.define(node.output(), Layout.ROWS);
    List<LinearKernel> products = layers.transformed(weights);
    products.forEach(product -> planner.use(product, layer, tokens));
    planner.add(
        new WinogradStep(
            kernels,
            products,
            tiles.byPhases(),
            window.outHeight(),
            window.outWidth(),
            phases,
            y,
            residual,
            bias,
            Convolution.activation(node)));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.format(),
            "winograd",
            String.format(
                Locale.ROOT,
                "16 multiplications for the 36 of four pixels, dense; predicted %.2f of %s",
                time,
                choice.kernel()),
            products.stream().mapToLong(LinearKernel::bytes).sum(),
            choice.candidates()));
    return true;
  }

  /** The predicted or measured time of a choice over that of the dense product, the last option. */
  private static double overLast(LinearLayers.Choice choice) {
    LayerPlan.Candidate own = choice.candidates().get(choice.option());
    LayerPlan.Candidate dense = choice.candidates().getLast();
    return Double.isNaN(own.measuredMicros())
        ? own.predictedMicros() / dense.predictedMicros()
        : own.measuredMicros() / dense.measuredMicros();
  }

  private static int tokens(Shape x, Sliding window) {
    return (int) Math.min(PIXELS, x.extent(0) * window.outPixels());
  }

  /** Divides planes by the strides of a window. */
  private Slot phases(Sliding window, Slot x) {
    ValueType apart =
        ValueType.of(
            DType.F32,
            Shape.of(x.shape().extent(0), x.shape().extent(1), window.byPhases().inPixels()));
    Slot y = planner.place(apart, Layout.ROWS);
    planner.add(new PhaseStep(kernels, window, x, y));
    planner.use(y);
    return y;
  }

  /** Plans the products of all groups, which differ in their weights alone. */
  private void product(
      Node node, Sliding window, List<Weights> groups, Weights weights, float[] bias) {
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS);
    if (window.strides()[1] > 1 && PhaseStep.fits(window)) {
      x = phases(window, x);
      window = window.byPhases();
    }
    Slot residual = residual(node);
    int tokens = tokens(x.shape(), window);
    LinearLayers layers = planner.linearLayers();
    Slot y = planner.define(node.output(), Layout.ROWS);
    List<ConvolutionStep> steps = new ArrayList<>();
    LinearLayers.Choice choice = null;
    for (int group = 0; group < groups.size(); group++) {
      LinearLayers.Layer layer =
          new LinearLayers.Layer(groups.get(group), LinearLayers.Use.EXACT_VALUES);
      choice = layers.choose(layer, tokens);
      LinearKernel kernel = (LinearKernel) layers.kernel(layer, choice.option());
      planner.use(kernel, layer, tokens);
      int rows = kernel.rows();
      float[] own =
          bias == null ? null : Arrays.copyOfRange(bias, group * rows, (group + 1) * rows);
      steps.add(
          new ConvolutionStep(
              kernels,
              kernel,
              window,
              x,
              y,
              residual,
              own,
              Convolution.activation(node),
              group,
              groups.size()));
    }
    planner.add(groups.size() == 1 ? steps.getFirst() : new GroupedConvolutionStep(steps));
    int channels = weights.columns() / window.taps();
    String packing =
        groups.size() > 1
            ? "patches in cache, a product for each of " + groups.size() + " groups, dense"
            : channels % Sparse24.GROUP == 0
                ? "patches in cache"
                : "patches in cache; "
                    + channels
                    + " channels make no groups of 4, so it stays dense";
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            weights.format(),
            choice.kernel(),
            choice.reason() + "; " + packing,
            weights.bytes(),
            choice.candidates()));
  }

  /** What a convolution adds to its results, or null; pools have no such input. */
  private Slot residual(Node node) {
    return node.input(Convolution.RESIDUAL)
        .map(name -> planner.use(name, Layout.ROWS))
        .orElse(null);
  }

  private boolean pool(Node node, boolean largest) {
    ValueType x = planner.type(node.inputs().getFirst());
    if (isVolume(x) && isVolume(planner.type(node.output()))) {
      return volumes(node, largest);
    }
    if (!isImage(x) || !isImage(planner.type(node.output()))) {
      return false;
    }
    Window geometry = Window.of(node, Window.kernel(node, x), x);
    Sliding window = Sliding.of(geometry, x.shape());
    boolean even = largest || isEven(node, geometry, x);
    if (!WindowStep.fits(window) || !even && node.intAttribute("count_include_pad", 0) != 0) {
      return false;
    }
    float[] weights = null;
    if (!largest) {
      weights = new float[(int) geometry.size()];
      Arrays.fill(weights, even ? 1f / weights.length : 1);
    }
    float[] divisors = even ? null : window.pixelsUnderTaps();
    slide(
        node,
        window,
        weights,
        true,
        null,
        divisors,
        Activation.NONE,
        "rows of pixels under each tap");
    return true;
  }

  /** A pool of volumes: of the rows and columns of each slice, then of the slices. */
  private boolean volumes(Node node, boolean largest) {
    ValueType type = planner.type(node.inputs().getFirst());
    Window window = Window.of(node, Window.kernel(node, type), type);
    if (!largest && !isEven(node, window, type)) {
      return false;
    }
    Shape from = type.shape();
    Shape to = planner.type(node.output()).shape();
    long volumes = from.extent(0) * from.extent(1);
    Shape slices = Shape.of(volumes, from.extent(2), from.extent(3), from.extent(4));
    Shape between = Shape.of(volumes, from.extent(2), to.extent(3), to.extent(4));
    long pixels = to.extent(3) * to.extent(4);
    Sliding within = Sliding.of(window.part(1, 3), slices);
    Shape stacked = Shape.of(volumes, 1, from.extent(2), pixels);
    Sliding through = Sliding.of(window.part(0, 1).beside(pixels), stacked);
    if (!WindowStep.fits(within)
        || !WindowStep.fits(through)
        || between.elements() > Integer.MAX_VALUE) {
      return false;
    }
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS).as(slices);
    Slot apart = planner.place(ValueType.of(DType.F32, between), Layout.ROWS);
    planner.add(pool(within, x, apart, largest));
    planner.use(apart);
    Slot y = planner.define(node.output(), Layout.ROWS);
    Shape result = Shape.of(volumes, 1, to.extent(2), pixels);
    planner.add(pool(through, apart.as(stacked), y.as(result), largest));
    planner.explain(node, Layout.ROWS, "slice by slice, then along slices");
    return true;
  }

  private WindowStep pool(Sliding window, Slot x, Slot y, boolean largest) {
    float[] weights = null;
    if (!largest) {
      weights = new float[window.taps()];
      Arrays.fill(weights, 1f / weights.length);
    }
    return new WindowStep(kernels, window, x, y, weights, true, null, null, null, Activation.NONE);
  }

  /** Whether each mean is over the same number of elements. */
  private static boolean isEven(Node node, Window window, ValueType x) {
    boolean counted = node.intAttribute("count_include_pad", 0) != 0;
    for (int axis = 0; axis < window.rank(); axis++) {
      long reach =
          window.start(axis, window.outputs()[axis] - 1)
              + (window.kernel()[axis] - 1) * window.dilations()[axis];
      boolean within = reach < x.shape().extent(axis + 2);
      boolean ceiled = node.intAttribute("ceil_mode", 0) != 0;
      if (!within && (!counted || ceiled) || window.before()[axis] > 0 && !counted) {
        return false;
      }
    }
    return true;
  }

  private void slide(
      Node node,
      Sliding window,
      float[] weights,
      boolean shared,
      float[] bias,
      float[] divisors,
      Activation activation,
      String reason) {
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS);
    Slot residual = residual(node);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(
        new WindowStep(
            kernels, window, x, y, weights, shared, bias, residual, divisors, activation));
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            planner.type(node.output()).toString(),
            kernels.name(),
            reason,
            0,
            List.of()));
  }

  /** Whether a value is f32 planes of one or two axes that are not empty. */
  private static boolean isImage(ValueType type) {
    return (type.rank() == 3 || type.rank() == 4) && isNumbered(type);
  }

  /** Whether a value is f32 volumes that are not empty. */
  private static boolean isVolume(ValueType type) {
    return type.rank() == 5 && isNumbered(type);
  }

  private static boolean isNumbered(ValueType type) {
    return type.dtype() == DType.F32
        && type.shape().elements() > 0
        && type.shape().elements() <= Integer.MAX_VALUE;
  }
}
