package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
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
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.SplittableRandom;

/**
 * One linear layer {@code Y[tokens, rows] += X[tokens, columns] * W^T} with random weights and
 * inputs, ready to run on one thread.
 */
public final class LinearLayer {
  private static final long ALIGNMENT = 64;

  /** Structure and encoding of the weights. */
  public enum Form {
    DENSE,
    SPARSE_24,
    INT8_24,
    CODEBOOK_24,
    /** Every four neighbouring outputs keep the same. */
    SHARED_24,
    CSR_50,
    CSR_80,
    CODEBOOK,
    INT8
  }

  private final Weights weights;
  private final LinearKernel kernel;
  private final Panels panels;
  private final MemorySegment memory;
  private final long y;
  private final float[] scratch;

  /** A layer whose memory the garbage collector frees. */
  public LinearLayer(Form form, int rows, int columns, int tokens) {
    this(form, rows, columns, tokens, KernelSets.open("vector"));
  }

  /** A layer for a set of kernels. */
  public LinearLayer(Form form, int rows, int columns, int tokens, Kernels kernels) {
    SplittableRandom random = new SplittableRandom(24);
    weights = weights(form, rows, columns, random);
    LinearOption option =
        kernels.linear(weights).stream()
            .min(Comparator.comparingDouble(any -> any.predictedNanos(tokens)))
            .orElseThrow();
    kernel = option.pack();
    panels = Panels.of(tokens, kernels.lanes());
    y = (panels.bytes(columns) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memory = Arena.ofAuto().allocate(y + panels.bytes(rows), ALIGNMENT);
    for (long i = 0; i < y; i += Float.BYTES) {
      memory.set(DType.FLOAT, i, (float) random.nextGaussian());
    }
    scratch = new float[kernel.scratch()];
  }

  private static Weights weights(Form form, int rows, int columns, SplittableRandom random) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    Dense dense = new Dense(Tensor.of(values, rows, columns));
    Sparse24.Encoder floats = (kept, r, count) -> FloatValues.of(DType.F32, kept);
    return switch (form) {
      case DENSE -> dense;
      case SPARSE_24 -> Sparse24.pack(dense, twoOfFour(rows, columns, random), floats);
      case INT8_24 ->
          Sparse24.pack(
              dense,
              twoOfFour(rows, columns, random),
              (kept, r, count) -> integers(kept.length, random));
      case CODEBOOK_24 ->
          Sparse24.pack(
              dense,
              twoOfFour(rows, columns, random),
              (kept, r, count) -> codes(kept.length, random));
      case SHARED_24 -> {
        Mask one = twoOfFour(rows, columns, random);
        Mask four = Mask.of(rows, columns, (row, column) -> one.kept(row / 4 * 4, column));
        yield Sparse24.pack(dense, four, floats);
      }
      case CSR_50 -> SparseCsr.pack(dense, some(rows, columns, 0.5, random), floats);
      case CSR_80 -> SparseCsr.pack(dense, some(rows, columns, 0.2, random), floats);
      case CODEBOOK -> new Codebook(rows, columns, codes(values.length, random));
      case INT8 -> new Quantized(rows, columns, integers(values.length, random));
    };
  }

  private static CodeValues codes(int count, SplittableRandom random) {
    byte[] codes = new byte[count];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(16);
    }
    float[] centroids = new float[16];
    for (int i = 0; i < centroids.length; i++) {
      centroids[i] = (i - 7.5f) / 4;
    }
    CodeValues values = CodeValues.of(4, codes, centroids);
    return new CodeValues(4, count, likeMapped(values.codes()), values.centroids());
  }

  private static IntegerValues integers(int count, SplittableRandom random) {
    byte[] codes = new byte[count];
    random.nextBytes(codes);
    return new IntegerValues(
        DType.I8,
        likeMapped(MemorySegment.ofArray(codes)),
        MemorySegment.ofArray(new float[] {0.01f}),
        IntegerValues.SYMMETRIC);
  }

  /** Memory outside the heap, as that of a file is. */
  private static MemorySegment likeMapped(MemorySegment values) {
    return Arena.ofAuto().allocate(values.byteSize(), ALIGNMENT).copyFrom(values);
  }

  private static Mask some(int rows, int columns, double density, SplittableRandom random) {
    return Mask.of(rows, columns, (row, column) -> random.nextDouble() < density);
  }

  private static Mask twoOfFour(int rows, int columns, SplittableRandom random) {
    Mask mask = Mask.none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < columns; group += Sparse24.GROUP) {
        int first = random.nextInt(Sparse24.GROUP);
        mask.keep(row, group + first);
        mask.keep(row, group + (first + 1 + random.nextInt(3)) % Sparse24.GROUP);
      }
    }
    return mask;
  }

  /** Adds the product to the outputs once. */
  public void run() {
    for (int block = 0; block < kernel.blocks(); block++) {
      kernel.accumulate(block, panels, 0, panels.count(), memory, 0, y, scratch);
    }
  }

  /** Bytes of the weights in the format of a file. */
  public long bytes() {
    return weights.bytes();
  }

  /** The weights. */
  public Weights weights() {
    return weights;
  }

  /** An input. */
  public float input(int token, int feature) {
    return memory.get(DType.FLOAT, place(token, feature, kernel.columns()));
  }

  /** An output. */
  public float output(int token, int row) {
    return memory.get(DType.FLOAT, y + place(token, row, kernel.rows()));
  }

  private long place(int token, int feature, int features) {
    int panel = panels.of(token);
    long element = (long) feature * panels.width(panel) + token - panels.start(panel);
    return panels.offset(panel, features) + element * Float.BYTES;
  }

  /** Floating-point operations of a dense layer of this size. */
  public double flops() {
    return 2.0 * kernel.rows() * kernel.columns() * panels.tokens();
  }
}
