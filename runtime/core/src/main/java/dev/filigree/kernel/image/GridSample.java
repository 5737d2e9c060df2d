package dev.filigree.kernel.image;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Samples images {@code [batch, channels, height, width]} at places that a grid {@code [batch,
 * outHeight, outWidth, 2]} names as x and y from -1 to 1.
 */
public final class GridSample implements Operator {
  /** The cubic polynomial's parameter in PyTorch, which the operator comes from. */
  private static final double CUBIC = -0.75;

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType grid = inputs.required(1);
    if (x.rank() != 4 || grid.rank() != 4 || grid.dim(3).isKnown() && !grid.dim(3).is(2)) {
      throw node.unsupported(
          "samples " + x + " at " + grid, "pass images [n, c, h, w] and a grid [n, h, w, 2]");
    }
    if (!x.dtype().isFloating() || !grid.dtype().isFloating()) {
      throw node.problem("samples " + x + " at " + grid, "pass floats");
    }
    mode(node);
    padding(node);
    return List.of(ValueType.of(x.dtype(), List.of(x.dim(0), x.dim(1), grid.dim(1), grid.dim(2))));
  }

  private static String mode(Node node) {
    return switch (node.textAttribute("mode", "bilinear")) {
      case "bilinear", "linear" -> "linear";
      case "bicubic", "cubic" -> "cubic";
      case "nearest" -> "nearest";
      case String other ->
          throw node.problem("samples by '" + other + "'", "use bilinear, nearest or bicubic");
    };
  }

  private static String padding(Node node) {
    String padding = node.textAttribute("padding_mode", "zeros");
    if (!List.of("zeros", "border", "reflection").contains(padding)) {
      throw node.problem("pads by '" + padding + "'", "use zeros, border or reflection");
    }
    return padding;
  }

  /** The images of one call. */
  private record Images(Tensor x, String padding, boolean aligned) {
    /** A place from -1 to 1 in elements. */
    double place(double normal, long extent) {
      return aligned ? (normal + 1) / 2 * (extent - 1) : ((normal + 1) * extent - 1) / 2;
    }

    /** The pixel at a whole place of a channel, or what stands outside. */
    double pixel(long channel, double row, double column) {
      long height = x.shape().extent(2);
      long width = x.shape().extent(3);
      double r = moved(row, height);
      double c = moved(column, width);
      boolean outside = !(r >= 0 && r < height && c >= 0 && c < width);
      return outside ? 0 : x.getDouble((channel * height + (long) r) * width + (long) c);
    }

    private double moved(double place, long extent) {
      return switch (padding) {
        case "border" -> Math.clamp(place, 0, extent - 1.0);
        case "reflection" -> reflected(place, extent);
        default -> place;
      };
    }

    private double reflected(double place, long extent) {
      double low = aligned ? 0 : -0.5;
      double span = aligned ? extent - 1.0 : extent;
      if (span <= 0 || !Double.isFinite(place)) {
        return 0;
      }
      double within = Math.abs(place - low) % (2 * span);
      double folded = within > span ? 2 * span - within : within;
      return Math.clamp(folded + low, 0, extent - 1.0);
    }
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor grid = binding.input(1);
    Tensor y = binding.output();
    String mode = mode(binding.node());
    Images images =
        new Images(
            x, padding(binding.node()), binding.node().intAttribute("align_corners", 0) != 0);
    long points = y.shape().extent(2) * y.shape().extent(3);
    long channels = x.shape().extent(1);
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        long channel = i / points;
        long point = channel / channels * points + i % points;
        double column = images.place(grid.getDouble(point * 2), x.shape().extent(3));
        double row = images.place(grid.getDouble(point * 2 + 1), x.shape().extent(2));
        y.setDouble(
            i,
            switch (mode) {
              case "nearest" -> images.pixel(channel, Math.rint(row), Math.rint(column));
              case "linear" -> sum(images, channel, row, column, 1);
              default -> sum(images, channel, row, column, 2);
            });
      }
    };
  }

  private static double sum(Images images, long channel, double row, double column, int radius) {
    double top = Math.floor(row) - radius + 1;
    double left = Math.floor(column) - radius + 1;
    double sum = 0;
    for (int r = 0; r < 2 * radius; r++) {
      for (int c = 0; c < 2 * radius; c++) {
        double weight = weight(top + r - row, radius) * weight(left + c - column, radius);
        sum += weight * images.pixel(channel, top + r, left + c);
      }
    }
    return sum;
  }

  private static double weight(double distance, int radius) {
    double d = Math.abs(distance);
    if (radius == 1) {
      return Math.max(0, 1 - d);
    }
    return d <= 1
        ? ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
        : ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC;
  }
}
