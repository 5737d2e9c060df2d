package dev.filigree.graph;

import dev.filigree.Tensor;
import java.util.List;

/** A constant parameter of a node. Immutable. */
public sealed interface Attribute {
  /** A whole number. */
  record Int(long value) implements Attribute {}

  /** A float. */
  record Real(float value) implements Attribute {}

  /** A text. */
  record Text(String value) implements Attribute {}

  /** Whole numbers. */
  record Ints(List<Long> values) implements Attribute {
    public Ints {
      values = List.copyOf(values);
    }
  }

  /** Floats. */
  record Reals(List<Float> values) implements Attribute {
    public Reals {
      values = List.copyOf(values);
    }
  }

  /** Texts. */
  record Texts(List<String> values) implements Attribute {
    public Texts {
      values = List.copyOf(values);
    }
  }

  /**
   * A graph that the node runs, such as the branch of an If.
   *
   * @param graph its body; what it takes from around it is among its inputs, after its own
   * @param captures how many of its inputs it takes from around it: the last inputs of the node,
   *     the same for all graphs of a node
   */
  record Body(Graph graph, int captures) implements Attribute {}

  /** A tensor. */
  record Array(Tensor value) implements Attribute {}
}
