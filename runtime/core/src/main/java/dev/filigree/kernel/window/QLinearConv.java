package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.quant.QuantizedScales;
import dev.filigree.kernel.quant.ZeroPoints;
import java.util.List;

/**
 * Convolution of quantised tensors: {@code y = saturate(round(sum * scaleX * scaleW / scaleY) +
 * zeroY)}, rounded half to even, with an i32 bias added to the sum. Scales are multiplied in f32,
 * and the sum by them, so that codes are ONNX Runtime's also where a result lies between two.
 */
public final class QLinearConv implements Operator {
  private static final int X = 0;
  private static final int W = 3;
  private static final int Y_SCALE = 6;
  private static final int Y_ZERO = 7;
  private static final int BIAS = 8;

  @Override
  public int leastInputs() {
    return 8;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(X);
    ValueType w = inputs.required(W);
    DType result = inputs.required(Y_ZERO).dtype();
    if (x.dtype().bytes() != 1 || w.dtype().bytes() != 1 || result.bytes() != 1) {
      throw node.problem("convolves " + x + " with " + w, "pass i8 or u8 tensors");
    }
    ZeroPoints.require(node, inputs.type(X + 2), x, Dim.ONE);
    ZeroPoints.require(node, inputs.type(W + 2), w, w.dim(0));
    QuantizedScales.require(node, inputs, X + 1, Dim.ONE);
    QuantizedScales.require(node, inputs, W + 1, w.dim(0));
    QuantizedScales.require(node, inputs, Y_SCALE, Dim.ONE);
    return List.of(ValueType.of(result, Conv.dims(node, x, w, inputs.type(BIAS))));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    Tensor bias = binding.has(BIAS) ? binding.input(BIAS) : null;
    Tensor scaleX = binding.input(X + 1);
    Tensor scaleW = binding.input(W + 1);
    Tensor scaleY = binding.input(Y_SCALE);
    Tensor zeroY = binding.input(Y_ZERO);
    return ConvInteger.products(
        binding.node(),
        binding.input(X),
        binding.input(W),
        binding.input(X + 2),
        binding.input(W + 2),
        (at, output, sum) -> {
          float factor = QuantizedScales.factor(scaleX, 0, scaleW, output, scaleY);
          long total = sum + (bias == null ? 0 : bias.getLong(output));
          QuantizedScales.store(y, at, total * factor, zeroY.getLong(0));
        });
  }
}
