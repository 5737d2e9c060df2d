package dev.filigree.kernels.cpu;

import dev.filigree.DType;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.Optional;

/**
 * Weights that are whole numbers of 8 bits times a scale for each row.
 *
 * @param whole the same weights with every scale 1
 * @param values the integers with their scales
 */
record IntegerRows(Weights whole, IntegerValues values) {
  /**
   * Inputs up to which a sum of products of 8 bits without and with sign fits 32 bits: 255 * 128 *
   * 65536 is below 2^31.
   */
  private static final int MOST_COLUMNS = 1 << 16;

  /** Code for 0 of symmetric weights that a file has as u8. */
  private static final int MIDDLE = 128;

  /**
   * The integers of weights; nothing if they are others or less their zero points need more bits.
   */
  static Optional<IntegerRows> of(Weights weights) {
    if (weights.columns() > MOST_COLUMNS) {
      return Optional.empty();
    }
    return switch (weights) {
      case Quantized quantized ->
          checked(new IntegerRows(quantized.integers(), quantized.values()));
      case Sparse24(int rows, int columns, var mask, IntegerValues values) ->
          checked(new IntegerRows(new Sparse24(rows, columns, mask, values.unscaled()), values));
      default -> Optional.empty();
    };
  }

  private static Optional<IntegerRows> checked(IntegerRows integers) {
    return integers.fit() ? Optional.of(integers) : Optional.empty();
  }

  int rows() {
    return whole.rows();
  }

  int columns() {
    return whole.columns();
  }

  float scale(int row) {
    return values.scale(row);
  }

  /** Writes a row of whole numbers. */
  void codes(int row, float[] into) {
    whole.unpackRow(row, into, 0);
  }

  /** Whether every number fits 8 bits with sign; looked at only where zero points leave it open. */
  private boolean fit() {
    if (values.zeroPoints().byteSize() == 0 && values.dtype() == DType.I8) {
      return true;
    }
    float[] row = new float[columns()];
    for (int o = 0; o < rows(); o++) {
      int zeroPoint = values.zeroPoint(o);
      if (zeroPoint == (values.dtype() == DType.U8 ? MIDDLE : 0)) {
        continue;
      }
      codes(o, row);
      for (float code : row) {
        if (code < Byte.MIN_VALUE || code > Byte.MAX_VALUE) {
          return false;
        }
      }
    }
    return true;
  }
}
