package dev.filigree.plan;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import java.util.Optional;

/** Operations on f32 elements that no rule for layers, images or codes has taken. */
final class ElementRules {
  /** Where the bounds of a Clip became inputs. */
  private static final int BOUNDS_BECAME_INPUTS = 11;

  private final Planner planner;
  private final Kernels kernels;

  ElementRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    if (node.is("Clip")) {
      return clip(node);
    }
    if (node.is("HardSigmoid")) {
      float alpha = node.floatAttribute("alpha", 0.2f);
      return clamp(node, node.inputs().getFirst(), alpha, node.floatAttribute("beta", 0.5f), 0, 1);
    }
    if (node.is("Max") || node.is("Min")) {
      return node.inputs().size() == 2 && (limit(node, 0, 1) || limit(node, 1, 0));
    }
    return node.is("Pow") && square(node);
  }

  /** The power of 2, which is a product: the double one, rounded, is that of floats. */
  private boolean square(Node node) {
    String x = node.inputs().get(0);
    String exponent = node.inputs().get(1);
    boolean two =
        planner
            .constant(exponent)
            .filter(tensor -> tensor.elements() == 1 && tensor.getDouble(0) == 2)
            .isPresent();
    if (!two
        || !planner.isMadeOfFloats(x)
        || planner.type(exponent).rank() > planner.type(x).rank()) {
      return false;
    }
    Layout layout = planner.isInPanels(x) ? Layout.PANELS : Layout.ROWS;
    Slot in = planner.use(x, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Combine(kernels, Arithmetic.MULTIPLY, in, in, out));
    planner.explain(node, layout, "times itself");
    return true;
  }

  /** The larger or smaller of each element and one constant. */
  private boolean limit(Node node, int elements, int limit) {
    Optional<Float> constant =
        planner
            .constant(node.inputs().get(limit))
            .filter(tensor -> tensor.elements() == 1)
            .map(tensor -> (float) tensor.getDouble(0))
            .filter(number -> !number.isNaN());
    String x = node.inputs().get(elements);
    if (constant.isEmpty()
        || planner.type(node.inputs().get(limit)).rank() > planner.type(x).rank()) {
      return false;
    }
    float low = node.is("Max") ? constant.get() : Float.NEGATIVE_INFINITY;
    float high = node.is("Max") ? Float.POSITIVE_INFINITY : constant.get();
    return clamp(node, x, 1, -0f, low, high);
  }

  private boolean clip(Node node) {
    Optional<Float> low = bound(node, 1, "min", Float.NEGATIVE_INFINITY);
    Optional<Float> high = bound(node, 2, "max", Float.POSITIVE_INFINITY);
    // a shift of -0 leaves the sign of a zero
    return low.isPresent()
        && high.isPresent()
        && clamp(node, node.inputs().getFirst(), 1, -0f, low.get(), high.get());
  }

  /** A bound of a Clip; nothing if only a run knows it. */
  private Optional<Float> bound(Node node, int input, String attribute, float otherwise) {
    if (planner.graph().opset() < BOUNDS_BECAME_INPUTS) {
      return Optional.of(node.floatAttribute(attribute, otherwise));
    }
    return node.input(input).isEmpty()
        ? Optional.of(otherwise)
        : planner
            .constant(node.input(input).get())
            .filter(tensor -> tensor.elements() == 1)
            .map((Tensor tensor) -> (float) tensor.getDouble(0));
  }

  private boolean clamp(Node node, String x, float factor, float shift, float low, float high) {
    if (!planner.isMadeOfFloats(x)) {
      return false;
    }
    Layout layout = planner.isInPanels(x) ? Layout.PANELS : Layout.ROWS;
    Slot in = planner.use(x, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Clamp(kernels, in, out, factor, shift, low, high));
    planner.explain(node, layout, "element by element");
    return true;
  }
}
