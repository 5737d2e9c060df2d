package dev.filigree.kernel.window;

import dev.filigree.Shape;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How a window slides over the spatial axes of a tensor {@code [batch, channels, spatial...]}:
 * attributes {@code kernel_shape}, {@code strides}, {@code dilations}, {@code pads}, {@code
 * auto_pad} and {@code ceil_mode} as convolutions and pools share them. Immutable.
 *
 * @param kernel extents of the window
 * @param strides steps of the window
 * @param dilations steps within the window
 * @param before padding in front of each axis
 * @param outputs positions of the window along each axis
 */
public record Window(
    long[] kernel, long[] strides, long[] dilations, long[] before, long[] outputs) {
  /** Most positions, steps or paddings along an axis: keeps products within 64 bits. */
  private static final long LARGEST = Integer.MAX_VALUE;

  /** Number of spatial axes. */
  public int rank() {
    return kernel.length;
  }

  /** Positions of the window in one channel. */
  public long positions() {
    return product(outputs);
  }

  /** Elements of the window. */
  public long size() {
    return product(kernel);
  }

  /** The window along some of the axes only. */
  public Window part(int first, int end) {
    return new Window(
        Arrays.copyOfRange(kernel, first, end),
        Arrays.copyOfRange(strides, first, end),
        Arrays.copyOfRange(dilations, first, end),
        Arrays.copyOfRange(before, first, end),
        Arrays.copyOfRange(outputs, first, end));
  }

  /** A window of one axis over planes whose columns it treats one by one. */
  public Window beside(long columns) {
    return new Window(
        new long[] {kernel[0], 1},
        new long[] {strides[0], 1},
        new long[] {dilations[0], 1},
        new long[] {before[0], 0},
        new long[] {outputs[0], columns});
  }

  private static long product(long[] extents) {
    long product = 1;
    for (long extent : extents) {
      product *= extent;
    }
    return product;
  }

  /** Where the first element of the window lies along an axis, which may be in the padding. */
  public long start(int axis, long output) {
    return output * strides[axis] - before[axis];
  }

  /** First element of the window at or after the start of an axis. */
  public long first(int axis, long start) {
    return start >= 0 ? 0 : Math.ceilDiv(-start, dilations[axis]);
  }

  /** Element of the window after the last one that lies within an axis. */
  public long last(int axis, long start, long extent) {
    return Math.clamp(Math.ceilDiv(extent - start, dilations[axis]), 0, kernel[axis]);
  }

  /**
   * The window of a node over a tensor of known extents.
   *
   * @param kernel extents of the window
   * @param x type of the input
   */
  public static Window of(Node node, long[] kernel, ValueType x) {
    int rank = kernel.length;
    long[] strides = positive(node, "strides", rank);
    long[] dilations = positive(node, "dilations", rank);
    long[] pads = pads(node, rank);
    long[] before = new long[rank];
    long[] outputs = new long[rank];
    for (int axis = 0; axis < rank; axis++) {
      long extent = x.dim(axis + 2).value();
      long span = (kernel[axis] - 1) * dilations[axis] + 1;
      switch (node.textAttribute("auto_pad", "NOTSET")) {
        case "SAME_UPPER", "SAME_LOWER" -> {
          outputs[axis] = Math.ceilDiv(extent, strides[axis]);
          long total = Math.max(0, (outputs[axis] - 1) * strides[axis] + span - extent);
          boolean upper = node.textAttribute("auto_pad", "").equals("SAME_UPPER");
          before[axis] = upper ? total / 2 : total - total / 2;
        }
        case "VALID" -> outputs[axis] = positions(node, extent, span, strides[axis], 0);
        case "NOTSET", "" -> {
          before[axis] = pads[axis];
          long padded = extent + pads[axis] + pads[axis + rank];
          outputs[axis] = positions(node, padded, span, strides[axis], extent + pads[axis]);
        }
        case String other ->
            throw node.problem("pads by '" + other + "'", "use SAME_UPPER, SAME_LOWER or VALID");
      }
    }
    return new Window(kernel, strides, dilations, before, outputs);
  }

  private static long positions(Node node, long padded, long span, long stride, long end) {
    if (padded < span) {
      return 0;
    }
    if (node.intAttribute("ceil_mode", 0) == 0) {
      return (padded - span) / stride + 1;
    }
    long positions = Math.ceilDiv(padded - span, stride) + 1;
    // a window that would start in the padding at the end is left out
    return end > 0 && (positions - 1) * stride >= end ? positions - 1 : positions;
  }

  /** Extents of the output along the spatial axes, symbolic where the input's are. */
  public static List<Dim> outputs(Node node, long[] kernel, ValueType x) {
    if (x.dims().subList(2, x.rank()).stream().allMatch(Dim::isKnown)) {
      return ValueType.dims(Shape.of(of(node, kernel, x).outputs));
    }
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < kernel.length; axis++) {
      dims.add(symbolic(node, kernel, axis, x.dim(axis + 2)));
    }
    return dims;
  }

  private static Dim symbolic(Node node, long[] kernel, int axis, Dim extent) {
    int rank = kernel.length;
    long stride = positive(node, "strides", rank)[axis];
    long span = (kernel[axis] - 1) * positive(node, "dilations", rank)[axis] + 1;
    long[] pads = pads(node, rank);
    String auto = node.textAttribute("auto_pad", "NOTSET");
    boolean same =
        stride == 1
            && (auto.startsWith("SAME")
                || auto.equals("NOTSET") && pads[axis] + pads[axis + rank] == span - 1);
    if (same) {
      return extent;
    }
    // one name for the same window over the same extent, so that two branches still agree
    return Dim.symbol(
        "window("
            + String.join(
                ",",
                extent.toString(),
                auto,
                Long.toString(stride),
                Long.toString(span),
                Long.toString(pads[axis]),
                Long.toString(pads[axis + rank]),
                Long.toString(node.intAttribute("ceil_mode", 0)))
            + ")");
  }

  /** A list of whole numbers above 0, one for each spatial axis; 1 by default. */
  public static long[] positive(Node node, String attribute, int rank) {
    long[] values = numbers(node, attribute, rank, 1);
    for (long value : values) {
      if (value < 1) {
        throw node.problem("has the " + attribute + " " + value, "use numbers above 0");
      }
    }
    return values;
  }

  /** Padding in front of each axis, then behind each. */
  public static long[] pads(Node node, int rank) {
    long[] pads = numbers(node, "pads", 2 * rank, 0);
    for (long pad : pads) {
      if (pad < 0) {
        throw node.unsupported("has negative pads", "slice the input and pad with 0 or more");
      }
    }
    return pads;
  }

  private static long[] numbers(Node node, String attribute, int count, long otherwise) {
    long[] values = new long[count];
    Arrays.fill(values, otherwise);
    List<Long> given = node.intsAttribute(attribute).orElse(List.of());
    if (!given.isEmpty() && given.size() != count) {
      throw node.problem(
          "has " + given.size() + " " + attribute, "give " + count + ", one for each axis");
    }
    for (int i = 0; i < given.size(); i++) {
      values[i] = given.get(i);
      if (Math.abs(values[i]) > LARGEST || values[i] == Long.MIN_VALUE) {
        throw node.problem("has the " + attribute + " " + given, "use 31-bit numbers");
      }
    }
    return values;
  }

  /** The window's extents from the attribute {@code kernel_shape}. */
  public static long[] kernel(Node node, ValueType x) {
    requireSpatial(node, x);
    if (node.intsAttribute("kernel_shape").isEmpty()) {
      throw node.problem("lacks kernel_shape", "export the graph again");
    }
    return positive(node, "kernel_shape", x.rank() - 2);
  }

  /** Refuses a tensor without batch, channels and at least one spatial axis. */
  public static void requireSpatial(Node node, ValueType x) {
    if (x.rank() < 3) {
      throw node.problem("slides over " + x, "pass [batch, channels, spatial...]");
    }
  }
}
