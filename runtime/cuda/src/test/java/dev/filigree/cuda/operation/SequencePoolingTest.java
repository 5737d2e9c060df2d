package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.Samples;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Means and lengths in f32 against double precision: relative 2^-20, near zero 2^-20 absolute. */
class SequencePoolingTest extends OperationTest {
  private static final double BOUND = 0x1p-20;

  private static Tensor mean(Tensor x, Tensor mask, int batch, int sequence, int columns) {
    Tensor mean = Tensor.zeros(DType.F32, Shape.of(batch, columns));
    for (int b = 0; b < batch; b++) {
      for (int c = 0; c < columns; c++) {
        double sum = 0;
        double count = 0;
        for (int t = 0; t < sequence; t++) {
          long token = (long) b * sequence + t;
          double weight = mask == null ? 1 : mask.getDouble(token);
          count += weight;
          sum += weight == 0 ? 0 : weight * x.getDouble(token * columns + c);
        }
        mean.setDouble((long) b * columns + c, count == 0 ? 0 : sum / count);
      }
    }
    return mean;
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "2, 3, 7", "3, 8, 384", "1, 9, 255", "2, 17, 257", "2, 65, 100"})
  void averagesTheTokensTheMaskKeeps(int batch, int sequence, int columns) {
    Samples samples = new Samples(columns);
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      for (DType maskType : List.of(DType.I64, DType.I32)) {
        Tensor x = normal(samples, dtype, batch, sequence, columns);
        Tensor mask = Tensor.zeros(maskType, Shape.of(batch, sequence));
        for (int i = 0; i < batch * sequence; i++) {
          mask.setLong(i, samples.between(0, 1));
        }
        Rows y = room(DType.F32, batch, columns);
        Rows rows = upload(x);
        run(SequencePooling.mean(kernels, rows, sequence, denseAddress(mask), maskType, y));
        assertNear(mean(x, mask, batch, sequence, columns), download(y, batch, columns), 0, BOUND);
        run(SequencePooling.mean(kernels, rows, sequence, 0, maskType, y));
        assertNear(mean(x, null, batch, sequence, columns), download(y, batch, columns), 0, BOUND);
      }
    }
  }

  @Test
  void aMaskedTokenMayHoldAnything() {
    Tensor x = normal(new Samples(4), DType.F16, 1, 3, 20);
    for (int c = 0; c < 20; c++) {
      x.setDouble(20 + c, Double.NaN);
    }
    Tensor mask = Tensor.of(new long[] {1, 0, 1}, 1, 3);
    Rows y = room(DType.F32, 1, 20);
    run(SequencePooling.mean(kernels, upload(x), 3, denseAddress(mask), DType.I64, y));
    assertNear(mean(x, mask, 1, 3, 20), download(y, 1, 20), 0, BOUND);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 3", "5, 8", "3, 33", "6, 384", "1, 1000"})
  void makesRowsOfLengthOne(int tokens, int columns) {
    Samples samples = new Samples(columns);
    for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
      Tensor x = normal(samples, dtype, tokens, columns);
      Tensor expected = Tensor.zeros(dtype, x.shape());
      for (int c = 0; c < columns; c++) {
        x.setDouble(c, tokens > 1 ? 0 : 2);
      }
      for (int t = 0; t < tokens; t++) {
        double squares = 0;
        for (int c = 0; c < columns; c++) {
          squares += Math.pow(x.getDouble((long) t * columns + c), 2);
        }
        for (int c = 0; c < columns; c++) {
          long i = (long) t * columns + c;
          expected.setDouble(i, x.getDouble(i) / Math.max(Math.sqrt(squares), 1e-12));
        }
      }
      Rows y = room(dtype, tokens, columns);
      run(Normalization.length(kernels, upload(x), y, 1e-12f));
      assertNear(expected, download(y, tokens, columns), 1, BOUND);
    }
  }
}
