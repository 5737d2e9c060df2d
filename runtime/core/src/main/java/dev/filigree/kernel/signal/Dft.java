package dev.filigree.kernel.signal;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * The discrete Fourier transform along an axis of {@code [..., 1 or 2]}, whose last axis holds real
 * and imaginary parts; optionally of another length, one-sided, or inverse.
 */
public final class Dft implements Operator {
  private static final int AXIS_BECAME_INPUT = 20;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean parts =
        x.rank() >= 2
            && x.dtype().isFloating()
            && (!x.dim(-1).isKnown() || x.dim(-1).is(1) || x.dim(-1).is(2));
    if (!parts) {
      throw node.problem("transforms " + x, "pass floats [..., 1] or [..., 2]");
    }
    int axis = axis(node, inputs, x.rank());
    boolean real = isRealInverse(node);
    Dim length = length(node, inputs, real ? whole(x.dim(axis)) : x.dim(axis));
    List<Dim> dims = new ArrayList<>(x.dims());
    dims.set(axis, node.intAttribute("onesided", 0) != 0 && !real ? half(length) : length);
    dims.set(x.rank() - 1, Dim.of(real ? 1 : 2));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  /** The axis, which became an input in operator set 20. */
  private static int axis(Node node, Inputs inputs, int rank) {
    long named = inputs.opset() < AXIS_BECAME_INPUT ? node.intAttribute("axis", 1) : -2;
    if (inputs.opset() >= AXIS_BECAME_INPUT && inputs.type(2).isPresent()) {
      named = Axes.known(node, inputs.required(2), "axis").getFirst();
    }
    int axis = Axes.normalise(node, named, rank);
    if (axis == rank - 1) {
      throw node.problem("transforms the parts of its elements", "name another axis");
    }
    return axis;
  }

  /** Whether one side of a spectrum becomes a real signal. */
  private static boolean isRealInverse(Node node) {
    return node.intAttribute("onesided", 0) != 0 && node.intAttribute("inverse", 0) != 0;
  }

  /** The even length whose spectrum has one side of an extent. */
  private static Dim whole(Dim side) {
    return side.isKnown() ? Dim.of(2 * (side.value() - 1)) : Dim.symbol("(2 * " + side + " - 2)");
  }

  private static Dim half(Dim length) {
    return length.isKnown()
        ? Dim.of(length.value() / 2 + 1)
        : Dim.symbol("(" + length + " / 2 + 1)");
  }

  private static Dim length(Node node, Inputs inputs, Dim extent) {
    if (inputs.type(1).isEmpty()) {
      return extent;
    }
    List<Dim> content = inputs.required(1).content();
    if (content == null || content.size() != 1) {
      throw new DataDependentException(node, "length");
    }
    Dim length = content.getFirst();
    if (length.isKnown() && length.value() < 1) {
      throw node.problem("transforms " + length + " elements", "use a length above 0");
    }
    return length;
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Inputs known = Axes.known(binding);
    int axis = axis(node, known, x.shape().rank());
    boolean toReal = isRealInverse(node);
    Dim extent = Dim.of(x.shape().extent(axis));
    int length = Math.toIntExact(length(node, known, toReal ? whole(extent) : extent).value());
    Fourier fourier = new Fourier(length, node.intAttribute("inverse", 0) != 0);
    int parts = (int) x.shape().extent(-1);
    int given = (int) Math.min(toReal ? length / 2 + 1 : length, extent.value());
    // what a shorter signal lacks are zeros
    double[] real = new double[length];
    double[] imaginary = new double[length];
    long inner = Elements.product(x.shape(), axis + 1, x.shape().rank() - 1);
    long outer = Elements.product(x.shape(), 0, axis);
    long results = y.shape().extent(axis);
    return () -> {
      for (long line = 0; line < outer * inner; line++) {
        long o = line / inner;
        long i = line % inner;
        for (int n = 0; n < given; n++) {
          long at = ((o * extent.value() + n) * inner + i) * parts;
          real[n] = x.getDouble(at);
          imaginary[n] = parts == 2 ? x.getDouble(at + 1) : 0;
        }
        // the other side of a real signal's spectrum mirrors the one that is given
        for (int n = 1; toReal && n < length; n++) {
          if (n > length / 2) {
            real[n] = real[length - n];
            imaginary[n] = -imaginary[length - n];
          }
        }
        fourier.transform(real, imaginary);
        for (int k = 0; k < results; k++) {
          long at = ((o * results + k) * inner + i) * (toReal ? 1 : 2);
          y.setDouble(at, fourier.real(k));
          if (!toReal) {
            y.setDouble(at + 1, fourier.imaginary(k));
          }
        }
      }
    };
  }
}
