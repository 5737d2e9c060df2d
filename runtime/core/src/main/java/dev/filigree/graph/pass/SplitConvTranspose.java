package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a transposed convolution of a line or an image as a convolution with an output for each
 * place within a stride, whose results are then put beside each other and cut to size:
 *
 * <pre>
 *   ConvTranspose [in, out, k, k], stride s
 *     -&gt;  Conv [out * s * s, in, ceil(k / s), ceil(k / s)] -&gt; DepthToSpace s -&gt; Slice
 *
 *   y[s * q + r] = sum over j of w[r + s * j] * x[q - j]      for each place r &lt; s
 * </pre>
 *
 * As in "Is the deconvolution layer the same as a convolutional layer?" (arXiv 1609.07009). Where a
 * stride does not divide the window, the taps that lack are zeros.
 */
final class SplitConvTranspose implements Pass {
  /** From here on Slice has its bounds as inputs. */
  private static final int BOUNDS_BECAME_INPUTS = 10;

  /** What the names of weights that it makes end in. */
  static final String PLACES = "_places";

  /** What a convolution of one axis does; pads at both ends, and what is cut off there. */
  private record Line(long kernel, long taps, long before, long after, long cut, long cutAfter) {}

  private final Map<String, Constant> constants;
  private final List<Node> nodes = new ArrayList<>();
  private final int opset;

  /** A pass, or what it is doing to one graph. */
  SplitConvTranspose() {
    this(Map.of(), 0);
  }

  private SplitConvTranspose(Map<String, Constant> constants, int opset) {
    this.constants = new LinkedHashMap<>(constants);
    this.opset = opset;
  }

  @Override
  public Graph apply(Graph graph) {
    SplitConvTranspose rewriting = new SplitConvTranspose(graph.constants(), graph.opset());
    for (Node node : graph.nodes()) {
      if (!rewriting.split(node)) {
        rewriting.nodes.add(node);
      }
    }
    return new RemoveDeadCode().apply(graph.with(rewriting.nodes, rewriting.constants));
  }

  private boolean split(Node node) {
    if (!node.is("ConvTranspose")
        || !(constants.get(node.inputs().get(1)) instanceof Constant.Plain(Tensor weights))
        || weights.shape().rank() < 3
        || weights.shape().rank() > 4
        || weights.elements() == 0
        || weights.dtype() != DType.F32) {
      return false;
    }
    int axes = weights.shape().rank() - 2;
    long stride = numbers(node, "strides", axes, 1)[0];
    long group = node.intAttribute("group", 1);
    boolean even =
        Arrays.stream(numbers(node, "strides", axes, 1)).allMatch(each -> each == stride)
            && Arrays.stream(numbers(node, "dilations", axes, 1)).allMatch(each -> each == 1)
            && stride >= 1
            && stride <= Short.MAX_VALUE
            && group >= 1
            && weights.shape().extent(0) % group == 0
            && !node.attributes().containsKey("output_shape")
            && List.of("NOTSET", "VALID").contains(node.textAttribute("auto_pad", "NOTSET"));
    boolean plainBias =
        node.input(2).isEmpty()
            || constants.get(node.inputs().get(2)) instanceof Constant.Plain(Tensor bias)
                && bias.dtype() == DType.F32;
    if (!even || !plainBias) {
      return false;
    }
    Optional<List<Line>> lines = lines(node, weights.shape(), stride);
    lines.ifPresent(each -> write(node, weights.contiguous(), stride, each));
    return lines.isPresent();
  }

  private static long[] numbers(Node node, String attribute, int count, long usual) {
    long[] all = new long[count];
    Arrays.fill(all, usual);
    return node.intsAttribute(attribute)
        .filter(given -> given.size() == count)
        .map(given -> given.stream().mapToLong(Long::longValue).toArray())
        .orElse(all);
  }

  private static Optional<List<Line>> lines(Node node, Shape weights, long stride) {
    int axes = weights.rank() - 2;
    long[] pads = numbers(node, "pads", 2 * axes, 0);
    long[] added = numbers(node, "output_padding", axes, 0);
    List<Line> lines = new ArrayList<>();
    for (int axis = 0; axis < axes; axis++) {
      long kernel = weights.extent(axis + 2);
      long taps = Math.ceilDiv(kernel, stride);
      long end = taps * stride - kernel - added[axis] + pads[axis + axes];
      if (pads[axis] < 0 || end < 0) {
        return Optional.empty();
      }
      // whole strides that would be cut off are not computed
      long fewer = Math.min(pads[axis] / stride, taps - 1);
      long fewerAfter = Math.min(end / stride, taps - 1);
      lines.add(
          new Line(
              kernel,
              taps,
              taps - 1 - fewer,
              taps - 1 - fewerAfter,
              pads[axis] - fewer * stride,
              end - fewerAfter * stride));
    }
    return Optional.of(lines);
  }

