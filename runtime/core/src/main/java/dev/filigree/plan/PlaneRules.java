package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.image.Resize;
import dev.filigree.kernel.image.Taps;
import java.util.Optional;

/** Operations between convolutions that go over whole planes, and how a plan runs them. */
final class PlaneRules {
  /** Axes of a volume. */
  private static final int MAX_RESAMPLED = 3;

  private static final float[] ZERO = {0};

  private static final float[] ONE = {1};

  private final Planner planner;

  PlaneRules(Planner planner) {
    this.planner = planner;
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case "Mul", "Add" -> affine(node);
      case "GlobalAveragePool" -> mean(node);
      case "Resize", "Upsample" -> repeat(node) || repeatCodes(node) || resample(node);
      case "DepthToSpace" -> interleave(node);
      default -> false;
    };
  }

  /** Whether a value is f32 planes in row-major order. */
  private boolean isImage(String value, int leastRank) {
    ValueType type = planner.type(value);
    return type.dtype() == DType.F32
        && type.rank() >= leastRank
        && type.shape().elements() > 0
        && type.shape().elements() <= Integer.MAX_VALUE
        && planner.constant(value).isEmpty()
        && !planner.isInPanels(value);
  }

  private boolean affine(Node node) {
    if (!node.is("Mul") && !node.is("Add") || node.inputs().size() != 2) {
      return false;
    }
    String left = node.inputs().get(0);
    String right = node.inputs().get(1);
    return affine(node, left, right) || affine(node, right, left);
  }

  private boolean affine(Node node, String image, String numbers) {
    if (!isImage(image, 3)
        || !planner.type(image).dims().equals(planner.type(node.output()).dims())
        || planner.type(numbers).dtype() != DType.F32) {
      return false;
    }
    Optional<Tensor> constant = planner.constant(numbers);
    int rank = planner.type(image).rank();
    long channels = planner.type(image).shape().extent(1);
    long batch = planner.type(image).shape().extent(0);
    ValueType other = planner.type(numbers);
    int missing = rank - other.rank();
    long elements = other.shape().elements();
    boolean one = elements == 1 && other.rank() <= rank;
    boolean byChannel =
        elements == channels && missing <= 1 && other.shape().extent(1 - missing) == channels;
    boolean byPlane =
        missing == 0
            && elements == batch * channels
            && other.shape().extent(0) == batch
            && other.shape().extent(1) == channels;
    if (!one && !byChannel && (constant.isPresent() || !byPlane || planner.isInPanels(numbers))) {
      return false;
    }
    Slot x = planner.use(image, Layout.ROWS);
    Slot of = constant.isPresent() ? null : planner.use(numbers, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    float[] values = constant.map(Tensor::toFloats).orElse(null);
    boolean product = node.is("Mul");
    planner.add(
        new PlaneSteps.Affine(
            planner.linearLayers().kernels(),
            x,
            y,
            product ? values : ONE,
            product ? ZERO : values,
            of,
            product));
    planner.explain(
        node,
        Layout.ROWS,
        constant.isPresent() ? "constants by plane" : byPlane ? "one number a plane" : "by plane");
    return true;
  }

  private boolean mean(Node node) {
    String input = node.inputs().getFirst();
    if (!node.is("GlobalAveragePool") || !isImage(input, 3)) {
      return false;
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new PlaneSteps.Mean(x, y));
    planner.explain(node, Layout.ROWS, "plane by plane");
    return true;
  }

  private boolean repeat(Node node) {
    String input = node.inputs().getFirst();
    if (!node.domain().equals(Node.ONNX) || !isImage(input, 4) || !takesNearest(node)) {
      return false;
    }
    ValueType from = planner.type(input);
    ValueType to = planner.type(node.output());
    if (from.rank() != 4 || to.rank() != 4) {
      return false;
    }
    long[] in = from.shape().extents();
    long[] out = to.shape().extents();
    boolean whole =
        in[0] == out[0] && in[1] == out[1] && out[2] % in[2] == 0 && out[3] % in[3] == 0;
    if (!whole || !isBy(node, (double) out[2] / in[2], (double) out[3] / in[3])) {
      return false;
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new PlaneSteps.Repeat(x, y, (int) (out[2] / in[2]), (int) (out[3] / in[3])));
    planner.explain(node, Layout.ROWS, "each pixel repeated");
    return true;
  }

  /** The same for values that are no floats, such as codes, along any axes. */
  private boolean repeatCodes(Node node) {
    String input = node.inputs().getFirst();
    if (planner.type(input).dtype() == DType.F32
        || !planner.isMade(input)
        || !planner.isMade(node.output())
        || !(Operators.find(node) instanceof Resize resize)) {
      return false;
    }
    Shape from = planner.type(input).shape();
    Shape to = planner.type(node.output()).shape();
    Taps[] taps = resize.taps(node, planner.known(node), from, to);
    long[] own = from.strides();
    // an axis of the input, and one along which its elements repeat
    long[] extents = new long[2 * taps.length];
    long[] strides = new long[2 * taps.length];
    for (int axis = 0; axis < taps.length; axis++) {
      ResampleStep.Axis picked = ResampleStep.Axis.of(from.extent(axis), taps[axis]);
      if (picked == null || !picked.repeats()) {
        return false;
      }
      extents[2 * axis] = from.extent(axis);
      extents[2 * axis + 1] = to.extent(axis) / from.extent(axis);
      strides[2 * axis] = own[axis];
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new MoveStep(x, 0, strides, y.as(Shape.of(extents))));
    planner.explain(node, Layout.ROWS, "each element repeated");
    return true;
  }

  /** Any other way to resize up to three axes that come last. */
  private boolean resample(Node node) {
    String input = node.inputs().getFirst();
    if (!planner.isMadeOfFloats(input)
        || !planner.isMade(node.output())
        || !(Operators.find(node) instanceof Resize resize)) {
      return false;
    }
    Shape from = planner.type(input).shape();
    Shape to = planner.type(node.output()).shape();
    Taps[] taps = resize.taps(node, planner.known(node), from, to);
    ResampleStep.Axis[] axes = new ResampleStep.Axis[taps.length];
    int first = taps.length;
    for (int axis = taps.length - 1; axis >= 0; axis--) {
      axes[axis] = ResampleStep.Axis.of(from.extent(axis), taps[axis]);
      if (axes[axis] == null) {
        return false;
      }
      first = axes[axis].isSame() ? first : axis;
    }
    int left = taps.length - first;
    if (left > MAX_RESAMPLED || left == 0 || !hasFewElements(from) || !hasFewElements(to)) {
      return false;
    }
    int last = taps.length - 1;
    ResampleStep.Axis row = last == 0 ? ResampleStep.Axis.same(1) : axes[last - 1];
    int planes = Math.toIntExact(Elements.product(from, 0, Math.max(0, last - 1)));
    Slot x = planner.use(input, Layout.ROWS);
    if (left < MAX_RESAMPLED) {
      Slot y = planner.define(node.output(), Layout.ROWS);
      planner.add(new ResampleStep(x, y, planes, row, axes[last]));
    } else {
      // rows and columns of each slice, then the slices
      long[] between = to.extents();
      between[first] = from.extent(first);
      Slot slices = planner.place(ValueType.of(DType.F32, Shape.of(between)), Layout.ROWS);
      planner.add(new ResampleStep(x, slices, planes, row, axes[last]));
      planner.use(slices);
      Slot y = planner.define(node.output(), Layout.ROWS);
      int volumes = Math.toIntExact(Elements.product(from, 0, first));
      int pixels = Math.toIntExact(to.extent(last - 1) * to.extent(last));
      ResampleStep.Axis kept = ResampleStep.Axis.same(pixels);
      planner.add(new ResampleStep(slices, y, volumes, axes[first], kept));
    }
    planner.explain(node, Layout.ROWS, "row by row, each resampled across once");
    return true;
  }

  private static boolean hasFewElements(Shape shape) {
    return shape.elements() <= Integer.MAX_VALUE;
  }

  /** Whether the node's own scales are those of its shapes: 2.3 times 2 pixels are 4 as well. */
  private boolean isBy(Node node, double down, double across) {
    if (node.attributes().containsKey("axes")) {
      return false;
    }
    boolean early = node.is("Upsample") || planner.graph().opset() < 11;
    if (!early && node.input(3).isPresent()) {
      return true;
    }
    return node.input(early ? 1 : 2)
        .flatMap(planner::constant)
        .filter(
            scales ->
                scales.elements() == 4
                    && scales.getDouble(2) == down
                    && scales.getDouble(3) == across)
        .isPresent();
  }

  /** Whether a pixel becomes a block of itself when the size is multiplied by a whole number. */
  private boolean takesNearest(Node node) {
    if (!node.textAttribute("mode", "nearest").equals("nearest")) {
      return false;
    }
    // before opset 11 there was one way to round
    if (node.is("Upsample") || planner.graph().opset() < 11) {
      return true;
    }
    String place = node.textAttribute("coordinate_transformation_mode", "half_pixel");
    String rounding = node.textAttribute("nearest_mode", "round_prefer_floor");
    return place.equals("asymmetric")
        ? rounding.equals("floor")
        : (place.equals("half_pixel") || place.equals("pytorch_half_pixel"))
            && rounding.startsWith("round_prefer");
  }

  private boolean interleave(Node node) {
    String input = node.inputs().getFirst();
    boolean beside =
        node.is("DepthToSpace")
            && node.textAttribute("mode", "DCR").equals("CRD")
            && isImage(input, 4);
    if (!beside) {
      return false;
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new PlaneSteps.Interleave(x, y, (int) node.intAttribute("blocksize", 1)));
    planner.explain(node, Layout.ROWS, "rows of pixels put beside each other");
    return true;
  }
}
