package dev.filigree.kernel;

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
import dev.filigree.kernel.shape.Concat;
import dev.filigree.kernel.shape.ConstantNode;
import dev.filigree.kernel.shape.ConstantOfShape;
import dev.filigree.kernel.shape.Expand;
import dev.filigree.kernel.shape.Gather;
import dev.filigree.kernel.shape.Range;
import dev.filigree.kernel.shape.ShapeOf;
import dev.filigree.kernel.shape.Slice;
import dev.filigree.kernel.shape.Split;
import dev.filigree.kernel.shape.Transpose;
import dev.filigree.kernel.shape.View;
import java.util.Map;

/** Operators that nearly every network has: arithmetic, shapes and products. */
final class CommonOperators {
  static final Map<String, Operator> TABLE =
      Map.ofEntries(
          Map.entry("Add", Binary.ADD),
          Map.entry("And", Compare.AND),
          Map.entry("Cast", new Cast(false)),
          Map.entry("Clip", new Clip()),
          Map.entry("Concat", new Concat()),
          Map.entry("Constant", new ConstantNode()),
          Map.entry("ConstantOfShape", new ConstantOfShape()),
          Map.entry("Div", Binary.DIV),
          Map.entry("Equal", Compare.EQUAL),
          Map.entry("Erf", Unary.floats(Unary::erf)),
          Map.entry("Expand", new Expand()),
          Map.entry("Flatten", View.FLATTEN),
          Map.entry("Gather", new Gather()),
          Map.entry("Gemm", new Gemm()),
          Map.entry("Greater", Compare.GREATER),
          Map.entry("Identity", View.IDENTITY),
          Map.entry("LayerNormalization", new LayerNormalization()),
          Map.entry("Less", Compare.LESS),
          Map.entry("MatMul", new MatMul()),
          Map.entry("Max", new Variadic(Math::max, Math::max, false, true)),
          Map.entry("Min", new Variadic(Math::min, Math::min, false, true)),
          Map.entry("Mul", Binary.MUL),
          Map.entry("Neg", Unary.numbers(x -> -x, x -> -x)),
          Map.entry("Not", new Not()),
          Map.entry("Or", Compare.OR),
          Map.entry("Pow", new Pow()),
          Map.entry("Range", new Range()),
          Map.entry("Reciprocal", Unary.floats(x -> 1 / x)),
          Map.entry("ReduceMax", Reduce.MAX),
          Map.entry("ReduceMean", Reduce.MEAN),
          Map.entry("ReduceSum", Reduce.SUM),
          Map.entry("Relu", Unary.numbers(x -> Math.max(x, 0), x -> Math.max(x, 0))),
          Map.entry("Reshape", View.RESHAPE),
          Map.entry("Shape", new ShapeOf(false)),
          Map.entry("Sigmoid", Unary.floats(Unary::sigmoid)),
          Map.entry("Size", new ShapeOf(true)),
          Map.entry("Slice", new Slice()),
          Map.entry("Softmax", new Softmax(false)),
          Map.entry("Split", new Split()),
          Map.entry("Sqrt", Unary.floats(Math::sqrt)),
          Map.entry("Squeeze", View.SQUEEZE),
          Map.entry("Sub", Binary.SUB),
          Map.entry("Tanh", Unary.floats(Math::tanh)),
          Map.entry("Transpose", new Transpose()),
          Map.entry("Unsqueeze", View.UNSQUEEZE),
          Map.entry("Where", new Where()));

  private CommonOperators() {}
}
