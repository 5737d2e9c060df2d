package dev.filigree.kernel;

import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import dev.filigree.kernel.quant.LinearQuantization;
import dev.filigree.kernel.quant.MatMulInteger;
import dev.filigree.kernel.quant.QLinearMatMul;
import dev.filigree.kernel.window.ConvInteger;
import dev.filigree.kernel.window.QLinearConv;
import java.util.Map;

/** Operators on integers that stand for real numbers. */
final class QuantizedOperators {
  static final Map<String, Operator> TABLE =
      Map.ofEntries(
          Map.entry("ConvInteger", new ConvInteger()),
          Map.entry("DequantizeLinear", LinearQuantization.DEQUANTIZE),
          Map.entry("DynamicQuantizeLinear", new DynamicQuantizeLinear()),
          Map.entry("MatMulInteger", new MatMulInteger()),
          Map.entry("QLinearConv", new QLinearConv()),
          Map.entry("QLinearMatMul", new QLinearMatMul()),
          Map.entry("QuantizeLinear", LinearQuantization.QUANTIZE));

  private QuantizedOperators() {}
}
