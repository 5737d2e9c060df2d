package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Conversion between types. Floats become integers by truncation; where the specification leaves
 * the result open (out of range, NaN) they saturate and NaN becomes 0. Integers wrap. Anything but
 * zero is true.
 *
 * @param like whether the type is that of a second input and not an attribute (CastLike)
 */
public record Cast(boolean like) implements Operator {
  @Override
  public int leastInputs() {
    return like ? 2 : 1;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType from = inputs.required(0);
    DType to =
        like
            ? inputs.required(1).dtype()
            : OnnxTypes.dtype(
                node.intAttribute("to", 0),
                type -> node.unsupported("casts to " + type, "use a supported type"));
    return List.of(new ValueType(to, from.dims(), from.content()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    long n = y.elements();
    DType to = y.dtype();
    if (to == DType.F32 && x.dtype() == DType.I64) {
      return () -> {
        for (long i = 0; i < n; i++) {
          // by way of a double it would be rounded twice
          y.data().set(DType.FLOAT, i * Float.BYTES, (float) x.getLong(i));
        }
      };
    }
    if (to.isFloating()) {
      return () -> {
        for (long i = 0; i < n; i++) {
          y.setDouble(i, x.getDouble(i));
        }
      };
    }
    if (!x.dtype().isFloating()) {
      return () -> {
        for (long i = 0; i < n; i++) {
          y.setLong(i, x.getLong(i));
        }
      };
    }
    return () -> {
      for (long i = 0; i < n; i++) {
        y.setLong(i, saturate(x.getDouble(i), to));
      }
    };
  }

  private static long saturate(double value, DType to) {
    return switch (to) {
      case BOOL -> value != 0 ? 1 : 0;
      case I8 -> Math.clamp((long) value, Byte.MIN_VALUE, Byte.MAX_VALUE);
      case U8 -> Math.clamp((long) value, 0, 255);
      case I32 -> (int) value;
      default -> (long) value;
    };
  }
}
