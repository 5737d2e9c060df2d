package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.filigree.kernel.scalar.ScalarKernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.spi.Panels;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Weights;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CodeRowsTest {
  private static final List<Integer> COLUMNS = List.of(2, 62, 64, 130, 384, 4096, 4100, 8320);
  private static final List<Integer> ROWS = List.of(1, 63, 64, 65, 130);

  private final TokenCalls calls = new TokenCalls(Natives.library());

  private static Codebook weights(Samples samples, int rows, int columns, int rowsPerBook) {
    byte[] codes = new byte[rows * columns];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) samples.between(0, 15);
    }
    int books = rowsPerBook == CodeValues.ALL ? 1 : (rows + rowsPerBook - 1) / rowsPerBook;
    float[] centroids = samples.normal(16 * books);
    return new Codebook(rows, columns, CodeValues.of(4, codes, centroids, rowsPerBook));
  }

  private LinearKernel pack(Codebook weights) {
    return pack(calls, weights);
  }

  private static LinearKernel pack(TokenCalls calls, Codebook weights) {
    ScalarKernels base = new ScalarKernels();
    return TokenOption.of(calls, base, weights).pack();
  }

  @Seeded(24)
  void oneTokenIsTheProductWithWhatTheCodesStandFor(Samples samples) {
    int rows = samples.oneOf(ROWS);
    int columns = samples.oneOf(COLUMNS);
    Codebook weights =
        weights(samples, rows, columns, samples.oneOf(List.of(CodeValues.ALL, 1, 3)));
    float[] x = samples.normal(columns);
    float[] y = OneToken.run(pack(weights), 1, x, 0.5f);
    OneToken.assertIsProduct(weights, x, y);
    // what processors without wider vectors run
    OneToken.assertIsProduct(
        weights,
        x,
        OneToken.run(pack(new TokenCalls(Natives.library(), false), weights), 1, x, 0.5f));
  }

  @Seeded(4)
  void centroidsAreWhatTheyAreBitForBit(Samples samples) {
    float[] odd = {0, -0.0f, Float.MIN_VALUE, 1e-40f, Float.MAX_VALUE, Float.POSITIVE_INFINITY};
    byte[] codes = new byte[64];
    float[] centroids = samples.normal(16);
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) samples.between(0, 15);
    }
    System.arraycopy(odd, 0, centroids, 0, odd.length);
    codes[samples.between(0, 63)] = 5;
    float[] x = new float[64];
    Arrays.fill(x, 1f);
    Codebook weights = new Codebook(1, 64, CodeValues.of(4, codes, centroids));
    assertEquals(Float.POSITIVE_INFINITY, OneToken.run(pack(weights), 1, x, 0)[0]);
    centroids[5] = Float.NaN;
    weights = new Codebook(1, 64, CodeValues.of(4, codes, centroids));
    assertEquals(Float.NaN, OneToken.run(pack(weights), 1, x, 0)[0]);
  }

  @Seeded(6)
  void moreTokensAreThoseOfTheOtherKernel(Samples samples) {
    Codebook weights = weights(samples, 70, 96, CodeValues.ALL);
    int tokens = samples.between(2, 20);
    float[] x = samples.normal((int) (Panels.of(tokens, 8).bytes(96) / Float.BYTES));
    LinearKernel other = new ScalarKernels().linear(weights).getFirst().pack();
    assertArrayEquals(OneToken.run(other, tokens, x, 0), OneToken.run(pack(weights), tokens, x, 0));
  }

  @Test
  void isOfferedWhereItIsFasterThanVectorsOfTheSet() {
    Samples samples = new Samples(3);
    ScalarKernels base = new ScalarKernels();
    NativeKernels kernels =
        new NativeKernels(base, Instructions.integers(Natives.library()), null, calls);
    Weights even = weights(samples, 4, 8, CodeValues.ALL);
    List<LinearOption> options = kernels.linear(even);
    assertEquals(base.linear(even).size(), options.size());
    assertEquals(calls.isFasterThan(base.lanes()), options.getFirst() instanceof TokenOption);
    Weights odd = weights(samples, 4, 7, CodeValues.ALL);
    assertFalse(kernels.linear(odd).getFirst() instanceof TokenOption);
  }
}
