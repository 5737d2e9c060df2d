package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Weights of a size in every form that some kernel reads as it is, for timing. */
final class LinearSamples {
  private static final int GROUP = 64;

  /** One weight of so many is kept. */
  private static final int SPARSITY = 10;

  private LinearSamples() {}

  static List<Weights> of(int rows, int columns) {
    List<Weights> all = new ArrayList<>();
    Dense dense = Dense.of(rows, columns, floats(rows * columns));
    all.add(dense);
    all.add(new Quantized(rows, columns, integers(rows, columns)));
    for (int bits : new int[] {4, 8}) {
      all.add(new Codebook(rows, columns, codes(bits, rows, columns)));
      all.add(new Packed(rows, columns, groups(bits, rows, columns)));
    }
    // every other weight: two of any four
    Mask half = Mask.of(rows, columns, (row, column) -> (row + column) % 2 == 0);
    List<Sparse24.Encoder> encoders =
        List.of(
            (kept, r, count) -> FloatValues.of(DType.F16, kept),
            (kept, r, count) -> integers(r, count),
            (kept, r, count) -> codes(4, r, count),
            (kept, r, count) -> groups(4, r, count),
            (kept, r, count) -> codes(8, r, count),
            (kept, r, count) -> groups(8, r, count));
    for (Sparse24.Encoder encoder : encoders) {
      all.add(Sparse24.pack(dense, half, encoder));
    }
    Mask few = Mask.of(rows, columns, (row, column) -> (row * 7 + column * 13) % SPARSITY == 0);
    all.add(SparseCsr.pack(dense, few, (kept, r, count) -> FloatValues.of(DType.F16, kept)));
    return all;
  }

  private static float[] floats(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (i * 31 % 201 - 100) / 100f;
    }
    return values;
  }

  private static byte[] bytes(int count, int range) {
    byte[] bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) (i * 31 % range);
    }
    return bytes;
  }

  private static float[] scales(int count) {
    float[] scales = new float[count];
    Arrays.fill(scales, 0.01f);
    return scales;
  }

  private static IntegerValues integers(int rows, int columns) {
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(bytes(rows * columns, 127)),
        MemorySegment.ofArray(scales(rows)),
        IntegerValues.SYMMETRIC);
  }

  private static CodeValues codes(int bits, int rows, int columns) {
    return CodeValues.of(bits, bytes(rows * columns, 1 << bits), floats(rows << bits));
  }

  private static PackedIntegers groups(int bits, int rows, int columns) {
    // two groups at least: integers without groups have kernels of their own
    int group = Math.min(GROUP, Math.ceilDiv(columns, 2));
    return PackedIntegers.of(
        bits,
        columns,
        group,
        bytes(rows * columns, 1 << bits - 1),
        DType.F16,
        scales(rows * Math.ceilDiv(columns, group)));
  }
}
