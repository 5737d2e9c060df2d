package dev.filigree.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Extent of an axis, known or symbolic: a whole number times a product of symbols such as {@code
 * 12*batch*seq}. Sums that do not simplify become a symbol of their own, so two equal expressions
 * are equal dims. Immutable.
 *
 * @param factor the whole number
 * @param symbols sorted, a repeated one as often as its power
 */
public record Dim(long factor, List<String> symbols) {
  /** Extent 1. */
  public static final Dim ONE = of(1);

  /** Marks the names of extents of which nothing is known. */
  private static final String OPEN = "\u2026";

  public Dim {
    symbols = factor == 0 ? List.of() : List.copyOf(symbols);
  }

  /** A known extent, or a known content of a shape tensor, which may be negative. */
  public static Dim of(long value) {
    return new Dim(value, List.of());
  }

  /** A symbol such as {@code batch}. */
  public static Dim symbol(String name) {
    return new Dim(1, List.of(name));
  }

  /** An extent of which nothing is known, not even how it follows from others. */
  static Dim open(String name) {
    return symbol(OPEN + name);
  }

  /** Whether it follows from an extent of which nothing is known. */
  public boolean isOpen() {
    return symbols.stream().anyMatch(symbol -> symbol.contains(OPEN));
  }

  /** Whether the value is known. */
  public boolean isKnown() {
    return symbols.isEmpty();
  }

  /** Whether the value is known and this one. */
  public boolean is(long value) {
    return isKnown() && factor == value;
  }

  /** The known value. */
  public long value() {
    if (!isKnown()) {
      throw new IllegalStateException("dim " + this + " is not known");
    }
    return factor;
  }

  public Dim times(Dim other) {
    List<String> all = new ArrayList<>(symbols);
    all.addAll(other.symbols);
    Collections.sort(all);
    return new Dim(factor * other.factor, all);
  }

  /** The quotient, if it can be told to be a whole number. */
  public Optional<Dim> dividedBy(Dim divisor) {
    if (divisor.factor == 0 || factor % divisor.factor != 0) {
      return Optional.empty();
    }
    List<String> rest = new ArrayList<>(symbols);
    for (String symbol : divisor.symbols) {
      if (!rest.remove(symbol)) {
        return Optional.empty();
      }
    }
    return Optional.of(new Dim(factor / divisor.factor, rest));
  }

  public Dim plus(Dim other) {
    if (symbols.equals(other.symbols)) {
      return new Dim(factor + other.factor, symbols);
    }
    if (is(0)) {
      return other;
    }
    if (other.is(0)) {
      return this;
    }
    String left = toString();
    String right = other.toString();
    // one spelling for both orders
    return symbol(
        left.compareTo(right) <= 0
            ? "(" + left + " + " + right + ")"
            : "(" + right + " + " + left + ")");
  }

  public Dim minus(Dim other) {
    return plus(new Dim(-other.factor, other.symbols));
  }

  /** Product of dims; 1 for none. */
  public static Dim product(List<Dim> dims) {
    return dims.stream().reduce(ONE, Dim::times);
  }

  // by hand: a record's own are put together by method handles when they are first used, which
  // takes longer than all of a model's dims

  @Override
  public boolean equals(Object other) {
    return this == other
        || other instanceof Dim dim && factor == dim.factor && symbols.equals(dim.symbols);
  }

  @Override
  public int hashCode() {
    return 31 * Long.hashCode(factor) + symbols.hashCode();
  }

  /** For example {@code 384}, {@code batch} or {@code 12*batch}. */
  @Override
  public String toString() {
    if (isKnown()) {
      return Long.toString(factor);
    }
    String product = symbols.stream().collect(Collectors.joining("*"));
    return factor == 1 ? product : factor + "*" + product;
  }
}
