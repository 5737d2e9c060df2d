package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.stream.IntStream;

/** Weights as NVIDIA's libraries take them, in f16. */
public final class LibraryWeights {
  /** Rows begin at multiples of 16 bytes, without which cuBLAS leaves the tensor cores idle. */
  private static final int PITCH_STEP = 8;

  private LibraryWeights() {}

  /** Elements from one row of dense weights to the next. */
  public static int pitch(int columns) {
    return Math.ceilDiv(columns, PITCH_STEP) * PITCH_STEP;
  }

  /**
   * Dense rows for cuBLAS, in parallel.
   *
   * @return {@code w}: f16 {@code [rows, pitch]}, zeros behind the columns
   */
  public static Map<String, MemorySegment> dense(Weights weights, Arena arena) {
    int pitch = pitch(weights.columns());
    MemorySegment w = arena.allocate((long) weights.rows() * pitch * Short.BYTES, 16);
    IntStream.range(0, weights.rows())
        .parallel()
        .forEach(
            row -> {
              float[] values = new float[weights.columns()];
              weights.unpackRow(row, values, 0);
              for (int column = 0; column < values.length; column++) {
                put(w, (long) row * pitch + column, values[column]);
              }
            });
    return Map.of("w", w);
  }

  /**
   * Compressed sparse rows for cuSPARSE.
   *
   * @return {@code w}: f16, the kept values; {@code columns}: i32, of each; {@code rowOffsets}: i32
   *     {@code [rows + 1]}
   * @throws WeightsException if more than 2^31 weights are kept
   */
  public static Map<String, MemorySegment> sparse(String layer, SparseCsr weights, Arena arena) {
    if (weights.stored() > Integer.MAX_VALUE) {
      throw new WeightsException(
          "layer " + layer + " keeps " + weights.stored() + " weights, too many for cuSPARSE",
          "use the dense or the 2:4 form");
    }
    MemorySegment w = arena.allocate(Math.max(1, weights.stored()) * Short.BYTES, 16);
    MemorySegment columns = arena.allocate(Math.max(1, weights.stored()) * Integer.BYTES, 16);
    MemorySegment offsets = arena.allocate((weights.rows() + 1L) * Integer.BYTES, 16);
    offsets.set(DType.INT, (long) weights.rows() * Integer.BYTES, (int) weights.stored());
    IntStream.range(0, weights.rows())
        .parallel()
        .forEach(
            row -> {
              float[] values = new float[weights.columns()];
              weights.unpackRow(row, values, 0);
              long at = weights.rowOffset(row);
              offsets.set(DType.INT, (long) row * Integer.BYTES, (int) at);
              for (int column = 0; column < values.length; column++) {
                if (weights.keeps(row, column)) {
                  put(w, at, values[column]);
                  columns.set(DType.INT, at++ * Integer.BYTES, column);
                }
              }
            });
    return Map.of("w", w, "columns", columns, "rowOffsets", offsets);
  }

  private static void put(MemorySegment halves, long at, float value) {
    halves.set(DType.SHORT, at * Short.BYTES, Float.floatToFloat16(value));
  }
}
