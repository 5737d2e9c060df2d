package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** Random weights in every structure and encoding. */
final class SampleWeights {
  private SampleWeights() {}

  /** All forms of a matrix of a size. */
  static Map<String, Weights> all(int rows, int columns, SplittableRandom random) {
    Map<String, Weights> all = new LinkedHashMap<>();
    Dense dense = Dense.of(rows, columns, Legs.normal(random, rows * columns));
    all.put("dense f32", dense);
    all.put("dense f32 [in, out]", transposed(rows, columns, random));
    all.put("dense f16", dense.as(DType.F16));
    all.put("dense bf16", dense.as(DType.BF16));
    all.put("int8", quantized(DType.I8, rows, columns, false, random));
    all.put("uint8 with zero points, [in, out]", quantized(DType.U8, rows, columns, true, random));
    for (int bits : new int[] {1, 2, 4, 8}) {
      all.put(bits + "-bit codebook", codebook(bits, rows, columns, false, random));
      all.put(bits + "-bit codebook per row", codebook(bits, rows, columns, true, random));
    }
    Mask pairs = pairs(rows, columns, random);
    all.put("2:4 f32", Sparse24.pack(dense, pairs, FLOATS));
    all.put("2:4 int8", Sparse24.pack(dense, pairs, INTEGERS));
    all.put("2:4 codebook", Sparse24.pack(dense, pairs, codes(4)));
    all.put("2:4 codebook per row", Sparse24.pack(dense, pairs, codesOfRows(random)));
    Mask shared = sharedPairs(rows, columns, random);
    all.put("2:4 f32, shared by 4", Sparse24.pack(dense, shared, FLOATS));
    all.put("2:4 int8, shared by 4", Sparse24.pack(dense, shared, INTEGERS));
    all.put("2:4 of zeros", Sparse24.pack(dense, Mask.none(rows, columns), FLOATS));
    for (double density : new double[] {1, 0.5, 0.2, 0.05, 0}) {
      all.put(
          "csr " + density, SparseCsr.pack(dense, some(rows, columns, density, random), FLOATS));
    }
    all.put("csr with empty rows", SparseCsr.pack(dense, everyOtherRow(rows, columns), FLOATS));
    all.put("csr int8", SparseCsr.pack(dense, some(rows, columns, 0.3, random), INTEGERS));
    all.put("csr codebook", SparseCsr.pack(dense, some(rows, columns, 0.3, random), codes(2)));
    return all;
  }

  static final Sparse24.Encoder FLOATS = (values, rows, kept) -> FloatValues.of(DType.F32, values);

  private static final Sparse24.Encoder INTEGERS =
      (values, rows, kept) -> {
        byte[] codes = new byte[values.length];
        for (int i = 0; i < codes.length; i++) {
          codes[i] = (byte) Math.clamp(Math.round(values[i] * 40), -127, 127);
        }
        return new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(codes),
            MemorySegment.ofArray(new float[] {1 / 40f}),
            IntegerValues.SYMMETRIC);
      };

  private static Sparse24.Encoder codes(int bits) {
    return (values, rows, kept) -> {
      float[] centroids = Legs.floats(1 << bits, i -> i - (1 << bits) / 2 + 0.25);
      byte[] codes = new byte[values.length];
      for (int i = 0; i < codes.length; i++) {
        codes[i] = (byte) (Float.floatToRawIntBits(values[i]) >>> 10 & (1 << bits) - 1);
      }
      return CodeValues.of(bits, codes, centroids);
    };
  }

  /** Codes of four bits into a codebook for each row. */
  private static Sparse24.Encoder codesOfRows(SplittableRandom random) {
    return (values, rows, kept) -> {
      CodeValues one = (CodeValues) codes(4).encode(values, rows, kept);
      return new CodeValues(
          4, values.length, one.codes(), MemorySegment.ofArray(Legs.normal(random, rows * 16)));
    };
  }

  static Dense transposed(int rows, int columns, SplittableRandom random) {
    float[] values = Legs.normal(random, rows * columns);
    return new Dense(Tensor.of(values, columns, rows).permute(1, 0));
  }

  static Quantized quantized(
      DType dtype, int rows, int columns, boolean asymmetric, SplittableRandom random) {
    byte[] codes = new byte[rows * columns];
    random.nextBytes(codes);
    byte[] zeroPoints = new byte[asymmetric ? rows : 0];
    random.nextBytes(zeroPoints);
    IntegerValues values =
        new IntegerValues(
            dtype,
            MemorySegment.ofArray(codes),
            MemorySegment.ofArray(Legs.floats(rows, i -> random.nextDouble(0.001, 0.02))),
            MemorySegment.ofArray(zeroPoints));
    return asymmetric
        ? new Quantized(rows, columns, 1, rows, values)
        : new Quantized(rows, columns, values);
  }

  static Codebook codebook(
      int bits, int rows, int columns, boolean perRow, SplittableRandom random) {
    byte[] codes = new byte[rows * columns];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(1 << bits);
    }
    float[] centroids = Legs.normal(random, (perRow ? rows : 1) << bits);
    return new Codebook(rows, columns, CodeValues.of(bits, codes, centroids));
  }

  /** Two of each group of four at random; the last group, if short, may keep fewer. */
  static Mask pairs(int rows, int columns, SplittableRandom random) {
    Mask mask = Mask.none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < columns; group += Sparse24.GROUP) {
        int first = random.nextInt(Sparse24.GROUP);
        int second = (first + 1 + random.nextInt(Sparse24.GROUP - 1)) % Sparse24.GROUP;
        for (int column : new int[] {group + first, group + second}) {
          if (column < columns) {
            mask.keep(row, column);
          }
        }
      }
    }
    return mask;
  }

  /** The same two of each group of four in every four neighbouring rows. */
  static Mask sharedPairs(int rows, int columns, SplittableRandom random) {
    Mask pairs = pairs(rows, columns, random);
    return Mask.of(rows, columns, (row, column) -> pairs.kept(row / 4 * 4, column));
  }

  static Mask some(int rows, int columns, double density, SplittableRandom random) {
    return Mask.of(rows, columns, (row, column) -> random.nextDouble() < density);
  }

  private static Mask everyOtherRow(int rows, int columns) {
    return Mask.of(rows, columns, (row, column) -> row % 2 == 1 && column % 3 != 1);
  }
}
