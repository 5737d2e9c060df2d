package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Pools over windows, channel by channel: the largest, the mean, or the p-norm of each window. */
public enum Pool implements Operator {
  /** Largest element; the second output is where it lies. */
  MAX {
    @Override
    void channel(Windows windows, Call call, long in, long out) {
      Tensor x = call.x;
      boolean floating = x.dtype().isFloating();
      long[] best = new long[1];
      windows.forEachPosition(
          position -> {
            best[0] = -1;
            windows.forEachElement(
                (element, tap) -> {
                  if (best[0] < 0 || Elements.compare(x, in + element, best[0]) > 0) {
                    best[0] = in + element;
                  }
                });
            if (best[0] >= 0) {
              Elements.copy(x, best[0], call.y, out + position, 1);
            } else if (floating) {
              call.y.setDouble(out + position, Double.NEGATIVE_INFINITY);
            } else {
              call.y.setLong(out + position, call.y.dtype() == DType.I8 ? Byte.MIN_VALUE : 0);
            }
            if (call.indices != null) {
              call.indices.setLong(out + position, call.index(in, best[0] - in));
            }
          });
    }
  },

  /** Mean, of the padding too where {@code count_include_pad} says so. */
  AVERAGE {
    @Override
    void channel(Windows windows, Call call, long in, long out) {
      boolean padded = call.node.intAttribute("count_include_pad", 0) != 0;
      double[] sum = new double[1];
      windows.forEachPosition(
          position -> {
            sum[0] = 0;
            windows.forEachElement((element, tap) -> sum[0] += call.x.getDouble(in + element));
            long count = padded ? windows.coveredWithPadding(call.after) : windows.covered();
            call.y.setDouble(out + position, count == 0 ? 0 : sum[0] / count);
          });
    }
  },

  /** The p-th root of the sum of p-th powers of magnitudes. */
  LP {
    @Override
    void channel(Windows windows, Call call, long in, long out) {
      double p = call.node.intAttribute("p", 2);
      double[] sum = new double[1];
      windows.forEachPosition(
          position -> {
            sum[0] = 0;
            windows.forEachElement(
                (element, tap) -> sum[0] += Math.pow(Math.abs(call.x.getDouble(in + element)), p));
            call.y.setDouble(out + position, Math.pow(sum[0], 1 / p));
          });
    }
  };

  /** Operands of one node. */
  record Call(Node node, Tensor x, Tensor y, Tensor indices, long[] after) {
    /** The position ONNX gives for an element: counted over the whole tensor. */
    long index(long channel, long element) {
      if (element < 0) {
        return -1;
      }
      if (node.intAttribute("storage_order", 0) == 0) {
        return channel + element;
      }
      // column by column within the channel
      long[] extents = x.shape().extents();
      long rest = element;
      long index = 0;
      long[] at = new long[extents.length];
      for (int axis = extents.length - 1; axis >= 2; axis--) {
        at[axis] = rest % extents[axis];
        rest /= extents[axis];
      }
      for (int axis = extents.length - 1; axis >= 2; axis--) {
        index = index * extents[axis] + at[axis];
      }
      return channel + index;
    }
  }

  abstract void channel(Windows windows, Call call, long in, long out);

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean bytes = this == MAX && (x.dtype() == DType.I8 || x.dtype() == DType.U8);
    if (!x.dtype().isFloating() && !bytes) {
      throw node.unsupported("pools " + x, "pass floats; MaxPool takes i8 and u8 too");
    }
    long[] kernel = Window.kernel(node, x);
    List<Dim> dims = new ArrayList<>(x.dims().subList(0, 2));
    dims.addAll(Window.outputs(node, kernel, x));
    ValueType y = ValueType.of(x.dtype(), dims);
    return this == MAX ? List.of(y, ValueType.of(DType.I64, dims)) : List.of(y);
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    ValueType type = ValueType.of(x.dtype(), x.shape());
    Window window = Window.of(node, Window.kernel(node, type), type);
    int rank = window.rank();
    long[] pads = Window.pads(node, rank);
    long[] after = Arrays.copyOfRange(pads, rank, 2 * rank);
    if (node.textAttribute("auto_pad", "NOTSET").startsWith("SAME")) {
      for (int axis = 0; axis < rank; axis++) {
        long span = (window.kernel()[axis] - 1) * window.dilations()[axis] + 1;
        long total =
            (window.outputs()[axis] - 1) * window.strides()[axis]
                + span
                - x.shape().extent(axis + 2);
        after[axis] = Math.max(0, total - window.before()[axis]);
      }
    }
    Tensor indices = binding.outputs().size() > 1 ? binding.output(1) : null;
    Call call = new Call(node, x, binding.output(), indices, after);
    long channels = x.shape().extent(0) * x.shape().extent(1);
    long size = Elements.product(x.shape(), 2, rank + 2);
    Windows windows = new Windows(window, Arrays.copyOfRange(x.shape().extents(), 2, rank + 2));
    return () -> {
      for (long c = 0; c < channels; c++) {
        channel(windows, call, c * size, c * window.positions());
      }
    };
  }
}
