package dev.filigree.kernel;

import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeRule;
import dev.filigree.graph.ValueType;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Axes and other small whole-number parameters, which ONNX moved from attributes to inputs over
 * time.
 */
public final class Axes {
  private Axes() {}

  /**
   * Whole numbers from an attribute or, in later operator sets, from an input.
   *
   * @param attribute name in the earlier form
   * @param input position in the later form, -1 while it is an attribute
   * @return nothing if they are not given
   * @throws DataDependentException if they come from an input whose content is not known yet
   */
  public static Optional<List<Long>> of(
      Node node, ShapeRule.Inputs inputs, String attribute, int input) {
    if (input < 0) {
      return node.intsAttribute(attribute);
    }
    return inputs.type(input).map(type -> known(node, type, attribute));
  }

  /** The content of an input that must be known before the run. */
  public static List<Long> known(Node node, ValueType type, String what) {
    if (!type.hasKnownContent()) {
      throw new DataDependentException(node, what);
    }
    return type.content().stream().map(Dim::value).toList();
  }

  /**
   * How many axes a tensor has whose shape is the content of another one, nothing if that is open
   * too.
   */
  public static OptionalInt count(ValueType shape) {
    boolean told = shape.rank() == 1 && shape.isSmall();
    return told ? OptionalInt.of((int) shape.dim(0).value()) : OptionalInt.empty();
  }

  /**
   * An axis counted from the front.
   *
   * @throws dev.filigree.GraphException if it lies outside {@code [-rank, rank)}
   */
  public static int normalise(Node node, long axis, int rank) {
    if (axis < -rank || axis >= rank) {
      throw node.problem(
          "names axis " + axis + " of a tensor with " + rank + " axes", "name an axis that exists");
    }
    return (int) (axis < 0 ? axis + rank : axis);
  }

  /** The bound tensors seen as known inputs. */
  public static ShapeRule.Inputs known(Binding binding) {
    return new ShapeRule.Inputs() {
      @Override
      public int opset() {
        return binding.opset();
      }

      @Override
      public Optional<ValueType> type(int i) {
        return i < binding.inputs().size()
            ? Optional.ofNullable(binding.inputs().get(i)).map(ValueType::of)
            : Optional.empty();
      }

      @Override
      public ValueType required(int i) {
        return type(i).orElseThrow();
      }
    };
  }
}
