package dev.filigree.kernel.window;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Adds up blocks {@code [batch, channels * block, places]} where a sliding window took them from
 * images {@code [batch, channels, spatial...]}.
 */
public final class Col2Im implements Operator {
  /** Without state. */
  public Col2Im() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  /** The window of a call: extents by axis. */
  private record Geometry(
      List<Long> image,
      List<Long> block,
      List<Long> dilations,
      List<Long> pads,
      List<Long> strides) {
    static Geometry of(Node node, Inputs inputs) {
      List<Long> image = Axes.known(node, inputs.required(1), "image_shape");
      List<Long> block = Axes.known(node, inputs.required(2), "block_shape");
      int axes = image.size();
      List<Long> ones = Collections.nCopies(axes, 1L);
      Geometry geometry =
          new Geometry(
              image,
              block,
              node.intsAttribute("dilations").orElse(ones),
              node.intsAttribute("pads").orElse(Collections.nCopies(2 * axes, 0L)),
              node.intsAttribute("strides").orElse(ones));
      boolean fits =
          axes > 0
              && block.size() == axes
              && geometry.dilations.size() == axes
              && geometry.strides.size() == axes
              && geometry.pads.size() == 2 * axes;
      for (List<Long> each : List.of(image, block, geometry.dilations, geometry.strides)) {
        fits &= each.stream().allMatch(value -> value >= 1 && value <= Integer.MAX_VALUE);
      }
      fits &= geometry.pads.stream().allMatch(value -> value >= 0 && value <= Integer.MAX_VALUE);
      if (!fits || Collections.min(geometry.places()) < 1) {
        throw node.problem("has the window " + geometry, "give every axis a window that fits");
      }
      return geometry;
    }

    /** Places of the window along each axis. */
    List<Long> places() {
      List<Long> places = new ArrayList<>();
      for (int a = 0; a < image.size(); a++) {
        long padded = image.get(a) + pads.get(a) + pads.get(a + image.size());
        long covered = dilations.get(a) * (block.get(a) - 1) + 1;
        places.add(padded < covered ? 0 : (padded - covered) / strides.get(a) + 1);
      }
      return places;
    }

    static long product(List<Long> extents) {
      return extents.stream().reduce(1L, Math::multiplyExact);
    }

    /** Pixel of an element of the block at a place, or -1 in the padding. */
    long pixel(long element, long place, List<Long> places) {
      long pixel = 0;
      long scale = 1;
      long e = element;
      long p = place;
      for (int a = image.size() - 1; a >= 0; a--) {
        long at =
            p % places.get(a) * strides.get(a) + e % block.get(a) * dilations.get(a) - pads.get(a);
        if (at < 0 || at >= image.get(a)) {
          return -1;
        }
        pixel += at * scale;
        scale *= image.get(a);
        e /= block.get(a);
        p /= places.get(a);
      }
      return pixel;
    }
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    Geometry geometry = Geometry.of(node, inputs);
    long block = Geometry.product(geometry.block);
    boolean fits =
        x.rank() == 3
            && (!x.dim(1).isKnown() || x.dim(1).value() % block == 0)
            && (!x.dim(2).isKnown() || x.dim(2).is(Geometry.product(geometry.places())));
    if (!fits) {
      throw node.problem(
          "puts " + x + " together by " + geometry, "pass [batch, channels * block, places]");
    }
    List<Dim> dims = new ArrayList<>();
    dims.add(x.dim(0));
    dims.add(
        x.dim(1)
            .dividedBy(Dim.of(block))
            .orElseGet(() -> Dim.symbol("(" + x.dim(1) + " / " + block + ")")));
    geometry.image.forEach(extent -> dims.add(Dim.of(extent)));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Geometry geometry = Geometry.of(binding.node(), Axes.known(binding));
    long block = Geometry.product(geometry.block);
    List<Long> places = geometry.places();
    long count = Geometry.product(places);
    long pixels = Geometry.product(geometry.image);
    return () -> {
      Elements.fill(y, null);
      for (long i = 0; i < x.elements(); i++) {
        long row = i / count;
        long pixel = geometry.pixel(row % block, i % count, places);
        if (pixel >= 0) {
          long at = row / block * pixels + pixel;
          y.setDouble(at, y.getDouble(at) + x.getDouble(i));
        }
      }
    };
  }
}
