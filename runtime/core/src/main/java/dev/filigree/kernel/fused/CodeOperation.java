package dev.filigree.kernel.fused;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.OneCode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Operations whose results are codes of 8 bits, held as whole f32 numbers less their zero point, so
 * that f32 kernels can multiply them. Each rounds where ONNX Runtime's quantised operator rounds.
 *
 * <p>Attributes: {@code signed} and {@code zero} tell the codes of the result, {@code scales} and
 * {@code zeros} what the operation needs of its operands.
 */
public enum CodeOperation implements Operator {
  /** {@code y = x / scale}, as QuantizeLinear. */
  ROUND {
    @Override
    Kernel bind(Node node, Tensor x, Tensor y) {
      float scale = factors(node)[0];
      return each(y, i -> OneCode.requantized(at(x, i) / scale, 1, low(node), high(node)));
    }
  },

  /**
   * {@code y = x * factor}, of sums of products; one factor, or one for each index of the second
   * axis.
   */
  REQUANTIZE {
    @Override
    Kernel bind(Node node, Tensor x, Tensor y) {
      float[] factors = factors(node);
      long planes = factors.length == 1 ? 1 : x.shape().extent(0) * factors.length;
      long size = planes == 0 ? 0 : x.elements() / planes;
      return each(
          y,
          i -> {
            float factor = factors[size == 0 ? 0 : (int) (i / size % factors.length)];
            return OneCode.requantized(at(x, i), factor, low(node), high(node));
          });
    }
  },

  /** {@code y = a + b}, as QLinearAdd of codes of one shape. */
  ADD {
    @Override
    Kernel bind(Binding binding, Node node, Tensor y) {
      Tensor a = binding.input(0);
      Tensor b = binding.input(1);
      CodeSum sum = sum(node);
      return each(y, i -> sum.of(at(a, i), at(b, i)));
    }
  },

  /** {@code y = a * b}, as QLinearMul. */
  MULTIPLY {
    @Override
    List<Dim> dims(Node node, ValueType x, Inputs inputs) {
      return Broadcast.dims(node, List.of(x, inputs.required(1)));
    }

    @Override
    Kernel bind(Binding binding, Node node, Tensor y) {
      Tensor a = binding.input(0);
      Tensor b = binding.input(1);
      CodeProduct product = product(node);
      Strided walk = Strided.broadcast(y.shape(), a, b);
      Strided.Body body = (i, at) -> y.setDouble(i, product.of(at(a, at[0]), at(b, at[1])));
      return () -> walk.forEach(body);
    }
  },

  /** The mean of each plane, as QLinearGlobalAveragePool. */
  MEAN {
    @Override
    List<Dim> dims(Node node, ValueType x, Inputs inputs) {
      List<Dim> dims = new ArrayList<>(x.dims().subList(0, 2));
      dims.addAll(Collections.nCopies(x.rank() - 2, Dim.ONE));
      return dims;
    }

    @Override
    Kernel bind(Node node, Tensor x, Tensor y) {
      long pixels = y.elements() == 0 ? 0 : x.elements() / y.elements();
      float factor = meanFactor(node, pixels);
      return each(
          y,
          plane -> {
            long sum = 0;
            for (long i = 0; i < pixels; i++) {
              sum += (long) at(x, plane * pixels + i);
            }
            return OneCode.requantized(sum, factor, low(node), high(node));
          });
    }
  };

  private static final String SIGNED = "signed";
  private static final String ZERO = "zero";
  private static final String SCALES = "scales";
  private static final String ZEROS = "zeros";

  /** Operator type. */
  public String type() {
    return switch (this) {
      case ROUND -> "RoundToCodes";
      case REQUANTIZE -> "Requantize";
      case ADD -> "AddCodes";
      case MULTIPLY -> "MultiplyCodes";
      case MEAN -> "MeanOfCodes";
    };
  }

  /**
   * The attributes of an operation.
   *
   * @param dtype i8 or u8, of the result's codes
   * @param zero point of the result
   * @param scales what {@link #ROUND} divides by; what {@link #REQUANTIZE} multiplies by; those of
   *     the operands and the result for the others
   * @param zeros zero points of the operands of {@link #ADD}
   */
  public static Map<String, Attribute> attributes(
      DType dtype, int zero, List<Float> scales, List<Long> zeros) {
    return Map.of(
        SIGNED, new Attribute.Int(dtype == DType.I8 ? 1 : 0),
        ZERO, new Attribute.Int(zero),
        SCALES, new Attribute.Reals(scales),
        ZEROS, new Attribute.Ints(zeros));
  }

  /** Type of the result's codes. */
  public static DType codes(Node node) {
    return node.intAttribute(SIGNED, 0) != 0 ? DType.I8 : DType.U8;
  }

  /** Zero point of the result. */
  public static int zero(Node node) {
    return (int) node.intAttribute(ZERO, 0);
  }

  /** The least code less the zero point. */
  public static float low(Node node) {
    return (float) codes(node).least() - zero(node);
  }

  /** The greatest code less the zero point. */
  public static float high(Node node) {
    return (float) codes(node).greatest() - zero(node);
  }

  /** The scales, one after the other. */
  public static float[] factors(Node node) {
    List<Float> scales =
        node.attributes().get(SCALES) instanceof Attribute.Reals(List<Float> given)
            ? given
            : List.of();
    float[] factors = new float[scales.size()];
    for (int i = 0; i < factors.length; i++) {
      factors[i] = scales.get(i);
    }
    return factors;
  }

  /** How an {@link #ADD} adds. */
  public static CodeSum sum(Node node) {
    float[] scales = factors(node);
    List<Long> zeros = node.intsAttribute(ZEROS).orElseThrow();
    return CodeSum.of(
        codes(node),
        scales[0],
        zeros.get(0).intValue(),
        scales[1],
        zeros.get(1).intValue(),
        scales[2],
        zero(node));
  }

  /** How a {@link #MULTIPLY} multiplies. */
  public static CodeProduct product(Node node) {
    float[] scales = factors(node);
    return CodeProduct.of(codes(node), scales[0], scales[1], scales[2], zero(node));
  }

  /** What a {@link #MEAN} multiplies the sum of so many codes by. */
  public static float meanFactor(Node node, long pixels) {
    float[] scales = factors(node);
    return scales[0] / (scales[1] * pixels);
  }

  @Override
  public int leastInputs() {
    return this == ADD || this == MULTIPLY ? 2 : 1;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    return List.of(ValueType.of(x.dtype(), dims(node, x, inputs)));
  }

  List<Dim> dims(Node node, ValueType x, Inputs inputs) {
    return x.dims();
  }

  @Override
  public Kernel bind(Binding binding) {
    return bind(binding, binding.node(), binding.output());
  }

  Kernel bind(Binding binding, Node node, Tensor y) {
    return bind(node, binding.input(0), y);
  }

  Kernel bind(Node node, Tensor x, Tensor y) {
    throw new IllegalStateException(this + " has further operands");
  }

  /** Makes the element at an index. */
  @FunctionalInterface
  private interface Element {
    float at(long i);
  }

  private static Kernel each(Tensor y, Element element) {
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setDouble(i, element.at(i));
      }
    };
  }

  private static float at(Tensor x, long i) {
    return (float) x.getDouble(i);
  }
}
