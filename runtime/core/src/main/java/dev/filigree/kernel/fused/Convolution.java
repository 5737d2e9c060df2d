package dev.filigree.kernel.fused;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.Window;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Pattern24;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A convolution with everything that follows it: {@code y = activation(conv(x, W) + bias +
 * residual)}.
 *
 * <p>Inputs: x {@code [batch, channels, spatial...]} with one or two spatial axes, W {@code [out,
 * kernel... * channels / group]} with the channel innermost, bias {@code [out]} or absent, optional
 * residual of y's shape. Attributes are those of Conv; {@code kernel_shape} is always there.
 */
public final class Convolution implements Operator {
  /** Operator type. */
  public static final String TYPE = "Convolution";

  /** Position of the weights among the inputs. */
  public static final int WEIGHTS = 1;

  /** Position of the bias among the inputs. */
  public static final int BIAS = 2;

  /** Position of the residual among the inputs. */
  public static final int RESIDUAL = 3;

  private static final String ACTIVATION = "activation";

  private static final String SOURCE = "source";

  /** Attributes of a convolution whose weights take over a factor: they say whose they were. */
  public static Map<String, Attribute> folded(Node conv) {
    Map<String, Attribute> attributes = new HashMap<>(conv.attributes());
    attributes.put(SOURCE, new Attribute.Text(weights(conv)));
    return attributes;
  }

  /** The constant of the original graph that the weights of ONNX's Conv come from. */
  public static String weights(Node conv) {
    return conv.textAttribute(SOURCE, conv.inputs().get(WEIGHTS));
  }

  /** The constant of the original graph that the weights come from, scaled or not. */
  public static String source(Node node) {
    return node.textAttribute(SOURCE, "");
  }

  /** ONNX's Conv with weights in rows, under the name of its layer. */
  public static Node node(Node conv, String name, String weights, List<Long> kernel) {
    Map<String, Attribute> attributes = folded(conv);
    attributes.put("kernel_shape", new Attribute.Ints(kernel));
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        List.of(conv.inputs().getFirst(), weights, conv.input(BIAS).orElse("")),
        List.of(conv.output()),
        attributes);
  }

  /** A convolution that does more than it did. */
  public static Node extended(
      Node node, List<String> inputs, String output, Activation activation) {
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.put(ACTIVATION, new Attribute.Text(activation.label()));
    return new Node(node.name(), Node.FUSED, TYPE, inputs, List.of(output), attributes);
  }

  /** What the convolution applies to its result. */
  public static Activation activation(Node node) {
    return Activation.of(node.textAttribute(ACTIVATION, Activation.NONE.label()));
  }

  /** Into how many groups channels and outputs are divided. */
  public static long groups(Node node) {
    return Conv.group(node);
  }

  /** Weights {@code [out, channels, kernel...]} as rows {@code [out, kernel... * channels]}. */
  public static Dense rows(Tensor weights) {
    int rank = weights.shape().rank();
    int[] order = IntStream.range(0, rank).toArray();
    for (int axis = 1; axis < rank; axis++) {
      order[axis] = axis == rank - 1 ? 1 : axis + 1;
    }
    long rows = weights.shape().extent(0);
    return new Dense(
        weights
            .permute(order)
            .contiguous()
            .reshape(Shape.of(rows, rows == 0 ? 0 : weights.elements() / rows)));
  }

  /** The same, packed 2:4 where at most two of every four channels are not zero. */
  public static Weights packedRows(Tensor weights) {
    Dense dense = rows(weights);
    boolean sparse =
        weights.shape().extent(1) % Sparse24.GROUP == 0
            && Pattern24.axis(dense).filter(axis -> axis == Pattern24.Axis.IN).isPresent();
    if (!sparse) {
      return dense;
    }
    Tensor values = dense.tensor();
    int columns = dense.columns();
    Mask mask =
        Mask.of(dense.rows(), columns, (r, c) -> values.getDouble((long) r * columns + c) != 0);
    return Sparse24.pack(
        dense, mask, (kept, r, count) -> new FloatValues(DType.F32, MemorySegment.ofArray(kept)));
  }

  /** The operator, which has no state. */
  public Convolution() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType w = inputs.required(WEIGHTS);
    long[] kernel = Window.kernel(node, x);
    long taps = Arrays.stream(kernel).reduce(1, (a, b) -> a * b);
    Dim columns = w.dim(1).times(Dim.of(Conv.group(node)));
    if (x.dim(1).isKnown() && !x.dim(1).times(Dim.of(taps)).equals(columns)) {
      throw node.problem(
          "convolves " + x + " with rows " + w, "the channels must be those of the weights");
    }
    List<Dim> dims = new ArrayList<>(List.of(x.dim(0), w.dim(0)));
    dims.addAll(Window.outputs(node, kernel, x));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor rows = binding.input(WEIGHTS);
    Tensor y = binding.output();
    long[] kernel =
        node.intsAttribute("kernel_shape").orElseThrow().stream().mapToLong(k -> k).toArray();
    long taps = Arrays.stream(kernel).reduce(1, (a, b) -> a * b);
    long channels = taps == 0 ? 0 : rows.shape().extent(1) / taps;
    long[] extents = new long[kernel.length + 2];
    extents[0] = rows.shape().extent(0);
    System.arraycopy(kernel, 0, extents, 1, kernel.length);
    extents[extents.length - 1] = channels;
    int[] order = IntStream.range(0, extents.length).toArray();
    for (int axis = 1; axis < order.length; axis++) {
      order[axis] = axis == 1 ? order.length - 1 : axis - 1;
    }
    // as ONNX has them; constants, so that they may be moved now
    Tensor weights = rows.reshape(Shape.of(extents)).permute(order).contiguous();
    Tensor bias = binding.has(BIAS) ? binding.input(BIAS) : null;
    Tensor residual = binding.has(RESIDUAL) ? binding.input(RESIDUAL) : null;
    Activation activation = activation(node);
    Kernel convolve =
        new Conv()
            .bind(
                new Binding(
                    node, binding.opset(), new Tensor[] {x, weights, bias}, new Tensor[] {y}));
    return () -> {
      convolve.run();
      for (long i = 0; i < y.elements(); i++) {
        double value = y.getDouble(i) + (residual == null ? 0 : residual.getDouble(i));
        y.setDouble(i, activation.apply(value));
      }
    };
  }
}
