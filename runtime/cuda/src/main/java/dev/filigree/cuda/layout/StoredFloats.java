package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.Arrays;

/**
 * Weights rounded to a 16-bit type.
 *
 * @param weights any
 * @param structure whether only kept values are stored
 * @param dtype f16 or bf16
 */
record StoredFloats(Weights weights, Structure structure, DType dtype) implements StoredRows {
  @Override
  public void row(int row, int[] into) {
    float[] values;
    if (structure == Structure.SPARSE24) {
      Sparse24 sparse = (Sparse24) weights;
      values = new float[StoredRows.count(sparse)];
      sparse.values().decode(row, StoredRows.first(sparse, row), 1, values.length, values, 0);
    } else {
      values = new float[weights.columns()];
      weights.unpackRow(row, values, 0);
    }
    for (int i = 0; i < values.length; i++) {
      into[i] = dtype == DType.F16 ? Float.floatToFloat16(values[i]) : DType.toBfloat16(values[i]);
    }
    Arrays.fill(into, values.length, into.length, 0);
  }
}
