package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Weights of convolutions as kernels want them.
 *
 * <pre>
 *   logical   row o: | tap 0: channels | tap 1: channels | ...
 *   patches   row o: | tap 0: channels, zeros to the pitch of a pixel | tap 1: ...      then as those of a linear layer
 *   direct    tap 0: channel 0: | outputs, zeros to a multiple of 8 |  channel 1: ... |  tap 1: ...
 * </pre>
 */
public final class ConvolutionWeights {
  /** Outputs of a thread of the direct kernels. */
  private static final int OUTPUTS_TOGETHER = 8;

  /** Codes of int8 reach as far to either side. */
  private static final float LARGEST_CODE = 127;

  private ConvolutionWeights() {}

  /**
   * The matrix that patches are multiplied by: channels are padded, and what is left 2:4 stays so.
   *
   * @param weights {@code [out, taps * channels]}
   * @param pitch elements of a pixel, at least its channels
   * @param values how weights are stored; {@code I8} rounds each row symmetrically to its greatest
   *     magnitude
   */
  public static Weights patches(Weights weights, int taps, int pitch, WeightsForm.Values values) {
    int rows = weights.rows();
    int channels = weights.columns() / taps;
    int columns = Math.multiplyExact(taps, pitch);
    float[] padded = new float[Math.multiplyExact(rows, columns)];
    float[] row = new float[weights.columns()];
    for (int r = 0; r < rows; r++) {
      weights.unpackRow(r, row, 0);
      for (int tap = 0; tap < taps; tap++) {
        System.arraycopy(row, tap * channels, padded, r * columns + tap * pitch, channels);
      }
    }
    Dense dense = new Dense(Tensor.of(padded, rows, columns));
    boolean rounded = values == WeightsForm.Values.I8;
    if (!(weights instanceof Sparse24 sparse) || channels % Sparse24.GROUP != 0) {
      return rounded
          ? new Quantized(rows, columns, columns, 1, rounded(padded, rows, columns))
          : dense;
    }
    Mask mask =
        Mask.of(
            rows,
            columns,
            (r, c) -> c % pitch < channels && sparse.keeps(r, c / pitch * channels + c % pitch));
    return Sparse24.pack(
        dense,
        mask,
        (kept, count, each) ->
            rounded
                ? rounded(kept, count, each)
                : new FloatValues(DType.F32, MemorySegment.ofArray(kept)));
  }

  private static IntegerValues rounded(float[] values, int rows, int each) {
    byte[] codes = new byte[values.length];
    float[] scales = new float[rows];
    for (int r = 0; r < rows; r++) {
      float greatest = 0;
      for (int i = r * each; i < (r + 1) * each; i++) {
        greatest = Math.max(greatest, Math.abs(values[i]));
      }
      scales[r] = greatest / LARGEST_CODE;
      for (int i = r * each; i < (r + 1) * each; i++) {
        codes[i] = greatest == 0 ? 0 : (byte) Math.rint(values[i] / scales[r]);
      }
    }
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(codes),
        MemorySegment.ofArray(scales),
        IntegerValues.SYMMETRIC);
  }

  /**
   * The weights of the direct kernels, in f16.
   *
   * @param weights {@code [out, taps * channels of a group]}
   */
  public static MemorySegment direct(Weights weights, int taps, Arena arena) {
    int channels = weights.columns() / taps;
    int pitch = pitch(weights.rows());
    MemorySegment memory = arena.allocate((long) taps * channels * pitch * Short.BYTES, 16);
    float[] row = new float[weights.columns()];
    for (int out = 0; out < weights.rows(); out++) {
      weights.unpackRow(out, row, 0);
      for (int i = 0; i < row.length; i++) {
        memory.set(
            DType.SHORT, ((long) i * pitch + out) * Short.BYTES, Float.floatToFloat16(row[i]));
      }
    }
    return memory;
  }

  /**
   * The weights of a transposed convolution in the order of a convolution's.
   *
   * @param weights {@code [channels, outputs of a group, taps]}
   * @return {@code [out, taps * channels of a group]}
   */
  public static Weights transposed(Tensor weights, int groups) {
    int channels = Math.toIntExact(weights.shape().extent(0)) / groups;
    int outputs = Math.toIntExact(weights.shape().extent(1));
    int taps = Math.toIntExact(weights.elements() / ((long) channels * groups * outputs));
    Tensor rows = Tensor.zeros(DType.F32, Shape.of((long) outputs * groups, taps * channels));
    for (long in = 0; in < (long) channels * groups; in++) {
      for (long out = 0; out < outputs; out++) {
        for (long tap = 0; tap < taps; tap++) {
          long row = in / channels * outputs + out;
          rows.setDouble(
              row * taps * channels + tap * channels + in % channels,
              weights.getDouble((in * outputs + out) * taps + tap));
        }
      }
    }
    return new Dense(rows);
  }

  /** Elements from one channel's outputs to the next in the direct form. */
  public static int pitch(int outputs) {
    return Math.ceilDiv(outputs, OUTPUTS_TOGETHER) * OUTPUTS_TOGETHER;
  }
}
