package dev.filigree.kernel.signal;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Fourier transforms of overlapping frames of signals {@code [batch, samples, 1 or 2]}. */
public final class Stft implements Operator {
  private static final int WINDOW = 2;
  private static final int LENGTH = 3;

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.rank() < 2 || x.rank() > 3 || !x.dtype().isFloating()) {
      throw node.problem("transforms " + x, "pass floats [batch, samples, 1 or 2]");
    }
    long step = Axes.known(node, inputs.required(1), "frame step").getFirst();
    long length = length(node, inputs);
    if (!x.dim(1).isKnown()) {
      throw new DataDependentException(node, "frames");
    }
    if (step < 1 || length < 1 || length > x.dim(1).value()) {
      throw node.problem(
          "takes frames of " + length + " every " + step + " of " + x, "use frames that fit");
    }
    long frames = (x.dim(1).value() - length) / step + 1;
    long bins = node.intAttribute("onesided", 1) != 0 ? length / 2 + 1 : length;
    return List.of(
        ValueType.of(x.dtype(), List.of(x.dim(0), Dim.of(frames), Dim.of(bins), Dim.of(2))));
  }

  private static long length(Node node, Inputs inputs) {
    if (inputs.type(LENGTH).isPresent()) {
      return Axes.known(node, inputs.required(LENGTH), "frame length").getFirst();
    }
    ValueType window = inputs.required(WINDOW);
    if (window.rank() != 1 || !window.dim(0).isKnown()) {
      throw new DataDependentException(node, "frame length");
    }
    return window.dim(0).value();
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor window = binding.has(WINDOW) ? binding.input(WINDOW) : null;
    Tensor y = binding.output();
    Inputs inputs = Axes.known(binding);
    long step = inputs.required(1).content().getFirst().value();
    int length = Math.toIntExact(length(binding.node(), inputs));
    if (window != null && window.elements() != length) {
      throw binding
          .node()
          .problem("weighs frames of " + length + " by " + window, "make them equally long");
    }
    int parts = x.shape().rank() == 3 ? (int) x.shape().extent(2) : 1;
    long samples = x.shape().extent(1);
    Fourier fourier = new Fourier(length, false);
    double[] real = new double[length];
    double[] imaginary = new double[length];
    long frames = y.shape().extent(1);
    long bins = y.shape().extent(2);
    return () -> {
      for (long frame = 0; frame < y.shape().extent(0) * frames; frame++) {
        long start = frame / frames * samples + frame % frames * step;
        for (int n = 0; n < length; n++) {
          double weight = window == null ? 1 : window.getDouble(n);
          real[n] = weight * x.getDouble((start + n) * parts);
          imaginary[n] = parts == 2 ? weight * x.getDouble((start + n) * parts + 1) : 0;
        }
        fourier.transform(real, imaginary);
        for (int k = 0; k < bins; k++) {
          y.setDouble((frame * bins + k) * 2, fourier.real(k));
          y.setDouble((frame * bins + k) * 2 + 1, fourier.imaginary(k));
        }
      }
    };
  }
}
