package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.CodeOperation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.DynamicCodes;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.quant.ZeroPoints;
import dev.filigree.weights.Dense;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Products of integers with constant weights as products of whole f32 numbers. */
final class WholeProducts {
  private static final Map<String, Attribute> TO_I32 =
      Map.of("to", new Attribute.Int(OnnxTypes.number(DType.I32)));

  /**
   * Sums of 32 bits that are held as whole f32 numbers too.
   *
   * @param bound of their size
   */
  private record Sum(String value, long bound) {}

  /** Where the operands of a product are among the inputs; a negative place is for none. */
  private record Places(int a, int zeroA, int b, int zeroB, int bias) {
    static final Places SUMS = new Places(0, 2, 1, 3, -1);
    static final Places CODES = new Places(0, 2, 3, 5, 8);
  }

  private final CodeGraph codes;
  private final Map<String, List<Node>> consumers;
  private final Map<String, Sum> sums = new HashMap<>();

  /** Whole numbers made of the input of a DynamicQuantizeLinear, by the names of its codes. */
  private final Map<String, String> dynamic = new HashMap<>();

  WholeProducts(CodeGraph codes, Map<String, List<Node>> consumers) {
    this.codes = codes;
    this.consumers = consumers;
  }

  boolean lower(Node node, Lowered to) {
    return switch (node.type()) {
      case "QLinearConv", "QLinearMatMul" -> requantized(node, to);
      case "ConvInteger", "MatMulInteger" -> summed(node, to);
      case "DynamicQuantizeLinear" -> quantize(node, to);
      case "Cast" -> cast(node, to);
      case "Add" -> add(node, to);
      default -> false;
    };
  }

  private boolean requantized(Node node, Lowered to) {
    Optional<CodeGraph.Quantization> x = codes.quantization(node.inputs().get(1), node.input(2));
    Optional<CodeGraph.Quantization> y = codes.quantization(node.inputs().get(6), node.input(7));
    Optional<float[]> scales = codes.constant(node.inputs().get(4)).map(Tensor::toFloats);
    if (x.isEmpty() || y.isEmpty() || scales.isEmpty()) {
      return false;
    }
    Optional<List<String>> parts = parts(node, Places.CODES, to).map(Product::values);
    if (parts.isEmpty()) {
      return false;
    }
    List<Float> factors = new ArrayList<>();
    for (float scale : scales.get()) {
      factors.add(x.get().scale() * scale / y.get().scale());
    }
    boolean alike = factors.stream().distinct().count() == 1;
    String sum = sum(parts.get(), to);
    if (!alike && node.is("QLinearMatMul")) {
      float[] byColumn = new float[factors.size()];
      for (int i = 0; i < byColumn.length; i++) {
        byColumn[i] = factors.get(i);
      }
      sum = to.add("Mul", sum, to.constant(Tensor.of(byColumn, byColumn.length)));
      factors = List.of(1f);
    }
    String made =
        to.addFused(
            CodeOperation.REQUANTIZE.type(),
            CodeOperation.attributes(
                y.get().dtype(),
                y.get().zero(),
                alike ? factors.subList(0, 1) : factors,
                List.of()),
            sum);
    codes.made(made, node.output(), y.get().dtype(), y.get().zero(), to);
    return true;
  }

  /** The parts' sum, rounded once. */
  private static String sum(List<String> parts, Lowered to) {
    return parts.size() == 1 ? parts.getFirst() : to.add("Add", parts.get(0), parts.get(1));
  }

  private boolean summed(Node node, Lowered to) {
    Optional<Product> product = parts(node, Places.SUMS, to);
    if (product.isEmpty()) {
      return false;
    }
    List<String> parts = product.get().values;
    if (parts.size() == 1) {
      to.into("Cast", TO_I32, parts.getFirst());
    } else {
      String high = to.add("Cast", TO_I32, parts.get(0));
      to.into("Add", Map.of(), high, to.add("Cast", TO_I32, parts.get(1)));
    }
    sums.put(node.output(), new Sum(sum(parts, to), product.get().bound));
    return true;
  }

  /** A cast to floats reads the sums that are floats already. */
  private boolean cast(Node node, Lowered to) {
    Sum known = sums.get(node.inputs().getFirst());
    if (known == null || node.intAttribute("to", 0) != OnnxTypes.number(DType.F32)) {
      return false;
    }
    to.into("Identity", Map.of(), known.value);
    return true;
  }

  /** Adds a bias to the sums while they are floats. */
  private boolean add(Node node, Lowered to) {
    Sum known = sums.get(node.inputs().getFirst());
    Optional<Tensor> bias = codes.constant(node.inputs().get(1)).filter(b -> b.shape().rank() <= 1);
    if (known == null || bias.isEmpty()) {
      return false;
    }
    long most = Arrays.stream(bias.get().toLongs()).map(Math::abs).max().orElse(0);
    if (most > ExactWeights.EXACT || known.bound + most > ExactWeights.EXACT) {
      return false;
    }
    float[] floats = bias.get().toFloats();
    long[] extents = bias.get().shape().extents();
    String sum = to.add("Add", known.value, to.constant(Tensor.of(floats, extents)));
    to.into("Cast", TO_I32, sum);
    sums.put(node.output(), new Sum(sum, known.bound + most));
    return true;
  }

