package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Metadata24;
import dev.filigree.weights.Sparse24;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Packing, unpacking and checking of 2:4 weights, bit for bit what core does. */
class Sparsity24Test extends OperationTest {
  private static long fault(DeviceMemory memory) {
    long[] value = new long[1];
    memory.download(0, MemorySegment.ofArray(value));
    return value[0];
  }

  private static int words(int columns) {
    return Math.ceilDiv(columns, Metadata24.COLUMNS_PER_WORD);
  }

  private static Tensor withNegativeZeros(Samples samples, int rows, int columns) {
    return withSpecials(samples, DType.F16, rows, columns);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1", "2, 3", "3, 4", "1, 7", "5, 16", "4, 17", "3, 63", "2, 96", "9, 130", "1, 1000"
  })
  void packsAsCoreAndUnpacksAgain(int rows, int columns) {
    Samples samples = new Samples(columns);
    Tensor w = withNegativeZeros(samples, rows, columns);
    float[] dense = new float[rows * columns];
    for (int i = 0; i < dense.length; i++) {
      dense[i] = (float) w.getDouble(i);
    }
    Mask keep = samples.mask24(rows, columns);
    float[][] kept = new float[1][];
    Sparse24 expected =
        Sparse24.pack(
            Dense.of(rows, columns, dense),
            keep,
            (values, r, count) -> {
              kept[0] = values.clone();
              return FloatValues.of(DType.F32, values);
            });
    int words = words(columns);
    Rows values = room(DType.F16, rows, 8L * words);
    DeviceMemory metadata = allocate(2L * rows * words);
    DeviceMemory fault = upload(Gather.NO_FAULT);
    Rows from = upload(w);
    Sparsity24.Packed packed = new Sparsity24.Packed(values, metadata.address());
    run(Sparsity24.pack(kernels, from, upload(keep.bits()).address(), packed, fault.address()));
    assertEquals(Gather.NO_FAULT, fault(fault));
    assertArrayEquals(
        Metadata24.words(expected, words * Metadata24.COLUMNS_PER_WORD),
        downloadShorts(metadata, rows * words));
    Tensor stored = Tensor.zeros(DType.F16, Shape.of(rows, 8L * words));
    int perRow = expected.groups() * Sparse24.KEPT;
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < perRow; i++) {
        stored.setDouble((long) r * 8 * words + i, kept[0][r * perRow + i]);
      }
    }
    assertSame(stored, download(values, rows, 8L * words));

    Rows again = room(DType.F16, Shape.of(rows, columns), 1);
    run(Sparsity24.unpack(kernels, packed, again, fault.address()));
    Tensor unpacked = Tensor.zeros(DType.F16, w.shape());
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        long i = (long) r * columns + c;
        unpacked.setDouble(i, keep.kept(r, c) ? w.getDouble(i) : 0);
      }
    }
    assertSame(unpacked, download(again, rows, columns));
    assertEquals(Gather.NO_FAULT, fault(fault));
  }

  @Test
  void aGroupThatKeepsThreeIsReported() {
    Tensor w = normal(new Samples(1), DType.F16, 3, 32);
    // row 1, groups 2 and 5 of the eight of a row
    Mask keep = Mask.of(3, 32, (r, c) -> r == 1 && (c >= 8 && c < 11 || c >= 20 && c < 24));
    Rows values = room(DType.F16, 3, 16);
    DeviceMemory metadata = allocate(2L * 3 * 2);
    DeviceMemory fault = upload(Gather.NO_FAULT);
    run(
        Sparsity24.pack(
            kernels,
            upload(w),
            upload(keep.bits()).address(),
            new Sparsity24.Packed(values, metadata.address()),
            fault.address()));
    assertEquals(8 + 2, fault(fault));
  }

  @Test
  void everyNibbleIsJudgedAtEveryPlace() {
    int[] legal = {0x4, 0x8, 0x9, 0xC, 0xD, 0xE};
    for (int nibble = 0; nibble < 16; nibble++) {
      int code = nibble;
      boolean good = java.util.Arrays.stream(legal).anyMatch(l -> l == code);
      for (int place = 0; place < 8; place++) {
        int[] words = new int[7];
        java.util.Arrays.fill(words, 0xe8d9c4ec);
        words[5] = words[5] & ~(0xf << 4 * place) | nibble << 4 * place;
        DeviceMemory fault = upload(Gather.NO_FAULT);
        run(Sparsity24.check(kernels, upload(words).address(), 7, fault.address()));
        assertEquals(good ? Gather.NO_FAULT : 5 * 8 + place, fault(fault));
      }
    }
  }

  @Test
  void unpackingReportsTheFirstIllegalNibble() {
    Rows values = room(DType.F16, 2, 8);
    DeviceMemory fault = upload(Gather.NO_FAULT);
    DeviceMemory metadata = upload((short) 0xeeee, (short) 0xe5e1);
    Rows w = room(DType.F16, 2, 16);
    write(values);
    run(
        Sparsity24.unpack(
            kernels, new Sparsity24.Packed(values, metadata.address()), w, fault.address()));
    assertEquals(4, fault(fault));
  }

  private void write(Rows rows) {
    stream.fill(rows.address(), rows.bytes(), (byte) 0);
  }
}
