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

  /** A tensor. */
  record Array(Tensor value) implements Attribute {}
}
