package dev.filigree.kernel.signal;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Windows for spectra, as sums of cosines: Hann, Hamming and Blackman. */
public enum SignalWindow implements Operator {
  HANN(0.5, 0.5, 0),
  HAMMING(25.0 / 46, 21.0 / 46, 0),
  BLACKMAN(0.42, 0.5, 0.08);

  private final double constant;
  private final double once;
  private final double twice;

  SignalWindow(double constant, double once, double twice) {
    this.constant = constant;
    this.once = once;
    this.twice = twice;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType size = inputs.required(0);
    if (size.content() == null || size.content().size() != 1) {
      throw new DataDependentException(node, "size");
    }
    Dim extent = size.content().getFirst();
    if (extent.isKnown() && extent.value() < 0) {
      throw node.problem("makes a window of " + extent, "use 0 or more elements");
    }
    DType dtype =
        OnnxTypes.dtype(
            node.intAttribute("output_datatype", 1),
            type -> node.unsupported("makes " + type, "use a float type"));
    return List.of(ValueType.of(dtype, List.of(extent)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    boolean periodic = binding.node().intAttribute("periodic", 1) != 0;
    double span = periodic ? y.elements() : y.elements() - 1;
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        double angle = 2 * Math.PI * i / span;
        y.setDouble(i, constant - once * Math.cos(angle) + twice * Math.cos(2 * angle));
      }
    };
  }
}
