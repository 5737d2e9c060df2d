package dev.filigree.graph;

import dev.filigree.DType;
import java.util.List;

/**
 * An input or output of a graph as its author declared it.
 *
 * @param name of the value
 * @param dtype element type; null if it is not declared, which a body of a node may leave open, and
 *     a file for an output
 * @param dims extents, symbolic where they may vary; null if not even their number is declared
 */
public record ValueInfo(String name, DType dtype, List<Dim> dims) {
  public ValueInfo {
    dims = dims == null ? null : List.copyOf(dims);
  }

  /** For example {@code input_ids: i64[batch, seq]}. */
  @Override
  public String toString() {
    return name + ": " + dtype + (dims == null ? "[...]" : dims.toString());
  }
}
