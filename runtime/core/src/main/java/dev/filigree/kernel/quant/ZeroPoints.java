package dev.filigree.kernel.quant;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.Optional;

/** Zero points of quantised operands: one for all, or one for each line. */
public final class ZeroPoints {
  private ZeroPoints() {}

  /** Refuses zero points of another type than the operand's or of another number than its lines. */
  public static void require(Node node, Optional<ValueType> zeros, ValueType operand, Dim lines) {
    zeros.ifPresent(
        zero -> {
          boolean single = zero.dims().stream().allMatch(dim -> dim.is(1));
          boolean fits =
              single
                  || zero.rank() == 1
                      && (!lines.isKnown() || !zero.dim(0).isKnown() || zero.dim(0).equals(lines));
          if (!fits || zero.dtype() != operand.dtype()) {
            throw node.problem(
                "has the zero points " + zero + " for " + operand,
                "give one of the operand's type, or one for each output");
          }
        });
  }

  /** The zero point of a line; 0 without any. */
  public static long at(Tensor zeros, long line) {
    return zeros == null ? 0 : zeros.getLong(zeros.elements() == 1 ? 0 : line);
  }
}
