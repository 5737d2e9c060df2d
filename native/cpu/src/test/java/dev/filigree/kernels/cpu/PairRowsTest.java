package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.scalar.ScalarKernels;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PairRowsTest {
  private static final List<Integer> COLUMNS =
      List.of(4, 8, 12, 16, 60, 64, 124, 128, 132, 384, 4096, 4100);
  private static final List<Integer> ROWS = List.of(1, 2, 3, 63, 64, 65, 130);
  private static final List<Integer> ROWS_PER_BOOK = List.of(CodeValues.ALL, 1, 2, 3);

  private final TokenCalls calls = new TokenCalls(Natives.library());

  @BeforeEach
  void needsWideVectors() {
    Assumptions.assumeTrue(calls.hasCodes24(), "the processor has no AVX-512 VNNI");
  }

  private static Sparse24 weights(Samples samples, int rows, int columns, int rowsPerBook) {
    Dense dense = new Dense(Tensor.of(samples.normal(rows * columns), rows, columns));
    return Sparse24.pack(
        dense,
        twoOfFour(samples, rows, columns),
        (values, r, kept) -> codes(samples, r, kept, rowsPerBook));
  }

  private static Mask twoOfFour(Samples samples, int rows, int columns) {
    Mask mask = Mask.none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < columns; group += Sparse24.GROUP) {
        int first = samples.between(0, 2);
        mask.keep(row, group + first);
        mask.keep(row, group + samples.between(first + 1, 3));
      }
    }
    return mask;
  }

  private static CodeValues codes(Samples samples, int rows, int kept, int rowsPerBook) {
    byte[] codes = new byte[rows * kept];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) samples.between(0, 15);
    }
    int books = rowsPerBook == CodeValues.ALL ? 1 : Math.ceilDiv(rows, rowsPerBook);
    return CodeValues.of(4, codes, samples.normal(16 * books), rowsPerBook);
  }

  private LinearKernel pack(Sparse24 weights) {
    return TokenOption.of(calls, new ScalarKernels().linear(weights).getFirst(), weights).pack();
  }

  /** The scalar twin: the same products and sums in the same order. */
  private static float[] twin(Sparse24 weights, float[] x, float before) {
    float[] y = new float[weights.rows()];
    float[] row = new float[weights.columns()];
    for (int o = 0; o < y.length; o++) {
      weights.unpackRow(o, row, 0);
      float[] lanes = new float[8];
      for (int k = 0, kept = 0; k < row.length; k++) {
        if (weights.keeps(o, k)) {
          int lane = kept++ % lanes.length;
          lanes[lane] = Math.fma(row[k], x[k], lanes[lane]);
        }
      }
      float first = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6]);
      float second = (lanes[1] + lanes[5]) + (lanes[3] + lanes[7]);
      y[o] = before + (first + second);
    }
    return y;
  }

  @Seeded(32)
  void oneTokenHasTheBitsOfTheScalarTwin(Samples samples) {
    int columns = samples.oneOf(COLUMNS);
    Sparse24 weights = weights(samples, samples.oneOf(ROWS), columns, samples.oneOf(ROWS_PER_BOOK));
    float[] x = samples.normal(columns);
    float[] y = OneToken.run(pack(weights), 1, x, 0.5f);
    assertArrayEquals(twin(weights, x, 0.5f), y);
    OneToken.assertIsProduct(weights, x, y);
  }

  @Seeded(8)
  void columnsThatFillNoGroupOfFourAreThere(Samples samples) {
    int columns = samples.oneOf(List.of(1, 2, 3, 5, 18, 127, 130, 387));
    Dense dense = new Dense(Tensor.of(samples.normal(3 * columns), 3, columns));
    Mask one = Mask.of(3, columns, (row, column) -> column % 4 == row % 2);
    float[] centroids = samples.normal(16);
    centroids[0] = 0;
    Sparse24 weights =
        Sparse24.pack(
            dense,
            one,
            (values, rows, kept) -> {
              byte[] codes = new byte[values.length];
              for (int i = 0; i < codes.length; i++) {
                codes[i] = (byte) (values[i] == 0 ? 0 : samples.between(1, 15));
              }
              return CodeValues.of(4, codes, centroids);
            });
    weights.validate("test");
    float[] x = samples.normal(columns);
    OneToken.assertIsProduct(weights, x, OneToken.run(pack(weights), 1, x, 0.5f));
  }

  @Seeded(4)
  void inputsThatAreNotKeptMeetNothing(Samples samples) {
    Sparse24 weights = weights(samples, 67, 148, samples.oneOf(ROWS_PER_BOOK));
    float[] x = samples.normal(148);
    int odd = samples.between(0, 147);
    x[odd] = samples.oneOf(List.of(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY));
    float[] y = OneToken.run(pack(weights), 1, x, 0);
    assertArrayEquals(twin(weights, x, 0), y);
    for (int o = 0; o < y.length; o++) {
      assertEquals(!weights.keeps(o, odd), Float.isFinite(y[o]), "output " + o);
    }
  }

  @Seeded(6)
  void moreTokensAreThoseOfTheOtherKernel(Samples samples) {
    Sparse24 weights = weights(samples, 70, 96, CodeValues.ALL);
    int tokens = samples.between(2, 20);
    float[] x = samples.normal((int) (Panels.of(tokens, 8).bytes(96) / Float.BYTES));
    LinearKernel other = new ScalarKernels().linear(weights).getFirst().pack();
    assertArrayEquals(OneToken.run(other, tokens, x, 0), OneToken.run(pack(weights), tokens, x, 0));
  }

  @Test
  void isOfferedInPlaceOfWhatIsBestForOneToken() {
    Samples samples = new Samples(3);
    Kernels base = new ScalarKernels();
    NativeKernels kernels =
        new NativeKernels(base, Instructions.integers(Natives.library()), null, calls);
    Weights codes = weights(samples, 4, 8, CodeValues.ALL);
    List<LinearOption> options = kernels.linear(codes);
    assertEquals(base.linear(codes).size(), options.size());
    assertEquals(1, options.stream().filter(TokenOption.class::isInstance).count());
    LinearOption best =
        options.stream()
            .reduce((a, b) -> a.predictedNanos(1) <= b.predictedNanos(1) ? a : b)
            .orElseThrow();
    assertTrue(best instanceof TokenOption, best.name());
    Dense dense = new Dense(Tensor.of(samples.normal(32), 4, 8));
    Weights floats =
        Sparse24.pack(
            dense,
            twoOfFour(samples, 4, 8),
            (values, rows, kept) -> FloatValues.of(DType.F32, values));
    assertFalse(kernels.linear(floats).stream().anyMatch(TokenOption.class::isInstance));
  }
}
