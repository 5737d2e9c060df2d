package dev.filigree.kernel;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.math.Binary;
import dev.filigree.kernel.math.Cast;
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
import dev.filigree.kernel.shape.Expand;
import dev.filigree.kernel.shape.Gather;
import dev.filigree.kernel.shape.Range;
import dev.filigree.kernel.shape.ShapeOf;
import dev.filigree.kernel.shape.Slice;
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
          Map.entry("Add", Binary.ADD),
          Map.entry("And", Compare.AND),
          Map.entry("Cast", new Cast()),
          Map.entry("Ceil", Unary.floats(Math::ceil)),
          Map.entry("Concat", new Concat()),
          Map.entry("Constant", new ConstantNode()),
          Map.entry("ConstantOfShape", new ConstantOfShape()),
          Map.entry("Cos", Unary.floats(Math::cos)),
          Map.entry("DequantizeLinear", LinearQuantization.DEQUANTIZE),
          Map.entry("Div", Binary.DIV),
          Map.entry("DynamicQuantizeLinear", new DynamicQuantizeLinear()),
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
          Map.entry("Identity", View.IDENTITY),
          Map.entry("LayerNormalization", new LayerNormalization()),
          Map.entry("Less", Compare.LESS),
          Map.entry("LessOrEqual", Compare.LESS_OR_EQUAL),
          Map.entry("Log", Unary.floats(Math::log)),
          Map.entry("LogSoftmax", new Softmax(true)),
          Map.entry("MatMul", new MatMul()),
          Map.entry("MatMulInteger", new MatMulInteger()),
          Map.entry("Max", new Variadic(Math::max, Math::max, false)),
          Map.entry("Mean", new Variadic(Double::sum, Long::sum, true)),
          Map.entry("Min", new Variadic(Math::min, Math::min, false)),
          Map.entry("Mul", Binary.MUL),
          Map.entry("Neg", Unary.numbers(x -> -x, x -> -x)),
          Map.entry("Not", new Not()),
          Map.entry("Or", Compare.OR),
          Map.entry("Pow", new Pow()),
          Map.entry("QuantizeLinear", LinearQuantization.QUANTIZE),
          Map.entry("Range", new Range()),
          Map.entry("Reciprocal", Unary.floats(x -> 1 / x)),
          Map.entry("ReduceMax", Reduce.MAX),
          Map.entry("ReduceMean", Reduce.MEAN),
          Map.entry("ReduceMin", Reduce.MIN),
          Map.entry("ReduceProd", Reduce.PROD),
          Map.entry("ReduceSum", Reduce.SUM),
          Map.entry("Relu", Unary.numbers(x -> Math.max(x, 0), x -> Math.max(x, 0))),
          Map.entry("Reshape", View.RESHAPE),
          Map.entry("Shape", new ShapeOf(false)),
          Map.entry("Sigmoid", Unary.floats(Unary::sigmoid)),
          Map.entry("Sin", Unary.floats(Math::sin)),
          Map.entry("Size", new ShapeOf(true)),
          Map.entry("Slice", new Slice()),
          Map.entry("Softmax", new Softmax(false)),
          Map.entry("Sqrt", Unary.floats(Math::sqrt)),
          Map.entry("Squeeze", View.SQUEEZE),
          Map.entry("Sub", Binary.SUB),
          Map.entry("Sum", new Variadic(Double::sum, Long::sum, false)),
          Map.entry("Tanh", Unary.floats(Math::tanh)),
          Map.entry("Transpose", new Transpose()),
          Map.entry("Unsqueeze", View.UNSQUEEZE),
          Map.entry("Where", new Where()));

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
    return operator;
  }

  /** Types of the supported ONNX operators. */
  public static Set<String> onnxTypes() {
    return ONNX.keySet();
  }
}
