package dev.filigree.kernel.signal;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Weights that turn a spectrum into triangular bands evenly spaced on the mel scale. */
public final class MelWeightMatrix implements Operator {
  @Override
  public int leastInputs() {
    return 5;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    long bands = Axes.known(node, inputs.required(0), "bands").getFirst();
    long length = Axes.known(node, inputs.required(1), "length").getFirst();
    if (bands < 0 || bands > Integer.MAX_VALUE || length < 0) {
      throw node.problem("makes " + bands + " bands of " + length, "use numbers of 0 or more");
    }
    DType dtype =
        OnnxTypes.dtype(
            node.intAttribute("output_datatype", 1),
            type -> node.unsupported("makes " + type, "use a float type"));
    return List.of(ValueType.of(dtype, List.of(Dim.of(length / 2 + 1), Dim.of(bands))));
  }

  private static double mel(double hertz) {
    return 2595 * Math.log10(1 + hertz / 700);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    int bands = Math.toIntExact(y.shape().extent(1));
    return () -> {
      double length = binding.input(1).getLong(0);
      double rate = binding.input(2).getLong(0);
      double low = mel(binding.input(3).getDouble(0));
      double high = mel(binding.input(4).getDouble(0));
      long[] edges = new long[bands + 2];
      for (int i = 0; i < edges.length; i++) {
        double hertz = 700 * (Math.pow(10, (low + i * (high - low) / edges.length) / 2595) - 1);
        edges[i] = (long) Math.floor((length + 1) * hertz / rate);
      }
      for (long i = 0; i < y.elements(); i++) {
        int band = (int) (i % bands);
        y.setDouble(i, weight(i / bands, edges[band], edges[band + 1], edges[band + 2]));
      }
    };
  }

  /** The height of a triangle at a place; a side without width is the top alone. */
  private static double weight(long at, long low, long centre, long high) {
    if (at == centre) {
      return 1;
    }
    if (at < centre) {
      return at < low ? 0 : (double) (at - low) / (centre - low);
    }
    return at >= high ? 0 : (double) (high - at) / (high - centre);
  }
}
