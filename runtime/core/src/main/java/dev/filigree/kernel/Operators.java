package dev.filigree.kernel;

import dev.filigree.GraphException;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.kernel.fused.CodeOperation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.DynamicCodes;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.LastToken;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.RootMeanSquare;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.kernel.math.Unary;
import dev.filigree.kernel.quant.LinearQuantization;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The operators Filigree knows, by domain and type. Their tables are filled one after the other and
 * only as far as a model needs: a table brings all its classes with it, and opening a model would
 * mostly wait for those it does not use.
 */
public final class Operators {
  private static final Map<String, Operator> FUSED =
      Map.ofEntries(
          Map.entry(Attention.TYPE, new Attention()),
          Map.entry(CachedAttention.TYPE, new CachedAttention()),
          Map.entry(CodeOperation.ADD.type(), CodeOperation.ADD),
          Map.entry(CodeOperation.MEAN.type(), CodeOperation.MEAN),
          Map.entry(CodeOperation.MULTIPLY.type(), CodeOperation.MULTIPLY),
          Map.entry(CodeOperation.REQUANTIZE.type(), CodeOperation.REQUANTIZE),
          Map.entry(CodeOperation.ROUND.type(), CodeOperation.ROUND),
          Map.entry(Convolution.TYPE, new Convolution()),
          Map.entry(DynamicCodes.TYPE, new DynamicCodes()),
          Map.entry(Embedding.TYPE, new Embedding()),
          Map.entry(Experts.TYPE, new Experts()),
          Map.entry(Gated.TYPE, new Gated()),
          Map.entry("Gelu", Unary.floats(Unary::gelu)),
          Map.entry("GeluTanh", Unary.floats(Activation.GELU_TANH::apply)),
          Map.entry(LastToken.TYPE, new LastToken()),
          Map.entry(Linear.TYPE, new Linear()),
          Map.entry(RootMeanSquare.TYPE, new RootMeanSquare()),
          Map.entry(Rotary.TYPE, new Rotary()),
          Map.entry("QuantizeFloats", LinearQuantization.QUANTIZE_FLOATS),
          Map.entry("DequantizeFloats", LinearQuantization.DEQUANTIZE_FLOATS),
          Map.entry("Silu", Unary.floats(Activation.SILU::apply)));

  /** Domain of what ONNX Runtime's optimisation of level all writes. */
  private static final String ONE_PROCESSOR = "com.microsoft.nchwc";

  /** Trees, encoders of categories and the like. */
  private static final String CLASSICAL = "ai.onnx.ml";

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
          case Node.ONNX -> onnx(node.type());
          case Node.FUSED -> FUSED.get(node.type());
          default -> null;
        };
    if (operator == null) {
      if (node.domain().equals(ONE_PROCESSOR)) {
        throw node.unsupported(
            "was laid out by ONNX Runtime for one kind of processor",
            "take the model it was made of, or save it with optimisation of level extended");
      }
      if (node.domain().equals(CLASSICAL)) {
        throw node.unsupported(
            "is one of the trees and scalers of ai.onnx.ml, which are not run",
            "pass the network without them, or export them as operations on tensors");
      }
      throw node.unsupported(
          "uses an operator that Filigree does not support",
          "the nearest one it supports is "
              + NearestOperator.of(shortened(node.type()), onnxTypes())
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

  /** Null if there is none. */
  private static Operator onnx(String type) {
    Operator operator = CommonOperators.TABLE.get(type);
    if (operator == null) {
      operator = QuantizedOperators.TABLE.get(type);
    }
    if (operator == null) {
      operator = ImageOperators.TABLE.get(type);
    }
    return operator == null ? OtherOperators.TABLE.get(type) : operator;
  }

  /** Types of the supported ONNX operators. */
  public static Set<String> onnxTypes() {
    Set<String> types = new TreeSet<>(CommonOperators.TABLE.keySet());
    types.addAll(QuantizedOperators.TABLE.keySet());
    types.addAll(ImageOperators.TABLE.keySet());
    types.addAll(OtherOperators.TABLE.keySet());
    return types;
  }
}
