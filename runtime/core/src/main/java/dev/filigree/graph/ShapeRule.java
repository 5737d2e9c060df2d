package dev.filigree.graph;

import dev.filigree.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Tells the types of a node's outputs from those of its inputs. */
public interface ShapeRule {
  /**
   * The types of the outputs, as many as the node names.
   *
   * @throws dev.filigree.GraphException if the inputs do not fit
   * @throws dev.filigree.UnsupportedException if a type or attribute is not supported
   * @throws DataDependentException if the types follow from data
   */
  List<ValueType> infer(Node node, Inputs inputs);

  /**
   * How many axes each output has where {@link #infer} cannot tell their extents; its elements then
   * have the type of the first input's.
   *
   * @throws DataDependentException if not even that is known
   */
  default OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.empty();
  }

  /**
   * Computes a node of few elements, so that shapes which exporters compute are followed through
   * operators of every kind.
   *
   * @param operands null where absent
   * @return a tensor for each output the node names; nothing if they cannot be told so
   */
  default Optional<Tensor[]> follow(Node node, int opset, Tensor[] operands) {
    return Optional.empty();
  }

  /** What is known of a node's inputs. */
  interface Inputs {
    /** Version of ONNX's operator set. */
    int opset();

    /** Type of an input, or nothing if the input is absent. */
    Optional<ValueType> type(int i);

    /** Type of an input that must be there. */
    ValueType required(int i);
  }

  /** Finds the rule of an operator. */
  @FunctionalInterface
  interface Lookup {
    /**
     * The rule of a node's operator.
     *
     * @throws dev.filigree.UnsupportedException if the operator is not known
     */
    ShapeRule find(Node node);
  }
}
