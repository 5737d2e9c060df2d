package dev.filigree.kernel;

import dev.filigree.kernel.attention.DotProductAttention;
import dev.filigree.kernel.attention.RotaryEmbedding;
import dev.filigree.kernel.control.If;
import dev.filigree.kernel.control.Loop;
import dev.filigree.kernel.control.Scan;
import dev.filigree.kernel.image.AffineGrid;
import dev.filigree.kernel.image.CenterCropPad;
import dev.filigree.kernel.index.ArgExtreme;
import dev.filigree.kernel.index.Compress;
import dev.filigree.kernel.index.EyeLike;
import dev.filigree.kernel.index.GatherElements;
import dev.filigree.kernel.index.GatherNd;
import dev.filigree.kernel.index.NonMaxSuppression;
import dev.filigree.kernel.index.NonZero;
import dev.filigree.kernel.index.OneHot;
import dev.filigree.kernel.index.ReverseSequence;
import dev.filigree.kernel.index.ScatterElements;
import dev.filigree.kernel.index.ScatterNd;
import dev.filigree.kernel.index.TensorScatter;
import dev.filigree.kernel.index.Tile;
import dev.filigree.kernel.index.TopK;
import dev.filigree.kernel.index.Trilu;
import dev.filigree.kernel.index.Unique;
import dev.filigree.kernel.loss.CrossEntropy;
import dev.filigree.kernel.math.Activations;
import dev.filigree.kernel.math.Bernoulli;
import dev.filigree.kernel.math.BitCast;
import dev.filigree.kernel.math.Bits;
import dev.filigree.kernel.math.BitwiseNot;
import dev.filigree.kernel.math.Cast;
import dev.filigree.kernel.math.Compare;
import dev.filigree.kernel.math.CumSum;
import dev.filigree.kernel.math.Determinant;
import dev.filigree.kernel.math.Einsum;
import dev.filigree.kernel.math.FloatClass;
import dev.filigree.kernel.math.Hardmax;
import dev.filigree.kernel.math.Modulo;
import dev.filigree.kernel.math.RandomNumbers;
import dev.filigree.kernel.math.Reduce;
import dev.filigree.kernel.math.Softmax;
import dev.filigree.kernel.math.Unary;
import dev.filigree.kernel.math.Variadic;
import dev.filigree.kernel.norm.AxisNormalization;
import dev.filigree.kernel.norm.RmsNormalization;
import dev.filigree.kernel.recurrent.Recurrent;
import dev.filigree.kernel.sequence.SequenceOperator;
import dev.filigree.kernel.signal.Dft;
import dev.filigree.kernel.signal.MelWeightMatrix;
import dev.filigree.kernel.signal.SignalWindow;
import dev.filigree.kernel.signal.Stft;
import dev.filigree.kernel.window.Col2Im;
import java.util.Map;

