package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;

/**
 * The remainder of a division, with the sign of the divisor, or with {@code fmod} that of the
 * dividend. The remainder by an integer zero is 0: the specification leaves it open, and nothing
 * may crash.
 */
public final class Modulo implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (a.dtype() != b.dtype() || a.dtype() == DType.BOOL) {
      throw node.problem("divides " + a + " by " + b, "both must have the same numeric type");
    }
    return List.of(ValueType.of(a.dtype(), Broadcast.dims(node, List.of(a, b))));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = binding.input(1);
    Tensor y = binding.output();
    boolean truncated = binding.node().intAttribute("fmod", 0) != 0;
    boolean unsigned = y.dtype() == DType.U64;
    Strided walk = Strided.broadcast(y.shape(), a, b);
    Strided.Body body =
        y.dtype().isFloating()
            ? (i, at) -> {
              double divisor = b.getDouble(at[1]);
              double rest = a.getDouble(at[0]) % divisor;
              boolean turns = !truncated && rest != 0 && rest < 0 != divisor < 0;
              y.setDouble(i, turns ? rest + divisor : rest);
            }
            : (i, at) -> {
              long x = a.getLong(at[0]);
              long divisor = b.getLong(at[1]);
              y.setLong(
                  i,
                  divisor == 0
                      ? 0
                      : unsigned
                          ? Long.remainderUnsigned(x, divisor)
                          : truncated ? x % divisor : Math.floorMod(x, divisor));
            };
    return () -> walk.forEach(body);
  }
}
