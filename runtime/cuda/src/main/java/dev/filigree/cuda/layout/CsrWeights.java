package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.weights.SparseCsr;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Unstructured sparse weights in the order in which a kernel streams them; {@code
 * sparse/linear_csr.cu} draws it. The columns are cut into chunks of 256, rows into groups of 8;
 * what one row keeps in one chunk is a segment of whole quads.
 *
 * <pre>
 *   segment (group * chunks + chunk) * 8 + row     rowOffsets[segment] its first quad
 *   quad    | entry | entry | entry | entry |      16 bytes
 *   entry   | column in the chunk : 16 | value : 16 |, value 0 at column 256 where nothing is kept
 * </pre>
 *
 * Immutable.
 *
 * @param rows outputs
 * @param columns inputs
 * @param entries the kernel's {@code w}, one quad of nothing at the end
 * @param rowOffsets i32, one more than segments
 */
public record CsrWeights(int rows, int columns, MemorySegment entries, MemorySegment rowOffsets) {
  private static final int CHUNK_COLUMNS = 256;
  private static final int GROUP_ROWS = 8;
  private static final int QUAD = 4;
  private static final int NOTHING = CHUNK_COLUMNS << 16;

  /**
   * Lays weights out, groups in parallel.
   *
   * @param layer the name used in messages
   * @param weights valid ones, see {@link SparseCsr#validate}
   * @param activation f16 or bf16, the type values are rounded to
   * @param arena owns the memory, which all threads may use
   * @throws WeightsException if there are more than 2^31 quads
   */
  public static CsrWeights pack(
      String layer, SparseCsr weights, ActivationType activation, Arena arena) {
    DType dtype =
        switch (activation) {
          case F16 -> DType.F16;
          case BF16 -> DType.BF16;
          case I8 ->
              throw new WeightsException(
                  "layer " + layer + " of unstructured weights has no kernel for i8 activations",
                  "run it with f16 activations");
        };
    int chunks = Math.ceilDiv(weights.columns(), CHUNK_COLUMNS);
    int groups = Math.ceilDiv(weights.rows(), GROUP_ROWS);
    int[] offsets = offsets(layer, weights, groups, chunks);
    int quads = offsets[offsets.length - 1];
    MemorySegment entries = arena.allocate((quads + 1L) * QUAD * Integer.BYTES, 16);
    IntStream.range(0, weights.rows())
        .parallel()
        .forEach(row -> entries(weights, row, chunks, offsets, dtype, entries));
    for (int i = 0; i < QUAD; i++) {
      entries.set(DType.INT, ((long) quads * QUAD + i) * Integer.BYTES, NOTHING);
    }
    MemorySegment rowOffsets = arena.allocate(offsets.length * (long) Integer.BYTES, 16);
    MemorySegment.copy(MemorySegment.ofArray(offsets), 0, rowOffsets, 0, rowOffsets.byteSize());
    return new CsrWeights(
        weights.rows(), weights.columns(), entries.asReadOnly(), rowOffsets.asReadOnly());
  }

  private static int segment(int row, int chunk, int chunks) {
    return (row / GROUP_ROWS * chunks + chunk) * GROUP_ROWS + row % GROUP_ROWS;
  }

  private static int[] offsets(String layer, SparseCsr weights, int groups, int chunks) {
    int segments;
    try {
      segments = Math.multiplyExact(Math.multiplyExact(groups, chunks), GROUP_ROWS);
    } catch (ArithmeticException overflow) {
      throw tooLarge(layer);
    }
    int[] kept = new int[segments];
    IntStream.range(0, weights.rows())
        .parallel()
        .forEach(
            row -> {
              for (int column = 0; column < weights.columns(); column++) {
                if (weights.keeps(row, column)) {
                  kept[segment(row, column / CHUNK_COLUMNS, chunks)]++;
                }
              }
            });
    int[] offsets = new int[segments + 1];
    for (int s = 0; s < segments; s++) {
      long next = offsets[s] + (long) Math.ceilDiv(kept[s], QUAD);
      if (next > Integer.MAX_VALUE - 1) {
        throw tooLarge(layer);
      }
      offsets[s + 1] = (int) next;
    }
    return offsets;
  }

  private static WeightsException tooLarge(String layer) {
    return new WeightsException(
        "layer " + layer + " keeps too many weights for the CUDA device's sparse form",
        "use the dense or the 2:4 form");
  }

  private static void entries(
      SparseCsr weights, int row, int chunks, int[] offsets, DType dtype, MemorySegment entries) {
    float[] dense = new float[weights.columns()];
    weights.unpackRow(row, dense, 0);
    MemorySegment value = MemorySegment.ofArray(new byte[Short.BYTES]);
    for (int chunk = 0; chunk < chunks; chunk++) {
      int segment = segment(row, chunk, chunks);
      long at = (long) offsets[segment] * QUAD;
      int first = chunk * CHUNK_COLUMNS;
      int end = Math.min(weights.columns(), first + CHUNK_COLUMNS);
      for (int column = first; column < end; column++) {
        if (weights.keeps(row, column)) {
          dtype.writeDouble(value, 0, dense[column]);
          int bits = value.get(DType.SHORT, 0) & 0xffff;
          entries.set(DType.INT, at++ * Integer.BYTES, column - first << 16 | bits);
        }
      }
      for (long last = (long) offsets[segment + 1] * QUAD; at < last; at++) {
        entries.set(DType.INT, at * Integer.BYTES, NOTHING);
      }
    }
  }

  /** What goes to the device, by the names of the kernels' parameters. */
  public Map<String, MemorySegment> parts() {
    return Map.of("w", entries, "rowOffsets", rowOffsets);
  }

  /** Bytes of all of it. */
  public long bytes() {
    return entries.byteSize() + rowOffsets.byteSize();
  }
}
