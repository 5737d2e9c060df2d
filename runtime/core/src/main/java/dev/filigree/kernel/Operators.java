package dev.filigree.kernel;

import dev.filigree.GraphException;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import dev.filigree.kernel.control.If;
import dev.filigree.kernel.control.Loop;
import dev.filigree.kernel.control.Scan;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.image.GridSample;
import dev.filigree.kernel.image.Resize;
import dev.filigree.kernel.image.RoiAlign;
import dev.filigree.kernel.image.SpaceDepth;
import dev.filigree.kernel.index.ArgExtreme;
import dev.filigree.kernel.index.Compress;
import dev.filigree.kernel.index.EyeLike;
import dev.filigree.kernel.index.GatherElements;
import dev.filigree.kernel.index.GatherNd;
import dev.filigree.kernel.index.NonMaxSuppression;
import dev.filigree.kernel.index.NonZero;
import dev.filigree.kernel.index.OneHot;
import dev.filigree.kernel.index.Pad;
import dev.filigree.kernel.index.ReverseSequence;
import dev.filigree.kernel.index.ScatterElements;
import dev.filigree.kernel.index.ScatterNd;
import dev.filigree.kernel.index.Tile;
import dev.filigree.kernel.index.TopK;
import dev.filigree.kernel.index.Trilu;
import dev.filigree.kernel.index.Unique;
import dev.filigree.kernel.math.Activations;
import dev.filigree.kernel.math.Binary;
import dev.filigree.kernel.math.Bits;
import dev.filigree.kernel.math.BitwiseNot;
import dev.filigree.kernel.math.Cast;
import dev.filigree.kernel.math.Clip;
import dev.filigree.kernel.math.Compare;
import dev.filigree.kernel.math.CumSum;
import dev.filigree.kernel.math.Determinant;
import dev.filigree.kernel.math.Einsum;
import dev.filigree.kernel.math.FloatClass;
import dev.filigree.kernel.math.Gemm;
import dev.filigree.kernel.math.Hardmax;
import dev.filigree.kernel.math.LayerNormalization;
import dev.filigree.kernel.math.MatMul;
import dev.filigree.kernel.math.Modulo;
import dev.filigree.kernel.math.Not;
import dev.filigree.kernel.math.Pow;
import dev.filigree.kernel.math.Reduce;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.kernel.math.Unary;
import dev.filigree.kernel.math.Variadic;
import dev.filigree.kernel.math.Where;
import dev.filigree.kernel.norm.AxisNormalization;
import dev.filigree.kernel.norm.BatchNormalization;
import dev.filigree.kernel.norm.GroupNormalization;
import dev.filigree.kernel.norm.LocalResponseNormalization;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.kernel.quant.LinearQuantization;
import dev.filigree.kernel.quant.MatMulInteger;
import dev.filigree.kernel.quant.QLinearMatMul;
import dev.filigree.kernel.recurrent.Recurrent;
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
import dev.filigree.kernel.signal.Dft;
import dev.filigree.kernel.signal.MelWeightMatrix;
import dev.filigree.kernel.signal.SignalWindow;
import dev.filigree.kernel.signal.Stft;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.ConvInteger;
import dev.filigree.kernel.window.ConvTranspose;
import dev.filigree.kernel.window.GlobalPool;
import dev.filigree.kernel.window.MaxUnpool;
import dev.filigree.kernel.window.Pool;
import dev.filigree.kernel.window.QLinearConv;
import java.util.Map;
import java.util.Set;

