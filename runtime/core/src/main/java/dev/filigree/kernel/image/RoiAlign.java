package dev.filigree.kernel.image;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.shape.Gather;
import java.util.List;

/**
 * Pools regions of images into a grid, each cell from points interpolated at exact places (Mask
 * R-CNN, arXiv 1703.06870).
 */
public final class RoiAlign implements Operator {
  /** More points in a cell than any detector takes; keeps a damaged file from running for days. */
  private static final long MAX_POINTS = 1 << 16;

  private static final int HALF_PIXEL_BECAME_DEFAULT = 16;

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType rois = inputs.required(1);
    ValueType batch = inputs.required(2);
    if (x.rank() != 4
        || rois.rank() != 2
        || rois.dim(1).isKnown() && !rois.dim(1).is(4)
        || batch.rank() != 1) {
      throw node.problem(
          "pools " + rois + " of " + x,
          "pass images [n, c, h, w], regions [r, 4], and batches [r]");
    }
    long height = size(node, "output_height");
    long width = size(node, "output_width");
    return List.of(
        ValueType.of(x.dtype(), List.of(rois.dim(0), x.dim(1), Dim.of(height), Dim.of(width))));
  }

  private static long size(Node node, String attribute) {
    long size = node.intAttribute(attribute, 1);
    if (size < 1 || size > Integer.MAX_VALUE) {
      throw node.problem("has the " + attribute + " " + size, "use 1 or more");
    }
    return size;
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor rois = binding.input(1);
    Tensor batches = binding.input(2);
    Tensor y = binding.output();
    boolean max = node.textAttribute("mode", "avg").equals("max");
    double scale = node.floatAttribute("spatial_scale", 1);
    long ratio = node.intAttribute("sampling_ratio", 0);
    boolean half =
        binding.opset() >= HALF_PIXEL_BECAME_DEFAULT
            && !node.textAttribute("coordinate_transformation_mode", "half_pixel")
                .equals("output_half_pixel");
    double offset = half ? 0.5 : 0;
    long height = y.shape().extent(2);
    long width = y.shape().extent(3);
    long channels = x.shape().extent(1);
    return () -> {
      for (long r = 0; r < rois.shape().extent(0); r++) {
        double left = rois.getDouble(4 * r) * scale - offset;
        double top = rois.getDouble(4 * r + 1) * scale - offset;
        double regionWidth = rois.getDouble(4 * r + 2) * scale - offset - left;
        double regionHeight = rois.getDouble(4 * r + 3) * scale - offset - top;
        double cellHeight = (half ? regionHeight : Math.max(1, regionHeight)) / height;
        double cellWidth = (half ? regionWidth : Math.max(1, regionWidth)) / width;
        long rows = points(node, ratio, cellHeight);
        long columns = points(node, ratio, cellWidth);
        long image = Gather.row(node, batches.getLong(r), x.shape().extent(0));
        for (long c = 0; c < channels; c++) {
          for (long cell = 0; cell < height * width; cell++) {
            double pooled = max ? Double.NEGATIVE_INFINITY : 0;
            for (long p = 0; p < rows * columns; p++) {
              double at = top + (cell / width + (p / columns + 0.5) / rows) * cellHeight;
              double across = left + (cell % width + (p % columns + 0.5) / columns) * cellWidth;
              pooled = point(x, image * channels + c, at, across, max, pooled);
            }
            y.setDouble(
                (r * channels + c) * height * width + cell,
                max ? pooled : pooled / Math.max(1, rows * columns));
          }
        }
      }
    };
  }

  private static long points(Node node, long ratio, double cell) {
    long points = ratio > 0 ? ratio : (long) Math.ceil(cell);
    if (points > MAX_POINTS) {
      throw node.problem("takes " + points + " points a cell", "set a smaller sampling_ratio");
    }
    return Math.max(0, points);
  }

  /** Takes one more point into what was pooled so far. */
  private static double point(
      Tensor x, long channel, double row, double column, boolean max, double pooled) {
    long height = x.shape().extent(2);
    long width = x.shape().extent(3);
    if (!(row >= -1 && row <= height && column >= -1 && column <= width)) {
      return max ? Math.max(pooled, 0) : pooled;
    }
    double r = Math.max(0, row);
    double c = Math.max(0, column);
    long top = Math.min((long) r, height - 1);
    long left = Math.min((long) c, width - 1);
    long bottom = Math.min(top + 1, height - 1);
    long right = Math.min(left + 1, width - 1);
    double down = top == height - 1 ? 0 : r - top;
    double along = left == width - 1 ? 0 : c - left;
    long base = channel * height;
    double a = (1 - down) * (1 - along) * x.getDouble((base + top) * width + left);
    double b = (1 - down) * along * x.getDouble((base + top) * width + right);
    double d = down * (1 - along) * x.getDouble((base + bottom) * width + left);
    double e = down * along * x.getDouble((base + bottom) * width + right);
    // the operator's maximum is over the weighted corners, not over their sum
    return max
        ? Math.max(pooled, Math.max(Math.max(a, b), Math.max(d, e)))
        : pooled + a + b + d + e;
  }
}
