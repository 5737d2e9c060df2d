package dev.filigree.kernel.image;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.LongStream;

/**
 * Resamples a tensor to other extents, axis by axis: the nearest element, or linear or cubic
 * interpolation. Also Upsample, which is its earlier form.
 *
 * @param upsample whether this is Upsample
 */
public record Resize(boolean upsample) implements Operator {
  private static final int ROI = 1;
  private static final int SIZES = 3;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() && !Resampling.of(node, inputs.opset()).isNearest()) {
      if (!x.dtype().isInteger()) {
        throw node.problem("interpolates " + x, "pass numbers");
      }
    }
    List<Long> axes = axes(node, x.rank());
    List<Dim> dims = new ArrayList<>(x.dims());
    Optional<ValueType> sizes = sizes(inputs);
    if (sizes.isPresent()) {
      List<Dim> wanted = sizes.get().content();
      if (wanted == null) {
        throw new DataDependentException(node, "sizes");
      }
      requireEach(node, wanted.size(), axes.size());
      for (int i = 0; i < wanted.size(); i++) {
        Dim size = wanted.get(i);
        if (size.isKnown() && size.value() < 0) {
          throw node.problem("resizes to " + wanted, "use extents of 0 or more");
        }
        dims.set(axes.get(i).intValue(), size);
      }
      if (isKeepingRatio(node)) {
        double ratio = ratio(node, x, dims, axes);
        for (long axis : axes) {
          double extent = x.dim((int) axis).value() * ratio;
          dims.set((int) axis, Dim.of((long) Math.floor(extent + 0.5)));
        }
      }
      return List.of(ValueType.of(x.dtype(), dims));
    }
    List<Double> scales = scales(node, inputs);
    requireEach(node, scales.size(), axes.size());
    for (int i = 0; i < scales.size(); i++) {
      int axis = axes.get(i).intValue();
      dims.set(axis, scaled(node, x.dim(axis), scales.get(i)));
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.of(inputs.required(0).rank());
  }

  private static void requireEach(Node node, int given, int axes) {
    if (given != axes) {
      throw node.problem("resizes " + axes + " axes by " + given + " numbers", "give one for each");
    }
  }

  private static Dim scaled(Node node, Dim extent, double scale) {
    if (!(scale > 0) || scale > Integer.MAX_VALUE) {
      throw node.problem("scales by " + scale, "use a positive number");
    }
    if (extent.isKnown()) {
      // in floats, as other runtimes have it: 1.3 is a little less than that, ten times it are 13
      return Dim.of((long) Math.floor(extent.value() * (float) scale));
    }
    return scale == Math.rint(scale)
        ? extent.times(Dim.of((long) scale))
        : Dim.symbol("floor(" + extent + " * " + scale + ")");
  }

  /** The axes that are resized; all of them before operator set 18. */
  private static List<Long> axes(Node node, int rank) {
    return node.intsAttribute("axes")
        .map(given -> given.stream().map(axis -> (long) Axes.normalise(node, axis, rank)).toList())
        .orElseGet(() -> LongStream.range(0, rank).boxed().toList());
  }

  private Optional<ValueType> sizes(Inputs inputs) {
    return upsample
        ? Optional.empty()
        : inputs.type(SIZES).filter(type -> !type.dims().equals(List.of(Dim.of(0))));
  }

  private List<Double> scales(Node node, Inputs inputs) {
    if (upsample && inputs.opset() < 9) {
      if (node.attributes().get("scales") instanceof Attribute.Reals(List<Float> values)) {
        return values.stream().map(Float::doubleValue).toList();
      }
      throw node.unsupported("has no list of scales", "export it for operator set 7 or later");
    }
    ValueType scales = inputs.required(upsample || inputs.opset() < 11 ? 1 : 2);
    if (scales.reals() == null) {
      throw new DataDependentException(node, "scales");
    }
    return scales.reals();
  }

  private static boolean isKeepingRatio(Node node) {
    return !node.textAttribute("keep_aspect_ratio_policy", "stretch").equals("stretch");
  }

  private static double ratio(Node node, ValueType x, List<Dim> dims, List<Long> axes) {
    boolean larger = node.textAttribute("keep_aspect_ratio_policy", "").equals("not_smaller");
    double ratio = larger ? 0 : Double.POSITIVE_INFINITY;
    for (long axis : axes) {
      Dim from = x.dim((int) axis);
      Dim to = dims.get((int) axis);
      if (!from.isKnown() || !to.isKnown() || from.is(0)) {
        throw new DataDependentException(node, "aspect ratio");
      }
      double own = (double) to.value() / from.value();
      ratio = larger ? Math.max(ratio, own) : Math.min(ratio, own);
    }
    return ratio;
  }

  /** The one ratio of all axes, which the rounded extents of the result only come near. */
  private double ratio(Node node, Inputs inputs, Shape x, List<Long> axes) {
    List<Dim> wanted = inputs.required(SIZES).content();
    List<Dim> dims = new ArrayList<>(ValueType.dims(x));
    for (int i = 0; i < axes.size(); i++) {
      dims.set(axes.get(i).intValue(), wanted.get(i));
    }
    return ratio(node, ValueType.of(inputs.required(0).dtype(), x), dims, axes);
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Taps[] taps = taps(node, Axes.known(binding), x.shape(), y.shape());
    return new Resampler(x, y, taps, outside(node));
  }

  /** What places outside the input hold. */
  public static float outside(Node node) {
    return node.floatAttribute("extrapolation_value", 0);
  }

  /**
   * Which elements of the input each element of the result is made of, axis by axis.
   *
   * @param x extents of the input
   * @param y extents of the result
   */
  public Taps[] taps(Node node, Inputs inputs, Shape x, Shape y) {
    int rank = x.rank();
    List<Long> axes = axes(node, rank);
    List<Double> scales = sizes(inputs).isPresent() ? null : scales(node, inputs);
    List<Double> roi =
        inputs.type(ROI).isPresent() && !upsample ? inputs.required(ROI).reals() : null;
    Resampling resampling = Resampling.of(node, inputs.opset());
    Taps[] taps = new Taps[rank];
    double kept = scales == null && isKeepingRatio(node) ? ratio(node, inputs, x, axes) : 1;
    for (int axis = 0; axis < rank; axis++) {
      long from = x.extent(axis);
      long to = y.extent(axis);
      int given = axes.indexOf((long) axis);
      double own = isKeepingRatio(node) ? kept : (double) to / from;
      double scale = given < 0 ? 1 : scales == null ? own : scales.get(given);
      boolean cropped = roi != null && given >= 0 && roi.size() == 2 * axes.size();
      double start = cropped ? roi.get(given) : 0;
      double end = cropped ? roi.get(given + axes.size()) : 1;
      taps[axis] =
          given < 0 || from == to && scale == 1 && !resampling.crops()
              ? Taps.same(from)
              : resampling.taps(from, to, scale, start, end);
    }
    return taps;
  }
}