/** The operators Filigree knows, by domain and type. */
public final class Operators {
  private static final Map<String, Operator> ONNX =
      Map.ofEntries(
          Map.entry("Abs", Unary.numbers(Math::abs, Math::abs)),
          Map.entry("Acos", Unary.floats(Math::acos)),
          Map.entry("Acosh", Unary.floats(x -> Math.log(x + Math.sqrt(x * x - 1)))),
          Map.entry("Add", Binary.ADD),
          Map.entry("And", Compare.AND),
          Map.entry("ArgMax", new ArgExtreme(true)),
          Map.entry("ArgMin", new ArgExtreme(false)),
          Map.entry("Asin", Unary.floats(Math::asin)),
          Map.entry("Asinh", Unary.floats(Unary::asinh)),
          Map.entry("Atan", Unary.floats(Math::atan)),
          Map.entry("Atanh", Unary.floats(x -> 0.5 * Math.log1p(2 * x / (1 - x)))),
          Map.entry("AveragePool", Pool.AVERAGE),
          Map.entry("BatchNormalization", new BatchNormalization()),
          Map.entry("BitShift", Bits.SHIFT),
          Map.entry("BitwiseAnd", Bits.AND),
          Map.entry("BitwiseNot", new BitwiseNot()),
          Map.entry("BitwiseOr", Bits.OR),
          Map.entry("BitwiseXor", Bits.XOR),
          Map.entry("BlackmanWindow", SignalWindow.BLACKMAN),
          Map.entry("Cast", new Cast(false)),
          Map.entry("CastLike", new Cast(true)),
          Map.entry("Ceil", Unary.floats(Math::ceil)),
          Map.entry("Celu", Unary.shaped(Activations::celu)),
          Map.entry("Clip", new Clip()),
          Map.entry("Compress", new Compress()),
          Map.entry("Concat", new Concat()),
          Map.entry("Constant", new ConstantNode()),
          Map.entry("ConstantOfShape", new ConstantOfShape()),
          Map.entry("Conv", new Conv()),
          Map.entry("ConvInteger", new ConvInteger()),
          Map.entry("ConvTranspose", new ConvTranspose()),
          Map.entry("Cos", Unary.floats(Math::cos)),
          Map.entry("Cosh", Unary.floats(Math::cosh)),
          Map.entry("CumSum", new CumSum()),
          Map.entry("DFT", new Dft()),
          Map.entry("DepthToSpace", new SpaceDepth(false)),
          Map.entry("DequantizeLinear", LinearQuantization.DEQUANTIZE),
          Map.entry("Det", new Determinant()),
          Map.entry("Div", Binary.DIV),
          Map.entry("Dropout", new Dropout()),
          Map.entry("DynamicQuantizeLinear", new DynamicQuantizeLinear()),
          Map.entry("Einsum", new Einsum()),
          Map.entry("Elu", Unary.shaped(Activations::elu)),
          Map.entry("Equal", Compare.EQUAL),
          Map.entry("Erf", Unary.floats(Unary::erf)),
          Map.entry("Exp", Unary.floats(Math::exp)),
          Map.entry("Expand", new Expand()),
          Map.entry("EyeLike", new EyeLike()),
          Map.entry("Flatten", View.FLATTEN),
          Map.entry("Floor", Unary.floats(Math::floor)),
          Map.entry("GRU", Recurrent.GRU),
          Map.entry("Gather", new Gather()),
          Map.entry("GatherElements", new GatherElements()),
          Map.entry("GatherND", new GatherNd()),
          Map.entry("Gemm", new Gemm()),
          Map.entry("GlobalAveragePool", GlobalPool.AVERAGE),
          Map.entry("GlobalLpPool", GlobalPool.LP),
          Map.entry("GlobalMaxPool", GlobalPool.MAX),
          Map.entry("Greater", Compare.GREATER),
          Map.entry("GreaterOrEqual", Compare.GREATER_OR_EQUAL),
          Map.entry("GridSample", new GridSample()),
          Map.entry("GroupNormalization", new GroupNormalization(false)),
          Map.entry("HammingWindow", SignalWindow.HAMMING),
          Map.entry("HannWindow", SignalWindow.HANN),
          Map.entry("HardSigmoid", Unary.shaped(Activations::hardSigmoid)),
          Map.entry("HardSwish", Unary.floats(x -> x * Math.clamp(x / 6 + 0.5, 0.0, 1.0))),
          Map.entry("Hardmax", new Hardmax()),
          Map.entry("Identity", View.IDENTITY),
          Map.entry("If", new If()),
          Map.entry("InstanceNormalization", new GroupNormalization(true)),
          Map.entry("IsInf", FloatClass.INFINITE),
          Map.entry("IsNaN", FloatClass.NAN),
          Map.entry("LRN", new LocalResponseNormalization()),
          Map.entry("LSTM", Recurrent.LSTM),
          Map.entry("LayerNormalization", new LayerNormalization()),
          Map.entry("LeakyRelu", Unary.shaped(Activations::leakyRelu)),
          Map.entry("Less", Compare.LESS),
          Map.entry("LessOrEqual", Compare.LESS_OR_EQUAL),
          Map.entry("Log", Unary.floats(Math::log)),
          Map.entry("LogSoftmax", new Softmax(true)),
          Map.entry("Loop", new Loop()),
          Map.entry("LpNormalization", AxisNormalization.LP),
          Map.entry("LpPool", Pool.LP),
          Map.entry("MatMul", new MatMul()),
          Map.entry("MatMulInteger", new MatMulInteger()),
          Map.entry("Max", new Variadic(Math::max, Math::max, false, true)),
          Map.entry("MaxPool", Pool.MAX),
          Map.entry("MaxUnpool", new MaxUnpool()),
          Map.entry("Mean", new Variadic(Double::sum, Long::sum, true, false)),
          Map.entry("MeanVarianceNormalization", AxisNormalization.MEAN_VARIANCE),
          Map.entry("MelWeightMatrix", new MelWeightMatrix()),
          Map.entry("Min", new Variadic(Math::min, Math::min, false, true)),
          Map.entry("Mish", Unary.floats(x -> x * Math.tanh(Unary.softplus(x)))),
          Map.entry("Mod", new Modulo()),
          Map.entry("Mul", Binary.MUL),
          Map.entry("Neg", Unary.numbers(x -> -x, x -> -x)),
          Map.entry("NonMaxSuppression", new NonMaxSuppression()),
          Map.entry("NonZero", new NonZero()),
          Map.entry("Not", new Not()),
          Map.entry("OneHot", new OneHot()),
          Map.entry("Or", Compare.OR),
          Map.entry("PRelu", Binary.PRELU),
          Map.entry("Pad", new Pad()),
          Map.entry("Pow", new Pow()),
          Map.entry("QLinearConv", new QLinearConv()),
          Map.entry("QLinearMatMul", new QLinearMatMul()),
          Map.entry("QuantizeLinear", LinearQuantization.QUANTIZE),
          Map.entry("RNN", Recurrent.RNN),
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
          Map.entry("Resize", new Resize(false)),
          Map.entry("ReverseSequence", new ReverseSequence()),
          Map.entry("RoiAlign", new RoiAlign()),
          Map.entry("Round", Unary.floats(Math::rint)),
          Map.entry("STFT", new Stft()),
          Map.entry("Scan", new Scan()),
          Map.entry("Scatter", new ScatterElements()),
          Map.entry("ScatterElements", new ScatterElements()),
          Map.entry("ScatterND", new ScatterNd()),
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
          Map.entry("SpaceToDepth", new SpaceDepth(true)),
          Map.entry("Split", new Split()),
          Map.entry("Sqrt", Unary.floats(Math::sqrt)),
          Map.entry("Squeeze", View.SQUEEZE),
          Map.entry("Sub", Binary.SUB),
          Map.entry("Sum", new Variadic(Double::sum, Long::sum, false, false)),
          Map.entry("Tan", Unary.floats(Math::tan)),
          Map.entry("Tanh", Unary.floats(Math::tanh)),
          Map.entry("ThresholdedRelu", Unary.shaped(Activations::thresholdedRelu)),
          Map.entry("Tile", new Tile()),
          Map.entry("TopK", new TopK()),
          Map.entry("Transpose", new Transpose()),
          Map.entry("Trilu", new Trilu()),
          Map.entry("Unique", new Unique()),
          Map.entry("Unsqueeze", View.UNSQUEEZE),
          Map.entry("Upsample", new Resize(true)),
          Map.entry("Where", new Where()),
          Map.entry("Xor", Compare.XOR));

  private static final Map<String, Operator> FUSED =
      Map.of(
          Attention.TYPE,
          new Attention(),
          Convolution.TYPE,
          new Convolution(),
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
          "the nearest one it supports is "
              + NearestOperator.of(shortened(node.type()), ONNX.keySet())
              + "; 'filigree operators' lists them all");
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

  /**
   * An operator's name as far as a name can mean something: a damaged file's may be of any length.
   */
  private static String shortened(String type) {
    return type.substring(0, Math.min(type.length(), 64));
  }

  /** Types of the supported ONNX operators. */
  public static Set<String> onnxTypes() {
    return ONNX.keySet();
  }
}
