package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;

/**
 * Every weight stored as a float.
 *
 * @param tensor f32, f16 or bf16 {@code [out, in]}; may be a transposed view of a file's {@code
 *     [in, out]}
 */
public record Dense(Tensor tensor) implements Weights {
  public Dense {
    if (tensor.shape().rank() != 2 || !holds(tensor.dtype())) {
      throw new WeightsException(
          "dense weights " + tensor + " are not a floating-point matrix",
          "pass f32, f16 or bf16 [out, in]");
    }
    if (tensor.shape().extent(0) > Integer.MAX_VALUE
        || tensor.shape().extent(1) > Integer.MAX_VALUE) {
      throw new WeightsException(
          "dense weights " + tensor + " are larger than a matrix can be",
          "use at most " + Integer.MAX_VALUE + " rows and columns");
    }
  }

  /** Whether weights may be of a type. */
  public static boolean holds(DType dtype) {
    return dtype.isFloating() && dtype != DType.F64;
  }

  /** Weights over an array {@code [rows, columns]}, which is shared and not copied. */
  public static Dense of(int rows, int columns, float[] values) {
    return new Dense(Tensor.of(values, rows, columns));
  }

  /** The same weights rounded to another floating-point type. */
  public Dense as(DType dtype) {
    if (dtype == tensor.dtype()) {
      return this;
    }
    Tensor converted = Tensor.zeros(dtype, Shape.of(rows(), columns()));
    float[] row = new float[columns()];
    for (int r = 0; r < rows(); r++) {
      unpackRow(r, row, 0);
      for (int c = 0; c < row.length; c++) {
        converted.setDouble((long) r * row.length + c, row[c]);
      }
    }
    return new Dense(converted);
  }

  @Override
  public int rows() {
    return (int) tensor.shape().extent(0);
  }

  @Override
  public int columns() {
    return (int) tensor.shape().extent(1);
  }

  @Override
  public long stored() {
    return tensor.elements();
  }

  @Override
  public long bytes() {
    return tensor.bytes();
  }

  @Override
  public String format() {
    return "dense " + tensor.dtype();
  }

  /**
   * Writes a column as floats: at once where the outputs of a feature lie side by side.
   *
   * @param into receives {@code [rows]}
   */
  public void unpackColumn(int column, float[] into) {
    FloatValues.decode(
        tensor.dtype(),
        tensor.data(),
        column * tensor.stride(1),
        tensor.stride(0),
        rows(),
        into,
        0);
  }

  @Override
  public void unpackRow(int row, float[] into, int at) {
    FloatValues.decode(
        tensor.dtype(),
        tensor.data(),
        row * tensor.stride(0),
        tensor.stride(1),
        columns(),
        into,
        at);
  }

  @Override
  public void validate(String layer) {
    // every bit pattern is a float
  }
}