  private void write(Node node, Tensor weights, long stride, List<Line> lines) {
    String y = node.output();
    long places = lines.size() == 1 ? stride : stride * stride;
    List<String> inputs = new ArrayList<>(List.of(node.inputs().getFirst()));
    inputs.add(constant(y + PLACES, places(node, weights, stride, lines)));
    if (node.input(2).isPresent()) {
      Tensor bias = constants.get(node.inputs().get(2)).toTensor();
      inputs.add(constant(y + "_shifts", repeated(bias, places)));
    }
    List<Long> pads = new ArrayList<>();
    lines.forEach(line -> pads.add(line.before));
    lines.forEach(line -> pads.add(line.after));
    Map<String, Attribute> attributes =
        Map.of(
            "pads",
            new Attribute.Ints(pads),
            "group",
            new Attribute.Int(node.intAttribute("group", 1)));
    boolean whole = lines.stream().allMatch(line -> line.cut == 0 && line.cutAfter == 0);
    String together = whole ? y : y + "_uncut";
    String apart = stride == 1 ? together : y + "_apart";
    nodes.add(new Node(node.name(), Node.ONNX, "Conv", inputs, List.of(apart), attributes));
    if (stride > 1 && lines.size() == 2) {
      add(
          node.name() + "_together",
          "DepthToSpace",
          List.of(apart),
          together,
          Map.of("blocksize", new Attribute.Int(stride), "mode", new Attribute.Text("CRD")));
    } else if (stride > 1) {
      interleave(node, stride, apart, together);
    }
    if (!whole) {
      cut(node, together, lines);
    }
  }

  private void add(
      String name, String type, List<String> reads, String makes, Map<String, Attribute> with) {
    nodes.add(new Node(name, Node.ONNX, type, reads, List.of(makes), with));
  }

  private String constant(String name, Tensor tensor) {
    constants.put(name, new Constant.Plain(tensor));
    return name;
  }

  /** {@code [n, out * s, q]} as {@code [n, out, q * s]}. */
  private void interleave(Node node, long stride, String apart, String together) {
    String y = node.output();
    String name = node.name() + "_together";
    long out = rows(node) / stride;
    String sized = constant(y + "_sized", Tensor.of(new long[] {0, out, stride, -1}, 4));
    String line = constant(y + "_line", Tensor.of(new long[] {0, out, -1}, 3));
    add(name + "_places", "Reshape", List.of(apart, sized), y + "_by_place", Map.of());
    add(
        name,
        "Transpose",
        List.of(y + "_by_place"),
        y + "_by_pixel",
        Map.of("perm", new Attribute.Ints(List.of(0L, 1L, 3L, 2L))));
    add(name + "_line", "Reshape", List.of(y + "_by_pixel", line), together, Map.of());
  }

  private long rows(Node node) {
    return constants.get(node.output() + "_places").type().shape().extent(0);
  }

  private void cut(Node node, String uncut, List<Line> lines) {
    long[] starts = lines.stream().mapToLong(Line::cut).toArray();
    long[] ends =
        lines.stream()
            .mapToLong(line -> line.cutAfter == 0 ? Long.MAX_VALUE : -line.cutAfter)
            .toArray();
    long[] axes = lines.size() == 1 ? new long[] {2} : new long[] {2, 3};
    String name = node.name() + "_cut";
    String y = node.output();
    if (opset >= BOUNDS_BECAME_INPUTS) {
      List<String> reads =
          List.of(
              uncut,
              constant(y + "_starts", Tensor.of(starts, starts.length)),
              constant(y + "_ends", Tensor.of(ends, ends.length)),
              constant(y + "_axes", Tensor.of(axes, axes.length)));
      add(name, "Slice", reads, y, Map.of());
    } else {
      add(
          name,
          "Slice",
          List.of(uncut),
          y,
          Map.of("starts", ints(starts), "ends", ints(ends), "axes", ints(axes)));
    }
  }

  private static Attribute ints(long[] numbers) {
    return new Attribute.Ints(Arrays.stream(numbers).boxed().toList());
  }

  /**
   * {@code [in, out / group, k, k]} as {@code [out * s * s, in / group, taps, taps]}, turned round:
   * a convolution goes over its window forwards.
   */
  private static Tensor places(Node node, Tensor weights, long stride, List<Line> lines) {
    long group = node.intAttribute("group", 1);
    long in = weights.shape().extent(0) / group;
    long out = weights.shape().extent(1);
    boolean flat = lines.size() == 1;
    // a line is an image of one row
    Line high = flat ? new Line(1, 1, 0, 0, 0, 0) : lines.getFirst();
    Line wide = lines.getLast();
    long down = flat ? 1 : stride;
    long rows = group * out * down * stride;
    Tensor places =
        Tensor.zeros(
            DType.F32,
            flat ? Shape.of(rows, in, wide.taps) : Shape.of(rows, in, high.taps, wide.taps));
    for (long row = 0; row < rows; row++) {
      long across = row % stride;
      long below = row / stride % down;
      long o = row / (stride * down);
      for (long c = 0; c < in; c++) {
        long from = ((o / out * in + c) * out + o % out) * high.kernel * wide.kernel;
        long to = (row * in + c) * high.taps * wide.taps;
        for (long i = below, ty = high.taps - 1; i < high.kernel; i += down, ty--) {
          for (long j = across, tx = wide.taps - 1; j < wide.kernel; j += stride, tx--) {
            places.setDouble(
                to + ty * wide.taps + tx, weights.getDouble(from + i * wide.kernel + j));
          }
        }
      }
    }
    return places;
  }

  private static Tensor repeated(Tensor bias, long times) {
    Tensor repeated = Tensor.zeros(DType.F32, Shape.of(bias.elements() * times));
    for (long i = 0; i < repeated.elements(); i++) {
      repeated.setDouble(i, bias.getDouble(i / times));
    }
    return repeated;
  }
}
