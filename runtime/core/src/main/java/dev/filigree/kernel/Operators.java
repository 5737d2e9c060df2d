package dev.filigree.kernel;

import dev.filigree.GraphException;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.math.Activations;
import dev.filigree.kernel.math.Binary;
import dev.filigree.kernel.math.Cast;
import dev.filigree.kernel.math.Clip;
import dev.filigree.kernel.math.Compare;
import dev.filigree.kernel.math.Gemm;
import dev.filigree.kernel.math.LayerNormalization;
import dev.filigree.kernel.math.MatMul;
import dev.filigree.kernel.math.Not;
import dev.filigree.kernel.math.Pow;
import dev.filigree.kernel.math.Reduce;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.kernel.math.Unary;
import dev.filigree.kernel.math.Variadic;
import dev.filigree.kernel.math.Where;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.kernel.quant.LinearQuantization;
import dev.filigree.kernel.quant.MatMulInteger;
import dev.filigree.kernel.shape.Concat;
import dev.filigree.kernel.shape.ConstantNode;
import dev.filigree.kernel.shape.ConstantOfShape;
import dev.filigree.kernel.shape.Dropout;
import dev.filigree.kernel.shape.Expand;
import dev.filigree.kernel.shape.Gather;
import dev.filigree.kernel.shape.Range;
import dev.filigree.kernel.shape.ShapeOf;
import dev.filigree.kernel.shape.Slice;
import dev.filigree.kernel.shape.Split;
import dev.filigree.kernel.shape.Transpose;
import dev.filigree.kernel.shape.View;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The operators Filigree knows, by domain and type. */
public final class Operators {
  private static final Map<String, Operator> ONNX =
      Map.ofEntries(
          Map.entry("Abs", Unary.numbers(Math::abs, Math::abs)),
          Map.entry("Acos", Unary.floats(Math::acos)),
          Map.entry("Acosh", Unary.floats(x -> Math.log(x + Math.sqrt(x * x - 1)))),
          Map.entry("Add", Binary.ADD),
          Map.entry("And", Compare.AND),
          Map.entry("Asin", Unary.floats(Math::asin)),
          Map.entry("Asinh", Unary.floats(Unary::asinh)),
          Map.entry("Atan", Unary.floats(Math::atan)),
          Map.entry("Atanh", Unary.floats(x -> 0.5 * Math.log1p(2 * x / (1 - x)))),
          Map.entry("Cast", new Cast(false)),
          Map.entry("CastLike", new Cast(true)),
          Map.entry("Ceil", Unary.floats(Math::ceil)),
          Map.entry("Celu", Unary.shaped(Activations::celu)),
          Map.entry("Clip", new Clip()),
          Map.entry("Concat", new Concat()),
          Map.entry("Constant", new ConstantNode()),
          Map.entry("ConstantOfShape", new ConstantOfShape()),
          Map.entry("Cos", Unary.floats(Math::cos)),
          Map.entry("Cosh", Unary.floats(Math::cosh)),
          Map.entry("DequantizeLinear", LinearQuantization.DEQUANTIZE),
          Map.entry("Div", Binary.DIV),
          Map.entry("Dropout", new Dropout()),
          Map.entry("DynamicQuantizeLinear", new DynamicQuantizeLinear()),
          Map.entry("Elu", Unary.shaped(Activations::elu)),
          Map.entry("Equal", Compare.EQUAL),
          Map.entry("Erf", Unary.floats(Unary::erf)),
          Map.entry("Exp", Unary.floats(Math::exp)),
          Map.entry("Expand", new Expand()),
          Map.entry("Flatten", View.FLATTEN),
          Map.entry("Floor", Unary.floats(Math::floor)),
          Map.entry("Gather", new Gather()),
          Map.entry("Gemm", new Gemm()),
          Map.entry("Greater", Compare.GREATER),
          Map.entry("GreaterOrEqual", Compare.GREATER_OR_EQUAL),
          Map.entry("HardSigmoid", Unary.shaped(Activations::hardSigmoid)),
          Map.entry("HardSwish", Unary.floats(x -> x * Math.clamp(x / 6 + 0.5, 0.0, 1.0))),
          Map.entry("Identity", View.IDENTITY),
          Map.entry("LayerNormalization", new LayerNormalization()),
          Map.entry("LeakyRelu", Unary.shaped(Activations::leakyRelu)),
          Map.entry("Less", Compare.LESS),
          Map.entry("LessOrEqual", Compare.LESS_OR_EQUAL),
          Map.entry("Log", Unary.floats(Math::log)),
          Map.entry("LogSoftmax", new Softmax(true)),
          Map.entry("MatMul", new MatMul()),
          Map.entry("MatMulInteger", new MatMulInteger()),
          Map.entry("Max", new Variadic(Math::max, Math::max, false)),
          Map.entry("Mean", new Variadic(Double::sum, Long::sum, true)),
          Map.entry("Min", new Variadic(Math::min, Math::min, false)),
          Map.entry("Mish", Unary.floats(x -> x * Math.tanh(Unary.softplus(x)))),
          Map.entry("Mul", Binary.MUL),
          Map.entry("Neg", Unary.numbers(x -> -x, x -> -x)),
          Map.entry("Not", new Not()),
          Map.entry("Or", Compare.OR),
          Map.entry("PRelu", Binary.PRELU),
          Map.entry("Pow", new Pow()),
          Map.entry("QuantizeLinear", LinearQuantization.QUANTIZE),
          Map.entry("Range", new Range()),
          Map.entry("Reciprocal", Unary.floats(x -> 1 / x)),
          Map.entry("ReduceL1", Reduce.L1),
          Map.entry("ReduceL2", Reduce.L2),
          Map.entry("ReduceLogSum", Reduce.LOG_SUM),
          Map.entry("ReduceLogSumExp", Reduce.LOG_SUM_EXP),
          Map.entry("ReduceMax", Reduce.MAX),
          Map.entry("ReduceMean", Reduce.MEAN),
          Map.entry("ReduceMin", Reduce.MIN),
          Map.entry("ReduceProd", Reduce.PROD),
          Map.entry("ReduceSum", Reduce.SUM),
          Map.entry("ReduceSumSquare", Reduce.SUM_SQUARE),
          Map.entry("Relu", Unary.numbers(x -> Math.max(x, 0), x -> Math.max(x, 0))),
          Map.entry("Reshape", View.RESHAPE),
          Map.entry("Round", Unary.floats(Math::rint)),
          Map.entry("Selu", Unary.shaped(Activations::selu)),
          Map.entry("Shape", new ShapeOf(false)),
          Map.entry("Shrink", Unary.shaped(Activations::shrink)),
          Map.entry("Sigmoid", Unary.floats(Unary::sigmoid)),
          Map.entry("Sign", Unary.numbers(Math::signum, Long::signum)),
          Map.entry("Sin", Unary.floats(Math::sin)),
          Map.entry("Sinh", Unary.floats(Math::sinh)),
          Map.entry("Size", new ShapeOf(true)),
          Map.entry("Slice", new Slice()),
          Map.entry("Softmax", new Softmax(false)),
          Map.entry("Softplus", Unary.floats(Unary::softplus)),
          Map.entry("Softsign", Unary.floats(x -> x / (1 + Math.abs(x)))),
          Map.entry("Split", new Split()),
          Map.entry("Sqrt", Unary.floats(Math::sqrt)),
          Map.entry("Squeeze", View.SQUEEZE),
          Map.entry("Sub", Binary.SUB),
          Map.entry("Sum", new Variadic(Double::sum, Long::sum, false)),
          Map.entry("Tan", Unary.floats(Math::tan)),
          Map.entry("Tanh", Unary.floats(Math::tanh)),
          Map.entry("ThresholdedRelu", Unary.shaped(Activations::thresholdedRelu)),
          Map.entry("Transpose", new Transpose()),
          Map.entry("Unsqueeze", View.UNSQUEEZE),
          Map.entry("Where", new Where()),
          Map.entry("Xor", Compare.XOR));

