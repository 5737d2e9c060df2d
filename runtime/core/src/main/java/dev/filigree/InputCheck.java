package dev.filigree;

import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Holds what a caller passes against what a model declares: names, element types, extents, and axes
 * declared with the same symbol. Allocates nothing where all is well. Immutable, so threads may
 * share it.
 */
public final class InputCheck {
  private final List<ValueInfo> inputs;
  private final List<ValueInfo> outputs;
  private final List<Shared> shared;

  /**
   * A check.
   *
   * @param inputs as the model declares them
   * @param outputs as the model declares them
   */
  public InputCheck(List<ValueInfo> inputs, List<ValueInfo> outputs) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.shared = shared(inputs);
  }

  /**
   * Checks the inputs of a run.
   *
   * @throws InputException if one is missing, unknown, or of the wrong type or shape
   */
  public void inputs(Map<String, Tensor> tensors) {
    for (int i = 0; i < inputs.size(); i++) {
      ValueInfo input = inputs.get(i);
      Tensor tensor = tensors.get(input.name());
      if (tensor == null) {
        throw missing(input, tensors.keySet());
      }
      if (tensor.dtype() != input.dtype()) {
        throw new InputException(
            "input '" + input.name() + "' is " + tensor,
            "the model takes " + input + "; convert the elements to " + input.dtype());
      }
      if (!fits(input, tensor.shape())) {
        throw new InputException(
            "input '" + input.name() + "' is " + tensor, "the model takes " + input);
      }
    }
    if (tensors.size() > inputs.size()) {
      throw unknown("input", inputs, tensors.keySet());
    }
    for (int i = 0; i < shared.size(); i++) {
      Shared pair = shared.get(i);
      pair.check(tensors.get(pair.a.name()).shape(), tensors.get(pair.b.name()).shape());
    }
  }

  /**
   * Checks the shapes of all inputs.
   *
   * @throws InputException if one is missing, unknown or does not fit
   */
  void shapes(Map<String, Shape> shapes) {
    for (ValueInfo input : inputs) {
      Shape shape = shapes.get(input.name());
      if (shape == null) {
        throw missing(input, shapes.keySet());
      }
      if (!fits(input, shape)) {
        throw new InputException(
            "input '" + input.name() + "' has the shape " + shape, "the model takes " + input);
      }
    }
    if (shapes.size() > inputs.size()) {
      throw unknown("input", inputs, shapes.keySet());
    }
    shared.forEach(pair -> pair.check(shapes.get(pair.a.name()), shapes.get(pair.b.name())));
  }

  /**
   * Checks the names of outputs a caller wants delivered.
   *
   * @throws InputException if the model has none of a name
   */
  void outputs(Map<String, Tensor> tensors) {
    int known = 0;
    for (int i = 0; i < outputs.size(); i++) {
      known += tensors.containsKey(outputs.get(i).name()) ? 1 : 0;
    }
    if (tensors.size() > known) {
      throw unknown("output", outputs, tensors.keySet());
    }
  }

  private InputException missing(ValueInfo input, Set<String> passed) {
    return new InputException(
        "input '" + input.name() + "' is missing; got " + new TreeSet<>(passed),
        "the model takes " + inputs);
  }

  private static InputException unknown(String what, List<ValueInfo> declared, Set<String> passed) {
    Set<String> rest = new TreeSet<>(passed);
    declared.forEach(value -> rest.remove(value.name()));
    return new InputException(
        "the model has no " + what + " named " + String.join(", ", rest),
        "its " + what + "s are " + declared);
  }

  private static boolean fits(ValueInfo input, Shape shape) {
    if (input.dims() == null) {
      return true;
    }
    if (shape.rank() != input.dims().size()) {
      return false;
    }
    for (int axis = 0; axis < shape.rank(); axis++) {
      Dim dim = input.dims().get(axis);
      if (dim.isKnown() && dim.value() != shape.extent(axis)) {
        return false;
      }
    }
    return true;
  }

  /** Two axes that are declared with the same symbol, so that their extents must agree. */
  private record Shared(ValueInfo a, int axisOfA, ValueInfo b, int axisOfB) {
    void check(Shape shapeOfA, Shape shapeOfB) {
      if (shapeOfA.extent(axisOfA) != shapeOfB.extent(axisOfB)) {
        throw new InputException(
            "inputs "
                + a.name()
                + shapeOfA
                + " and "
                + b.name()
                + shapeOfB
                + " disagree about '"
                + a.dims().get(axisOfA)
                + "': "
                + shapeOfA.extent(axisOfA)
                + " and "
                + shapeOfB.extent(axisOfB),
            "the model takes " + a + " and " + b);
      }
    }
  }

  /** Each axis with a symbol, paired with the next one that has the same. */
  private static List<Shared> shared(List<ValueInfo> inputs) {
    List<Shared> pairs = new ArrayList<>();
    Map<Dim, Shared> last = new HashMap<>();
    for (ValueInfo input : inputs) {
      for (int axis = 0; input.dims() != null && axis < input.dims().size(); axis++) {
        Dim dim = input.dims().get(axis);
        if (!dim.isKnown()) {
          Shared before = last.put(dim, new Shared(null, 0, input, axis));
          if (before != null) {
            pairs.add(new Shared(before.b, before.axisOfB, input, axis));
          }
        }
      }
    }
    return pairs;
  }
}
