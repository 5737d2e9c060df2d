package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.weights.Dense;
import java.util.Map;

/**
 * MatMulBnb4, weights of bitsandbytes in ONNX files: codes of a table of sixteen values, scaled by
 * runs of the flattened weights. No form of Filigree's scales a codebook so, and they become f32:
 *
 * <pre>
 *   codes   u8 [out * in / 2], the first of two in the high half
 *   scales  f32 or f16 [out * in / block_size]
 * </pre>
 */
final class VendorCodebook {
  private static final long FP4 = 0;
  private static final long NF4 = 1;

  /** Values of a sign, two bits of exponent and one of mantissa, as bitsandbytes lays them out. */
  private static final float[] FLOATS = {
    0,
    0.00520833333f,
    0.66666667f,
    1,
    0.33333333f,
    0.5f,
    0.16666667f,
    0.25f,
    -0f,
    -0.00520833333f,
    -0.66666667f,
    -1,
    -0.33333333f,
    -0.5f,
    -0.16666667f,
    -0.25f
  };

  /** Quantiles of the normal distribution (T. Dettmers et al., QLoRA, 2023, appendix E). */
  private static final float[] QUANTILES = {
    -1,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1
  };

  private VendorCodebook() {}

  static void matMul(Node node, Lowered to, Map<String, Constant> constants) {
    long kind = node.intAttribute("quant_type", NF4);
    if (kind != FP4 && kind != NF4 || node.intAttribute("transB", 1) == 0) {
      throw node.unsupported(
          "has weights of the kind " + kind + ", or by columns", "use fp4 or nf4, by rows");
    }
    int rows = VendorBlocks.extent(node, "N");
    int columns = VendorBlocks.extent(node, "K");
    int block = VendorBlocks.extent(node, "block_size");
    Tensor codes = VendorBlocks.constant(node, 1, constants);
    Tensor scales = VendorBlocks.constant(node, 2, constants);
    long count = (long) rows * columns;
    if (codes.dtype() != DType.U8 || codes.elements() != Math.ceilDiv(count, 2L)) {
      throw node.problem("has the codes " + codes, "give u8, two for each of its N * K / 2");
    }
    if (!scales.dtype().isFloating() || scales.elements() != Math.ceilDiv(count, (long) block)) {
      throw node.problem("has the scales " + scales, "give one for each block of its N * K");
    }
    float[] values = kind == FP4 ? FLOATS : QUANTILES;
    Tensor weights = Tensor.zeros(DType.F32, Shape.of(rows, columns));
    for (long i = 0; i < count; i++) {
      long pair = codes.getLong(i / 2);
      int code = (int) (i % 2 == 0 ? pair >> 4 : pair) & 15;
      weights.setDouble(i, values[code] * (float) scales.getDouble(i / block));
    }
    String name = to.constant(new Constant.Compressed(new Dense(weights), true));
    to.into("MatMul", Map.of(), to.in(0), name);
  }
}
