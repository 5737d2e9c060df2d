package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Values;
import java.util.List;

/**
 * How the values of a layer are written: as floats, as scaled integers, or as codes into a
 * codebook.
 */
public sealed interface Encoding permits Encoding.Floats, Encoding.Integers, Encoding.Codes {
  /** What scales and codebooks belong to. */
  enum Granularity {
    /** One for all weights. */
    TENSOR,
    /** One for each output. */
    ROW,
    /**
     * Scales: one for each group of consecutive inputs of an output. Codebooks, which take more
     * room: one for each group of neighbouring outputs.
     */
    GROUP
  }

  /** Name in reports and messages. */
  String label();

  /**
   * Chooses scales or codebooks.
   *
   * @param values {@code [rows, perRow]}, finite
   * @param columns inputs of the layer, of which {@code perRow} are kept in every row
   * @param sensitivity how much each value matters, or null if all alike
   */
  Coder fit(float[] values, int rows, int perRow, int columns, float[] sensitivity);

  /**
   * Encodes the values of a matrix, or those of a sparse matrix that are kept.
   *
   * @param values {@code [rows, perRow]}, finite
   */
  default Values encode(float[] values, int rows, int perRow) {
    return fit(values, rows, perRow, perRow, null).encode(values, rows, perRow);
  }

  /**
   * Floats of a type.
   *
   * @param dtype f32, f16 or bf16
   */
  record Floats(DType dtype) implements Encoding {
    @Override
    public String label() {
      return dtype.toString();
    }

    @Override
    public Coder fit(float[] values, int rows, int perRow, int columns, float[] sensitivity) {
      return new FloatCoder(dtype);
    }
  }

  /**
   * Symmetric integers. A scale maps the largest weight of its group to half the range, 127.5 for 8
   * bits, and codes are clamped and rounded to even, as compressed-tensors does ({@code max|w| /
   * ((q_max - q_min) / 2)}).
   *
   * @param bits 2 to 8
   * @param granularity of the scales
   * @param group inputs of a group, 0 unless the granularity is {@link Granularity#GROUP}
   * @param searched whether a smaller scale is taken where it lowers the squared error, at the cost
   *     of clipping the largest weights
   */
  record Integers(int bits, Granularity granularity, int group, boolean searched)
      implements Encoding {
    /** Eight bits, a scale for each row. */
    public static final Integers INT8 = new Integers(8, Granularity.ROW, 0, false);

    @Override
    public String label() {
      return "int" + bits;
    }

    @Override
    public Coder fit(float[] values, int rows, int perRow, int columns, float[] sensitivity) {
      return IntegerCoder.fit(this, values, rows, perRow, columns, sensitivity);
    }
  }

  /**
   * Codes of a few bits into a codebook of centroids. Where a value is exactly zero, one centroid
   * is zero, so that zeros stay zeros.
   *
   * @param bits of a code: 1, 2, 4 or 8, or {@link #AUTO}
   * @param granularity of the codebooks
   * @param group outputs that share a codebook, 0 unless the granularity is {@link
   *     Granularity#GROUP}
   * @param start of Lloyd's iteration, or null for the exact optimum
   * @param restarts of a random start
   * @param error root mean square error over the root mean square of the values, both weighted as
   *     clusters are, that automatic bits stay below; NaN if bits are given
   */
  record Codes(
      int bits, Granularity granularity, int group, Lloyd.Start start, int restarts, double error)
      implements Encoding {
    /** The fewest bits with which a layer's error stays below a bound, or 8. */
    public static final int AUTO = 0;

    /** Bits that codes can have. */
    static final List<Integer> BITS = List.of(1, 2, 4, 8);

    /** Exact codebooks, one a row or one for all. */
    public Codes(int bits, boolean perRow) {
      this(bits, perRow ? Granularity.ROW : Granularity.TENSOR, 0, null, 1, Double.NaN);
    }

    /** Outputs that share a codebook, {@link CodeValues#ALL} if all do. */
    int rowsPerBook() {
      return switch (granularity) {
        case TENSOR -> CodeValues.ALL;
        case ROW -> 1;
        case GROUP -> group;
      };
    }

    /** The same with a number of bits. */
    Codes withBits(int chosen) {
      return new Codes(chosen, granularity, group, start, restarts, Double.NaN);
    }

    @Override
    public String label() {
      return "codebook";
    }

    @Override
    public Coder fit(float[] values, int rows, int perRow, int columns, float[] sensitivity) {
      if (bits != AUTO) {
        return CodebookCoder.fit(this, values, rows, perRow, sensitivity);
      }
      CodebookCoder coder = null;
      for (int width : BITS) {
        coder = CodebookCoder.fit(withBits(width), values, rows, perRow, sensitivity);
        if (coder.cost() <= error * error * CodebookCoder.energy(values, sensitivity)) {
          break;
        }
      }
      return coder;
    }
  }
}
