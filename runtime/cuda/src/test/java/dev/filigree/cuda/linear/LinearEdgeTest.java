package dev.filigree.cuda.linear;

import static dev.filigree.testing.Floats.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.kernels.cuda.WeightsForm.Values;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The corners of linear layers: long sums, shared tiles, padding, special numbers, exactness. */
@SimulatedGpu
class LinearEdgeTest {
  private final LinearCases cases = new LinearCases(11);

  static Stream<KernelEntry> kernels() {
    return LinearLaunch.kernels().stream();
  }

  static Stream<KernelEntry> smallest() {
    return kernels().filter(k -> k.tile().orElseThrow().tokens() <= 16);
  }

  static Stream<KernelEntry> integers() {
    return kernels().filter(k -> k.activation().orElseThrow() == ActivationType.I8);
  }

  private LinearCase plain(KernelEntry kernel, int rows, int columns, int tokens) {
    return cases.plain(
        kernel.weights().orElseThrow(), kernel.activation().orElseThrow(), rows, columns, tokens);
  }

  private static void assertSame(KernelEntry kernel, LinearCase layer, float[] results) {
    LinearTwin.assertSame(layer, kernel.weights().orElseThrow().values(), results);
  }

  /** Blocks that share tiles add their sums in a fixed order. */
  @ParameterizedTest
  @MethodSource("kernels")
  void anyNumberOfBlocksGivesTheResultAndTheSameEveryTime(KernelEntry kernel) {
    int k = kernel.tile().orElseThrow().k();
    LinearCase layer = plain(kernel, kernel.tile().orElseThrow().out() + 40, 3 * k, 5);
    try (LinearLaunch launch = new LinearLaunch()) {
      for (int blocks : new int[] {1, 4, 5, 6}) {
        float[] first = launch.run(kernel.entry(), layer, blocks, 0);
        assertSame(kernel, layer, first);
        assertSameBits(first, launch.run(kernel.entry(), layer, blocks, 0));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("smallest")
  void longSumsOfFewTokensAreRight(KernelEntry kernel) {
    LinearCase layer = plain(kernel, 40, 14336 - 20, 2);
    try (LinearLaunch launch = new LinearLaunch()) {
      assertSame(kernel, layer, launch.run(kernel.entry(), layer, 7, 0));
    }
  }

  @ParameterizedTest
  @MethodSource("smallest")
  void manyOutputsOfOneTokenAreRight(KernelEntry kernel) {
    LinearCase layer = plain(kernel, 4160, 64, 1);
    try (LinearLaunch launch = new LinearLaunch()) {
      assertSame(kernel, layer, launch.run(kernel.entry(), layer, 0, 0));
    }
  }

  /** Behind the last output the results' rows are zeros up to their pitch. */
  @ParameterizedTest
  @MethodSource("kernels")
  void rowsLongerThanTheOutputsEndInZeros(KernelEntry kernel) {
    LinearCase layer = plain(kernel, 33, 52, 3);
    try (LinearLaunch launch = new LinearLaunch()) {
      int more = kernel.tile().orElseThrow().out();
      assertSame(kernel, layer, launch.run(kernel.entry(), layer, 0, more));
    }
  }

  @ParameterizedTest
  @MethodSource("integers")
  void sumsOfIntegersAreExact(KernelEntry kernel) {
    LinearCase layer = plain(kernel, 80, 640, 19);
    try (LinearLaunch launch = new LinearLaunch()) {
      assertSameBits(exact(layer), launch.run(kernel.entry(), layer, 2, 0));
    }
  }

  /** The epilogue of the kernels, rounding by rounding: sum * token's scale * output's scale. */
  private static float[] exact(LinearCase layer) {
    Weights weights = layer.weights();
    int columns = weights.columns();
    float[] results = new float[layer.tokens() * weights.rows()];
    float[] w = new float[columns];
    for (int row = 0; row < weights.rows(); row++) {
      weights.unpackRow(row, w, 0);
      float scale =
          (weights instanceof Sparse24 sparse
                  ? (IntegerValues) sparse.values()
                  : ((Quantized) weights).values())
              .scale(row);
      for (int t = 0; t < layer.tokens(); t++) {
        long sum = 0;
        for (int k = 0; k < columns; k++) {
          sum += (long) Math.round(w[k] / scale) * (int) layer.x()[t * columns + k];
        }
        float value = Math.fma((float) sum * layer.tokenScales()[t], scale, 0f);
        results[t * weights.rows() + row] = LinearCase.round(DType.F16, value);
      }
    }
    return results;
  }

  /** All pairs of legal patterns next to each other, at every place of a step. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "linear_sparse24_f16_64x64",
        "linear_sparse24_i8_64x64",
        "linear_sparse24_bf16_64x16"
      })
  void everyPatternWorksAtEveryPlace(String entry) {
    int[] patterns = {0b0011, 0b0101, 0b0110, 0b1001, 0b1010, 0b1100};
    KernelEntry kernel = LinearLaunch.MANIFEST.kernel(entry);
    int rows = 192;
    int columns = 128;
    Mask mask =
        Mask.of(
            rows,
            columns,
            (row, column) ->
                (patterns[(row + column / 4 * (1 + row / 6 % 5)) % 6] >> column % 4 & 1) != 0);
    LinearCase random = plain(kernel, rows, columns, 16);
    Sparse24 weights = new Sparse24(rows, columns, mask, ((Sparse24) random.weights()).values());
    LinearCase layer = with(random, weights, random.x());
    try (LinearLaunch launch = new LinearLaunch()) {
      assertSame(kernel, layer, launch.run(entry, layer));
    }
  }

  static Stream<KernelEntry> ofFloats() {
    return kernels().filter(k -> k.activation().orElseThrow() != ActivationType.I8);
  }

  /** They stay in their tokens, meet stored weights only, and -0.0 is a zero. */
  @ParameterizedTest
  @MethodSource("ofFloats")
  void numbersThatAreNonePassThroughAsInTheTwin(KernelEntry kernel) {
    int columns = 100;
    LinearCase layer = plain(kernel, 70, columns, 5);
    float[] x = layer.x().clone();
    x[7] = Float.NaN;
    x[columns + 31] = Float.POSITIVE_INFINITY;
    x[2 * columns + 50] = Float.NEGATIVE_INFINITY;
    x[2 * columns + 99] = Float.POSITIVE_INFINITY;
    for (int k = 0; k < columns; k++) {
      x[3 * columns + k] = -0.0f;
    }
    try (LinearLaunch launch = new LinearLaunch()) {
      LinearCase special = with(layer, layer.weights(), x);
      assertSame(kernel, special, launch.run(kernel.entry(), special));
    }
  }

  private static LinearCase with(LinearCase layer, Weights weights, float[] x) {
    return new LinearCase(
        weights,
        layer.type(),
        layer.tokens(),
        x,
        layer.tokenScales(),
        null,
        null,
        Activation.NONE,
        false);
  }

  /** Weights that are not stored take no part, whatever the input; stored zeros do. */
  @Test
  void infinityAndNotANumberReachTheOutputsWhoseWeightsMeetThem() {
    int columns = 64;
    Mask mask = Mask.of(8, columns, (row, column) -> column % 4 < 2);
    float[] kept = new float[8 * columns / 2];
    kept[columns / 2] = 1; // row 1: column 0
    kept[2 * columns / 2] = -0.0f;
    Sparse24 weights = new Sparse24(8, columns, mask, FloatValues.of(DType.F32, kept));
    float[] x = new float[4 * columns];
    x[2] = Float.NaN; // not stored in any row
    x[columns] = Float.POSITIVE_INFINITY; // stored in all: times 0 is no number
    x[2 * columns] = 2;
    LinearCase random =
        cases.plain(
            LinearLaunch.MANIFEST.kernel("linear_sparse24_f16_64x8").weights().orElseThrow(),
            ActivationType.F16,
            8,
            columns,
            4);
    try (LinearLaunch launch = new LinearLaunch()) {
      float[] y = launch.run("linear_sparse24_f16_64x8", with(random, weights, x));
      assertEquals(0f, y[0]);
      assertEquals(Float.POSITIVE_INFINITY, y[8 + 1]);
      assertTrue(Float.isNaN(y[8]));
      assertEquals(2f, y[16 + 1]);
      assertEquals(0f, y[16 + 2]);
    }
  }

  @Test
  void everyFormHasAKernelForOneToken() {
    for (Structure structure : new Structure[] {Structure.DENSE, Structure.SPARSE24}) {
      for (Values values : Values.values()) {
        assertTrue(
            kernels()
                .anyMatch(
                    k ->
                        k.weights().orElseThrow().structure() == structure
                            && k.weights().orElseThrow().values() == values
                            && k.tokensFrom() == 1),
            structure + " " + values);
      }
    }
  }
}
