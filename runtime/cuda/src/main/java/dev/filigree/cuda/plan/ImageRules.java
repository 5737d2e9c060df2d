package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.Pooling;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Kind;
import dev.filigree.cuda.operation.Resizing;
import dev.filigree.cuda.operation.View;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.image.Resize;
import dev.filigree.kernel.image.Taps;
import dev.filigree.kernel.window.Window;
import java.util.Arrays;

/** How a plan runs what only images have: pooling, resizing, blocks of pixels as channels. */
final class ImageRules {
  /** Taps of an element up to which resizing is worth a kernel: cubic interpolation. */
  private static final int MOST_TAPS = 4;

  private final DevicePlanner planner;
  private final DeviceState device;

  ImageRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
  }

  /** Plans a node; false if it is none of images or the device has no kernel for it. */
  boolean plan(Node node) {
    String x = node.inputs().getFirst();
    boolean image =
        planner.isComputed(x)
            && planner.type(x).dtype() == DType.F32
            && ImagePlaces.fits(planner.type(x).shape())
            && ImagePlaces.fits(planner.type(node.output()).shape());
    if (!image || node.outputs().stream().filter(output -> !output.isEmpty()).count() != 1) {
      return false;
    }
    return switch (node.type()) {
      case "MaxPool" -> pool(node, Kind.MAX);
      case "AveragePool" -> pool(node, Kind.AVERAGE);
      case "GlobalMaxPool" -> global(node, Kind.MAX);
      case "GlobalAveragePool" -> global(node, Kind.AVERAGE);
      case "Resize", "Upsample" -> resize(node);
      case "DepthToSpace" -> depthToSpace(node);
      default -> false;
    };
  }

  private boolean pool(Node node, Kind kind) {
    ValueType x = planner.type(node.inputs().getFirst());
    Window window = Window.of(node, Window.kernel(node, x), x);
    boolean padded = kind == Kind.AVERAGE && node.intAttribute("count_include_pad", 0) != 0;
    if (kind != Kind.MAX && !isAverageable(node, window, x, padded)) {
      return false;
    }
    pool(node, padded ? Kind.AVERAGE_WITH_PADDING : kind, Sliding2d.window(window));
    return true;
  }

  /**
   * Whether the kernel's divisor is ONNX's: every window has elements of the image, and where
   * padding counts no window reaches beyond it.
   */
  private static boolean isAverageable(Node node, Window window, ValueType x, boolean padded) {
    int rank = window.rank();
    long[] pads = Window.pads(node, rank);
    boolean given = node.textAttribute("auto_pad", "NOTSET").equals("NOTSET");
    for (int axis = 0; axis < rank; axis++) {
      long extent = x.dim(axis + 2).value();
      long span = (window.kernel()[axis] - 1) * window.dilations()[axis] + 1;
      long end = window.start(axis, window.outputs()[axis] - 1) + span;
      if (window.before()[axis] >= span
          || window.dilations()[axis] > 1
          || window.start(axis, window.outputs()[axis] - 1) >= extent
          || padded && given && end > extent + pads[axis + rank]) {
        return false;
      }
    }
    return true;
  }

  private boolean global(Node node, Kind kind) {
    Extent image = Sliding2d.extent(planner.type(node.inputs().getFirst()).shape());
    pool(node, kind, Pooling.Window.over(image));
    return true;
  }

  private void pool(Node node, Kind kind, Pooling.Window window) {
    String value = node.inputs().getFirst();
    Shape shape = planner.type(value).shape();
    DeviceTensor x = planner.images().use(value, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    Extent image = Sliding2d.extent(shape);
    Extent result = Sliding2d.extent(planner.type(node.output()).shape());
    planner.launch(
        arena ->
            Pooling.pool(
                device.kernels(),
                kind,
                window,
                (int) shape.extent(0),
                x.on(arena),
                image,
                y.on(arena),
                result));
    planner.explain(
        node, kind == Kind.MAX ? "max_pool_f16" : "average_pool_f16", "eight channels a thread");
  }

  private boolean resize(Node node) {
    if (!(Operators.find(node) instanceof Resize operator)) {
      return false;
    }
    String value = node.inputs().getFirst();
    Shape from = planner.type(value).shape();
    Shape to = planner.type(node.output()).shape();
    Taps[] taps = operator.taps(node, planner.inputs(node), from, to);
    for (int axis = 0; axis < 2; axis++) {
      if (from.extent(axis) != to.extent(axis)) {
        return false;
      }
    }
    int rank = from.rank();
    if (Arrays.stream(taps).mapToInt(ImageRules::count).max().orElse(1) > MOST_TAPS) {
      return false;
    }
    Taps down = rank == 4 ? taps[2] : null;
    String name = node.output() + " of " + from + " to " + to;
    Resizing.Axis rows = axis(name + " down", down);
    Resizing.Axis columns = axis(name + " across", taps[rank - 1]);
    DeviceTensor x = planner.images().use(value, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    planner.launch(
        arena ->
            Resizing.resize(
                device.kernels(),
                rows,
                columns,
                Resize.outside(node),
                x.on(arena),
                Sliding2d.extent(from),
                y.on(arena),
                Sliding2d.extent(to)));
    planner.explain(
        node,
        "resize_f16",
        rows.count() * columns.count() + " elements of the image for each of the result");
    return true;
  }

  private static int count(Taps taps) {
    return Arrays.stream(taps.elements())
        .mapToInt(each -> each == null ? 1 : each.length)
        .max()
        .orElse(1);
  }

  /** Tables of an axis; null for one element that stays itself. */
  private Resizing.Axis axis(String name, Taps taps) {
    int extent = taps == null ? 1 : taps.elements().length;
    int count = taps == null ? 1 : count(taps);
    int[] elements = new int[extent * count];
    float[] weights = new float[extent * count];
    for (int i = 0; i < extent; i++) {
      int[] own = taps == null ? new int[1] : taps.elements()[i];
      if (own == null) {
        elements[i * count] = -1;
        continue;
      }
      for (int t = 0; t < own.length; t++) {
        elements[i * count + t] = own[t];
        weights[i * count + t] = taps == null ? 1 : (float) taps.weights()[i][t];
      }
    }
    DeviceConstants constants = device.constants();
    Tensor ofElements = Tensor.of(elements, elements.length);
    Tensor ofWeights = Tensor.of(weights, weights.length);
    return new Resizing.Axis(
        constants.tensor(name + " elements", ofElements, DType.I32).constant(),
        constants.tensor(name + " weights", ofWeights, DType.F32).constant(),
        count);
  }

  /** Blocks of channels as pixels: {@code [n, h, w, block, block, c]} in some order. */
  private boolean depthToSpace(Node node) {
    String value = node.inputs().getFirst();
    Shape wide = ImagePlaces.image(planner.type(node.output()).shape());
    DeviceTensor x = planner.images().use(value, DType.F16);
    DeviceTensor y = planner.images().define(node.output(), DType.F16);
    long block = node.intAttribute("blocksize", 1);
    boolean columnFirst = node.textAttribute("mode", "DCR").equals("CRD");
    long channels = wide.extent(3);
    long height = x.shape().extent(1);
    long width = x.shape().extent(2);
    long[] extents = {wide.extent(0), height, block, width, block, channels};
    long[] from = {
      height * width * x.pitch(),
      width * x.pitch(),
      columnFirst ? block : block * channels,
      x.pitch(),
      columnFirst ? 1 : channels,
      columnFirst ? block * block : 1
    };
    long row = width * block * y.pitch();
    long[] to = {height * block * row, block * row, row, block * y.pitch(), y.pitch(), 1};
    planner.launch(
        arena ->
            Movement.copy(
                device.kernels(),
                new View(x.address(arena), DType.F16, extents, from),
                new View(y.address(arena), DType.F16, extents, to),
                y.pitch()));
    planner.explain(node, "copy_b16", "moved");
    return true;
  }
}
