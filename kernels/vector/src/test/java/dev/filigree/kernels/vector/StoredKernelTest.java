package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Weights multiplied where a file has them, against their own values in double. */
final class StoredKernelTest {
  private final Arena arena = Arena.ofAuto();
  private final SplittableRandom random = Legs.random("stored");

  /** Memory off the heap, as a mapped file's is. */
  private MemorySegment off(MemorySegment heap) {
    MemorySegment copy = arena.allocate(heap.byteSize(), 64);
    MemorySegment.copy(heap, 0, copy, 0, heap.byteSize());
    return copy;
  }

  private float[] floats(int count, double least, double most) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(least, most);
    }
    return values;
  }

  private byte[] bytes(int count, int least, int most) {
    byte[] values = new byte[count];
    for (int i = 0; i < count; i++) {
      values[i] = (byte) random.nextInt(least, most + 1);
    }
    return values;
  }

  private Weights packed(int bits, int rows, int columns, int group, DType scales, boolean zeros) {
    int half = 1 << bits - 1;
    int groups = Math.ceilDiv(columns, group);
    PackedIntegers values =
        PackedIntegers.of(
            bits,
            columns,
            group,
            bytes(rows * columns, -half, half - 1),
            scales,
            floats(rows * groups, 0.01, 0.1));
    MemorySegment points =
        zeros
            ? off(MemorySegment.ofArray(bytes(rows * groups, 0, 2 * half - 1)))
            : PackedIntegers.NONE;
    return new Packed(
        rows,
        columns,
        new PackedIntegers(
            bits,
            columns,
            group,
            off(values.words()),
            scales,
            off(values.scales()),
            points,
            PackedIntegers.NONE));
  }

  private Weights quantized(DType dtype, int rows, int columns, boolean zeros) {
    int least = dtype == DType.I8 ? -128 : 0;
    return new Quantized(
        rows,
        columns,
        new IntegerValues(
            dtype,
            off(MemorySegment.ofArray(bytes(rows * columns, least, least + 255))),
            off(MemorySegment.ofArray(floats(rows, 0.001, 0.01))),
            zeros
                ? off(MemorySegment.ofArray(bytes(rows, least, least + 255)))
                : IntegerValues.SYMMETRIC));
  }

  private Weights codebook(int rows, int columns, boolean perRow) {
    CodeValues values =
        CodeValues.of(4, bytes(rows * columns, 0, 15), floats(16 * (perRow ? rows : 1), -1, 1));
    return new Codebook(
        rows,
        columns,
        new CodeValues(4, values.count(), off(values.codes()), off(values.centroids())));
  }

  private void check(Weights weights, boolean sampled) {
    List<LinearOption> options = Legs.vector().linear(weights);
    assertEquals(1, options.size(), weights.format());
    assertEquals("dense, as stored", options.getFirst().name());
    assertEquals(0, options.getFirst().pack().bytes());
    check(weights, options.getFirst(), sampled);
  }

  private void check(Weights weights, LinearOption option, boolean sampled) {
    LinearKernel kernel = option.pack();
    int columns = weights.columns();
    for (int tokens : sampled ? new int[] {1, 17} : new int[] {1, 2, 16, 33, 128}) {
      Panels panels = Panels.of(tokens, Legs.vector().lanes());
      Operands operands = new Operands();
      float[] x = floats((int) (panels.bytes(columns) / Float.BYTES), -1, 1);
      float[] y = floats((int) (panels.bytes(weights.rows()) / Float.BYTES), -1, 1);
      long in = operands.place(x);
      long out = operands.place(y);
      float[] found =
          operands.run(
              Legs.vector(),
              out,
              (kernels, memory) -> {
                float[] scratch = new float[kernel.scratch()];
                for (int block = 0; block < kernel.blocks(); block++) {
                  kernel.accumulate(block, panels, 0, panels.count(), memory, in, out, scratch);
                }
              });
      compare(weights, panels, x, y, found, sampled);
    }
  }

  private static void compare(
      Weights weights, Panels panels, float[] x, float[] y, float[] found, boolean sampled) {
    int columns = weights.columns();
    float[] row = new float[columns];
    for (int o = 0; o < weights.rows(); o += sampled ? 997 : 1) {
      weights.unpackRow(o, row, 0);
      for (int t = 0; t < panels.tokens(); t++) {
        int panel = panels.of(t);
        int width = panels.width(panel);
        int lane = t - panels.start(panel);
        int in = (int) (panels.offset(panel, columns) / Float.BYTES) + lane;
        int out = (int) (panels.offset(panel, weights.rows()) / Float.BYTES) + o * width + lane;
        double sum = y[out];
        double size = Math.abs(sum);
        for (int k = 0; k < columns; k++) {
          double product = (double) row[k] * x[in + k * width];
          sum += product;
          size += Math.abs(product);
        }
        // zero points are multiplied by sums of inputs and taken off, which costs a few bits
        assertEquals(
            sum,
            found[out],
            16 * size * Math.ulp(1f) * Math.sqrt(columns),
            weights.format() + " row " + o + " token " + t + " of " + panels.tokens());
      }
    }
  }

  @Test
  void packedIntegersOfAnySizeAndGroup() {
    List<Weights> all = new ArrayList<>();
    for (int bits : new int[] {4, 8}) {
      all.add(packed(bits, 5, 256, 128, DType.F32, false));
      all.add(packed(bits, 67, 260, 32, DType.F16, true));
      all.add(packed(bits, 3, 7, 8, DType.BF16, false));
      all.add(packed(bits, 9, 392, 392, DType.F32, true));
      all.add(packed(bits, 130, 128, 64, DType.F16, false));
    }
    all.add(packed(4, 4, 129, 129, DType.F32, false));
    all.forEach(weights -> check(weights, false));
  }

  @Test
  void largeMatricesOfBytesAreReadWhereTheyAre() {
    int rows = (int) (StoredRows.LARGE / 1000) + 1;
    check(quantized(DType.I8, rows, 1003, false), true);
    check(quantized(DType.I8, rows, 1003, true), true);
    check(quantized(DType.U8, rows, 1003, true), true);
  }

  @Test
  void largeCodebooksAreReadWhereTheyAre() {
    if (Lanes.COUNT < 8) {
      assertTrue(StoredRows.of(codebook(64, 256, false)).isEmpty());
      return;
    }
    int rows = (int) (2 * StoredRows.LARGE / 1030) + 1;
    check(codebook(rows, 1030, false), true);
    check(codebook(rows, 1030, true), true);
  }

  @Test
  void whatLiesOnTheHeapIsCopied() {
    PackedIntegers packed =
        PackedIntegers.of(4, 256, 32, bytes(1024, -8, 7), DType.F32, floats(32, 0.1, 1));
    IntegerValues integers =
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(bytes(1024, -128, 127)),
            MemorySegment.ofArray(floats(4, 0.1, 1)),
            IntegerValues.SYMMETRIC);
    CodeValues codes = CodeValues.of(4, bytes(1024, 0, 15), floats(16, -1, 1));
    for (Weights heap :
        List.of(
            new Packed(4, 256, packed),
            new Quantized(4, 256, integers),
            new Codebook(4, 256, codes))) {
      if (Lanes.COUNT < 8 && heap instanceof Codebook) {
        continue; // a select of so few lanes is no instruction
      }
      LinearOption stored = Legs.vector().linear(heap).getFirst();
      assertEquals("dense, as stored", stored.name());
      assertEquals(heap.bytes(), stored.pack().bytes());
      check(heap, stored, false);
    }
  }

  @Test
  void whatLiesInAnotherOrderIsLaidOutAnew() {
    assertTrue(StoredRows.of(packed(4, 4, 60, 12, DType.F32, false)).isEmpty());
    assertTrue(StoredRows.of(packed(3, 4, 64, 32, DType.F32, false)).isEmpty());
  }

  @Test
  void ofASmallMatrixOneTokenReadsTheFileAndSeveralACopy() {
    Weights small = quantized(DType.I8, 64, 256, false);
    List<LinearOption> options = Legs.vector().linear(small);
    assertEquals(2, options.size());
    LinearOption stored = options.getFirst();
    LinearOption dense = options.getLast();
    assertEquals("dense, as stored", stored.name());
    assertEquals("dense, decoded in cache", dense.name());
    assertTrue(stored.predictedNanos(1) < dense.predictedNanos(1));
    assertTrue(stored.predictedNanos(64) > dense.predictedNanos(64));
    check(small, stored, false);
    check(small, dense, false);
  }
}