  private static final Map<String, Operator> FUSED =
      Map.of(
          Attention.TYPE,
          new Attention(),
          Embedding.TYPE,
          new Embedding(),
          "Gelu",
          Unary.floats(Unary::gelu),
          Linear.TYPE,
          new Linear());

  private Operators() {}

  /**
   * The operator of a node.
   *
   * @throws UnsupportedException if Filigree does not know it
   * @throws GraphException if the node lacks an input or output that the operator needs
   */
  public static Operator find(Node node) {
    Operator operator =
        switch (node.domain()) {
          case Node.ONNX -> ONNX.get(node.type());
          case Node.FUSED -> FUSED.get(node.type());
          default -> null;
        };
    if (operator == null) {
      throw node.unsupported(
          "uses an operator that Filigree does not support",
          "supported are " + String.join(", ", new TreeSet<>(ONNX.keySet())));
    }
    for (int i = 0; i < operator.leastInputs(); i++) {
      if (node.input(i).isEmpty()) {
        throw node.problem("lacks its input " + i, "export the graph again");
      }
    }
    for (int i = 0; i < operator.leastOutputs(); i++) {
      if (i >= node.outputs().size() || node.outputs().get(i).isEmpty()) {
        throw node.problem("lacks its output " + i, "export the graph again");
      }
    }
    return operator;
  }

  /** Types of the supported ONNX operators. */
  public static Set<String> onnxTypes() {
    return ONNX.keySet();
  }
}
