package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.Optional;

/** Operations between convolutions that go over whole planes, and how a plan runs them. */
final class PlaneRules {
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
      case "Resize", "Upsample" -> repeat(node);
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