  /** A node whose codes convolutions read makes whole numbers of them at once. */
  private boolean quantize(Node node, Lowered to) {
    boolean convolved =
        consumers.getOrDefault(node.output(), List.of()).stream()
            .anyMatch(reader -> reader.is("ConvInteger"));
    if (!convolved) {
      return false;
    }
    String x = node.inputs().getFirst();
    String whole = to.fresh();
    String scale = node.outputs().get(1);
    to.add(
        new Node(
            node.name(),
            Node.FUSED,
            DynamicCodes.TYPE,
            List.of(x),
            List.of(whole, scale.isEmpty() ? to.fresh() : scale),
            Map.of()));
    to.addAll(
        node.type(),
        node.attributes(),
        node.inputs(),
        List.of(node.output(), to.fresh(), node.outputs().get(2)));
    dynamic.put(node.output(), whole);
    return true;
  }

  /** The products of a node. */
  private record Product(List<String> values, long bound) {}

  private Optional<Product> parts(Node node, Places places, Lowered to) {
    boolean convolution = node.is("QLinearConv") || node.is("ConvInteger");
    String source = node.inputs().get(places.b);
    Optional<Tensor> weights =
        codes
            .constant(source)
            .filter(w -> CodeGraph.isByte(w.dtype()) && w.elements() > 0)
            .filter(w -> convolution ? isWindow(w) : w.shape().rank() == 2);
    Optional<ValueType> x = codes.type(node.inputs().get(places.a));
    if (weights.isEmpty() || x.isEmpty() || !convolution && x.get().rank() < 2) {
      return Optional.empty();
    }
    Tensor byOutput = convolution ? weights.get() : weights.get().permute(1, 0).contiguous();
    Optional<int[]> numbers = numbers(byOutput, node.input(places.zeroB));
    Optional<long[]> bias = bias(node, places, (int) byOutput.shape().extent(0));
    Optional<ExactWeights> exact =
        numbers.flatMap(given -> bias.flatMap(added -> ExactWeights.of(given, added)));
    if (exact.isEmpty()) {
      return Optional.empty();
    }
    return whole(node, places, x.get().dtype(), to)
        .map(
            input -> {
              List<String> made = new ArrayList<>();
              for (int part = 0; part < exact.get().parts().size(); part++) {
                float[] values = exact.get().parts().get(part);
                Tensor floats = Tensor.of(values, byOutput.shape().extents());
                float[] added = exact.get().biases().get(part);
                made.add(
                    convolution
                        ? convolve(node, input, source, floats, added, to)
                        : multiply(input, source, floats, to));
              }
              return new Product(made, exact.get().bound());
            });
  }

  private static boolean isWindow(Tensor weights) {
    return weights.shape().rank() == 3 || weights.shape().rank() == 4;
  }

  /** Weights less their zero points, output by output. */
  private Optional<int[]> numbers(Tensor byOutput, Optional<String> zero) {
    Optional<Tensor> zeros = zero.flatMap(codes::constant);
    long outputs = byOutput.shape().extent(0);
    boolean known =
        zero.isEmpty()
            || zeros.filter(z -> z.elements() == 1 || z.elements() == outputs).isPresent();
    if (!known) {
      return Optional.empty();
    }
    int[] numbers = new int[Math.toIntExact(byOutput.elements())];
    long columns = numbers.length / outputs;
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (int) (byOutput.getLong(i) - ZeroPoints.at(zeros.orElse(null), i / columns));
    }
    return Optional.of(numbers);
  }

  private Optional<long[]> bias(Node node, Places places, int outputs) {
    Optional<String> name = places.bias < 0 ? Optional.empty() : node.input(places.bias);
    return name.isEmpty()
        ? Optional.of(new long[outputs])
        : codes.constant(name.get()).map(Tensor::toLongs);
  }

  /** The other operand, less its zero point. */
  private Optional<String> whole(Node node, Places places, DType dtype, Lowered to) {
    String x = node.inputs().get(places.a);
    Optional<String> zero = node.input(places.zeroA);
    if (zero.isEmpty()) {
      return Optional.of(codes.whole(x, dtype, 0, to));
    }
    Optional<Tensor> constant = codes.constant(zero.get()).filter(z -> z.elements() == 1);
    if (constant.isPresent()) {
      return Optional.of(codes.whole(x, dtype, (int) constant.get().getLong(0), to));
    }
    return codes
        .producer(x, "DynamicQuantizeLinear")
        .filter(made -> made.outputs().get(2).equals(zero.get()))
        .map(made -> dynamic.get(x));
  }

  private static String convolve(
      Node node, String input, String source, Tensor weights, float[] bias, Lowered to) {
    String made = to.fresh();
    boolean biased = false;
    for (float each : bias) {
      biased |= each != 0;
    }
    String added = biased ? to.constant(Tensor.of(bias, bias.length)) : "";
    Node conv =
        new Node(
            to.name(),
            Node.ONNX,
            "Conv",
            List.of(input, source, added),
            List.of(made),
            node.attributes());
    List<Long> kernel = new ArrayList<>();
    for (int axis = 2; axis < weights.shape().rank(); axis++) {
      kernel.add(weights.shape().extent(axis));
    }
    String rows = to.constant(new Constant.Compressed(Convolution.packedRows(weights), false));
    to.add(Convolution.node(conv, conv.name(), rows, kernel));
    return made;
  }

  private static String multiply(String input, String source, Tensor weights, Lowered to) {
    String made = to.fresh();
    String rows = to.constant(new Constant.Compressed(new Dense(weights), false));
    to.add(Linear.exact(to.name(), List.of(input, rows, ""), made, source));
    return made;
  }
}