/** Operators that few networks have. */
final class OtherOperators {
  static final Map<String, Operator> TABLE =
      Map.ofEntries(
          Map.entry("Abs", Unary.numbers(Math::abs, Math::abs)),
          Map.entry("Acos", Unary.floats(Math::acos)),
          Map.entry("Acosh", Unary.floats(Unary::acosh)),
          Map.entry("AffineGrid", new AffineGrid()),
          Map.entry("ArgMax", new ArgExtreme(true)),
          Map.entry("ArgMin", new ArgExtreme(false)),
          Map.entry("Asin", Unary.floats(Math::asin)),
          Map.entry("Asinh", Unary.floats(Unary::asinh)),
          Map.entry("Atan", Unary.floats(Math::atan)),
          Map.entry("Atanh", Unary.floats(x -> 0.5 * Math.log1p(2 * x / (1 - x)))),
          Map.entry("BitCast", new BitCast()),
          Map.entry("BitShift", Bits.SHIFT),
          Map.entry("BitwiseAnd", Bits.AND),
          Map.entry("BitwiseNot", new BitwiseNot()),
          Map.entry("BitwiseOr", Bits.OR),
          Map.entry("BitwiseXor", Bits.XOR),
          Map.entry("BlackmanWindow", SignalWindow.BLACKMAN),
          Map.entry("Bernoulli", new Bernoulli()),
          Map.entry("CastLike", new Cast(true)),
          Map.entry("CenterCropPad", new CenterCropPad()),
          Map.entry("Ceil", Unary.floats(Math::ceil)),
          Map.entry("Celu", Unary.shaped(Activations::celu)),
          Map.entry("Col2Im", new Col2Im()),
          Map.entry("Compress", new Compress()),
          Map.entry("Cos", Unary.floats(Math::cos)),
          Map.entry("Cosh", Unary.floats(Math::cosh)),
          Map.entry("CumProd", new CumSum(true)),
          Map.entry("CumSum", new CumSum(false)),
          Map.entry("DFT", new Dft()),
          Map.entry("Attention", new DotProductAttention()),
          Map.entry("Det", new Determinant()),
          Map.entry("Einsum", new Einsum()),
          Map.entry("Elu", Unary.shaped(Activations::elu)),
          Map.entry("Exp", Unary.floats(Math::exp)),
          Map.entry("EyeLike", new EyeLike()),
          Map.entry("Floor", Unary.floats(Math::floor)),
          Map.entry("GRU", Recurrent.GRU),
          Map.entry("GatherElements", new GatherElements()),
          Map.entry("GatherND", new GatherNd()),
          Map.entry("Gelu", Unary.shaped(Activations::gelu)),
          Map.entry("GreaterOrEqual", Compare.GREATER_OR_EQUAL),
          Map.entry("HammingWindow", SignalWindow.HAMMING),
          Map.entry("HannWindow", SignalWindow.HANN),
          Map.entry("Hardmax", new Hardmax()),
          Map.entry("If", new If()),
          Map.entry("IsInf", FloatClass.INFINITE),
          Map.entry("IsNaN", FloatClass.NAN),
          Map.entry("LSTM", Recurrent.LSTM),
          Map.entry("LessOrEqual", Compare.LESS_OR_EQUAL),
          Map.entry("Log", Unary.floats(Math::log)),
          Map.entry("LogSoftmax", new Softmax(true)),
          Map.entry("Loop", new Loop()),
          Map.entry("LpNormalization", AxisNormalization.LP),
          Map.entry("Mean", new Variadic(Double::sum, Long::sum, true, false)),
          Map.entry("MeanVarianceNormalization", AxisNormalization.MEAN_VARIANCE),
          Map.entry("MelWeightMatrix", new MelWeightMatrix()),
          Map.entry("Mish", Unary.floats(x -> x * Math.tanh(Unary.softplus(x)))),
          Map.entry("Mod", new Modulo()),
          Map.entry("NegativeLogLikelihoodLoss", new CrossEntropy(false)),
          Map.entry("NonMaxSuppression", new NonMaxSuppression()),
          Map.entry("NonZero", new NonZero()),
          Map.entry("OneHot", new OneHot()),
          Map.entry("RMSNormalization", new RmsNormalization()),
          Map.entry("RNN", Recurrent.RNN),
          Map.entry("RandomNormal", new RandomNumbers(true, false)),
          Map.entry("RandomNormalLike", new RandomNumbers(true, true)),
          Map.entry("RandomUniform", new RandomNumbers(false, false)),
          Map.entry("RandomUniformLike", new RandomNumbers(false, true)),
          Map.entry("ReduceL1", Reduce.L1),
          Map.entry("ReduceL2", Reduce.L2),
          Map.entry("ReduceLogSum", Reduce.LOG_SUM),
          Map.entry("ReduceLogSumExp", Reduce.LOG_SUM_EXP),
          Map.entry("ReduceMin", Reduce.MIN),
          Map.entry("ReduceProd", Reduce.PROD),
          Map.entry("ReduceSumSquare", Reduce.SUM_SQUARE),
          Map.entry("ReverseSequence", new ReverseSequence()),
          Map.entry("RotaryEmbedding", new RotaryEmbedding()),
          Map.entry("Round", Unary.floats(Math::rint)),
          Map.entry("STFT", new Stft()),
          Map.entry("Scan", new Scan()),
          Map.entry("Scatter", new ScatterElements()),
          Map.entry("ScatterElements", new ScatterElements()),
          Map.entry("ScatterND", new ScatterNd()),
          Map.entry("ConcatFromSequence", SequenceOperator.CONCAT),
          Map.entry("SequenceAt", SequenceOperator.AT),
          Map.entry("SequenceConstruct", SequenceOperator.CONSTRUCT),
          Map.entry("SequenceEmpty", SequenceOperator.EMPTY),
          Map.entry("SequenceErase", SequenceOperator.ERASE),
          Map.entry("SequenceInsert", SequenceOperator.INSERT),
          Map.entry("SequenceLength", SequenceOperator.LENGTH),
          Map.entry("SplitToSequence", SequenceOperator.SPLIT),
          Map.entry("Selu", Unary.shaped(Activations::selu)),
          Map.entry("Shrink", Unary.shaped(Activations::shrink)),
          Map.entry("Sign", Unary.numbers(Math::signum, Long::signum)),
          Map.entry("Sin", Unary.floats(Math::sin)),
          Map.entry("Sinh", Unary.floats(Math::sinh)),
          Map.entry("SoftmaxCrossEntropyLoss", new CrossEntropy(true)),
          Map.entry("Softplus", Unary.floats(Unary::softplus)),
          Map.entry("Softsign", Unary.floats(x -> x / (1 + Math.abs(x)))),
          Map.entry("Sum", new Variadic(Double::sum, Long::sum, false, false)),
          Map.entry("Swish", Unary.shaped(Activations::swish)),
          Map.entry("Tan", Unary.floats(Math::tan)),
          Map.entry("TensorScatter", new TensorScatter()),
          Map.entry("ThresholdedRelu", Unary.shaped(Activations::thresholdedRelu)),
          Map.entry("Tile", new Tile()),
          Map.entry("TopK", new TopK()),
          Map.entry("Trilu", new Trilu()),
          Map.entry("Unique", new Unique()),
          Map.entry("Xor", Compare.XOR));

  private OtherOperators() {}
}
