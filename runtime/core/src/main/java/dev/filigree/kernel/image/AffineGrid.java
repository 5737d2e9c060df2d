package dev.filigree.kernel.image;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * The grid of places from -1 to 1 that an affine map makes of an image's own, for {@link
 * GridSample} (ONNX operator set 20; M. Jaderberg et al., Spatial Transformer Networks, 2015).
 *
 * <p>Inputs: maps {@code [batch, axes, axes + 1]}, the first row for x, and i64 extents {@code
 * [batch, channels, (depth,) height, width]}. Output: {@code [batch, (depth,) height, width,
 * axes]}.
 */
public final class AffineGrid implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType maps = inputs.required(0);
    List<Dim> extents = inputs.required(1).content();
    if (extents == null) {
      throw new DataDependentException(node, "shape");
    }
    int axes = extents.size() - 2;
    if (axes < 2 || axes > 3 || maps.rank() != 3 || !maps.dtype().isFloating()) {
      throw node.problem(
          "makes a grid of " + extents + " by " + maps,
          "pass maps [n, 2, 3] and the extents of images, or [n, 3, 4] and those of volumes");
    }
    List<Dim> dims = new ArrayList<>();
    dims.add(extents.getFirst());
    dims.addAll(extents.subList(2, extents.size()));
    dims.add(Dim.of(axes));
    return List.of(ValueType.of(maps.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor maps = binding.input(0);
    Tensor y = binding.output();
    int axes = y.shape().rank() - 2;
    long batches = y.shape().extent(0);
    boolean fits =
        maps.shape().extent(0) == batches
            && maps.shape().extent(1) == axes
            && maps.shape().extent(2) == axes + 1;
    if (!fits) {
      throw node.problem("makes " + y + " by " + maps, "give each image a map of its axes");
    }
    boolean aligned = node.intAttribute("align_corners", 0) != 0;
    long places = batches == 0 ? 0 : y.elements() / batches / axes;
    double[] at = new double[axes + 1];
    at[axes] = 1;
    return () -> {
      for (long batch = 0; batch < batches; batch++) {
        for (long place = 0; place < places; place++) {
          long rest = place;
          // x, the last axis, comes first
          for (int a = 0; a < axes; a++) {
            long extent = y.shape().extent(axes - a);
            at[a] = position(rest % extent, extent, aligned);
            rest /= extent;
          }
          for (int row = 0; row < axes; row++) {
            double sum = 0;
            for (int a = 0; a <= axes; a++) {
              sum += maps.getDouble((batch * axes + row) * (axes + 1) + a) * at[a];
            }
            y.setDouble((batch * places + place) * axes + row, sum);
          }
        }
      }
    };
  }

  /** Of an element, from -1 to 1: corners are elements' centres if aligned, else their edges. */
  private static double position(long i, long extent, boolean aligned) {
    if (aligned) {
      return extent == 1 ? -1 : 2.0 * i / (extent - 1) - 1;
    }
    return (2 * i + 1.0) / extent - 1;
  }
}
