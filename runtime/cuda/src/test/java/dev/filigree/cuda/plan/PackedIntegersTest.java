package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Layers of packed integers as files have them — groups in the order of activations, groups of no
 * whole steps, more than four bits, dense and 2:4 — against sums in double precision. Weights times
 * their scales are rounded to f16, and so are inputs: 2^-10 of the magnitude of each product in
 * all.
 */
@SimulatedGpu
class PackedIntegersTest {
  /** Stands for what takes no part, whatever the input. */
  private static final float NOT_KEPT = Float.NaN;

  private static Packed weights(int bits, int rows, int columns, int group, boolean ordered) {
    Packed packed =
        new Packed(rows, columns, integers(bits, rows, columns, group, ordered ? 1 : 0));
    packed.validate("test");
    return packed;
  }

  /**
   * Two random weights of any four columns kept.
   *
   * @param together neighbours that stay in one group when they are dealt out; 0 leaves them
   */
  private static Sparse24 sparse(int bits, int rows, int columns, int group, int together) {
    Random random = new Random(group);
    int fours = Sparse24.groups(columns);
    Mask mask = Mask.none(rows, fours * Sparse24.GROUP);
    for (int row = 0; row < rows; row++) {
      for (int four = 0; four < fours; four++) {
        int among = Math.min(Sparse24.GROUP, columns - four * Sparse24.GROUP);
        int first = random.nextInt(among);
        int second = (first + 1 + random.nextInt(among - 1)) % among;
        mask.keep(row, four * Sparse24.GROUP + first);
        mask.keep(row, four * Sparse24.GROUP + second);
      }
    }
    PackedIntegers values = integers(bits, rows, fours * Sparse24.KEPT, group, together);
    Sparse24 sparse = new Sparse24(rows, columns, mask, values);
    sparse.validate("test");
    return sparse;
  }

  /**
   * Random integers.
   *
   * @param together how many neighbours stay in one group when they are dealt out; 0 leaves them
   */
  private static PackedIntegers integers(int bits, int rows, int columns, int group, int together) {
    Random random = new Random(columns * 31L + group);
    int groups = Math.ceilDiv(columns, group);
    int wordsPerRow = PackedIntegers.wordsPerRow(columns, bits);
    int[] words = random.ints((long) rows * wordsPerRow).toArray();
    int spare = wordsPerRow * Integer.SIZE - columns * bits;
    for (int row = 0; spare > 0 && row < rows; row++) {
      words[(row + 1) * wordsPerRow - 1] &= -1 >>> spare;
    }
    float[] scales = new float[rows * groups];
    byte[] zeroPoints = new byte[rows * groups];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = Float.float16ToFloat(Float.floatToFloat16(0.01f + random.nextFloat() / 16));
      zeroPoints[i] = (byte) random.nextInt(1 << bits);
    }
    int[] groupOf = new int[columns];
    for (int rank = 0; together > 0 && rank < columns / together; rank++) {
      int at = (int) (rank * 37L % (columns / together)) * together;
      Arrays.fill(groupOf, at, at + together, rank * together / group);
    }
    return new PackedIntegers(
        bits,
        columns,
        group,
        MemorySegment.ofArray(words),
        DType.F32,
        MemorySegment.ofArray(scales),
        MemorySegment.ofArray(zeroPoints),
        together > 0 ? MemorySegment.ofArray(groupOf) : PackedIntegers.NONE);
  }

  private static Graph graph(Weights weights) {
    Node linear = Linear.node("layer", List.of("x", "w", ""), "y", true, "w", false);
    return new Graph(
        "test",
        13,
        List.of(
            new ValueInfo(
                "x", DType.F32, List.of(Dim.symbol("tokens"), Dim.of(weights.columns())))),
        List.of(new ValueInfo("y", DType.F32, null)),
        List.of(linear),
        Map.of("w", new Constant.Compressed(weights, false)));
  }

  private static DeviceRunner open(Weights weights, String kernels, Projections projections) {
    return new DeviceRunner(
        graph(weights),
        SessionOptions.defaults().withKernels(kernels),
        CudaDriver.open().context(0),
        Optional.ofNullable(projections));
  }

  private static Tensor inputs(int tokens, int columns) {
    float[] x = new Samples(tokens).normal(tokens * columns);
    for (int i = 0; i < x.length; i++) {
      x[i] = Float.float16ToFloat(Float.floatToFloat16(x[i]));
    }
    // infinities must pass through: where a group is filled up no zero may meet them
    x[columns / 2] = Float.POSITIVE_INFINITY;
    return Tensor.of(x, tokens, columns);
  }

  @ParameterizedTest
  @CsvSource({
    "4, 70, 256, 128, true, 1, linear_dense_i4_f16, true",
    "4, 70, 300, 64, true, 9, linear_dense_i4_f16, true",
    "3, 64, 129, 32, true, 17, linear_dense_i4_f16, true",
    "4, 65, 96, 24, false, 7, linear_dense_i4_f16, true",
    "2, 24, 100, 40, true, 33, linear_dense_i4_f16, true",
    "4, 24, 128, 64, false, 3, linear_dense_i4_f16, false",
    "5, 65, 100, 100, false, 3, linear_dense_i8_f16, false",
    "6, 24, 96, 96, false, 17, linear_dense_i8_f16, false",
    "8, 70, 128, 128, false, 8, linear_dense_i8_f16, false",
    "5, 70, 256, 64, false, 1, linear_dense_i8groups_f16, false",
    "8, 65, 300, 64, true, 9, linear_dense_i8groups_f16, true",
    "6, 24, 96, 24, false, 17, linear_dense_i8groups_f16, true",
    "7, 130, 160, 32, false, 70, linear_dense_i8groups_f16, false"
  })
  void runAsTheyAreStored(
      int bits,
      int rows,
      int columns,
      int group,
      boolean ordered,
      int tokens,
      String kernels,
      boolean gathered) {
    runsAsItIs(weights(bits, rows, columns, group, ordered), tokens, kernels, gathered);
  }

  @ParameterizedTest
  @CsvSource({
    "4, 70, 256, 64, 0, 1, linear_sparse24_i4_f16, false",
    "4, 70, 256, 24, 0, 9, linear_sparse24_i4_f16, true",
    "3, 64, 304, 38, 2, 3, linear_sparse24_i4_f16, true",
    "4, 65, 98, 10, 0, 33, linear_sparse24_i4_f16, true",
    "8, 70, 256, 32, 0, 1, linear_sparse24_i8groups_f16, false",
    "6, 24, 304, 64, 2, 12, linear_sparse24_i8groups_f16, true",
    "5, 130, 98, 14, 0, 70, linear_sparse24_i8groups_f16, true",
    // the two kept of four columns are of two groups: some, and most of them
    "4, 70, 260, 25, 0, 9, linear_sparse24_i4_f16, true",
    "4, 65, 98, 3, 0, 1, linear_sparse24_i4_f16, true",
    "4, 66, 600, 128, 1, 3, linear_sparse24_i4_f16, true",
    "7, 24, 302, 33, 1, 70, linear_sparse24_i8groups_f16, true"
  })
  void runAsTheyAreStoredWhereTwoOfFourAreKept(
      int bits,
      int rows,
      int columns,
      int group,
      int together,
      int tokens,
      String kernels,
      boolean gathered) {
    runsAsItIs(sparse(bits, rows, columns, group, together), tokens, kernels, gathered);
  }

  private static void runsAsItIs(Weights weights, int tokens, String kernels, boolean gathered) {
    int rows = weights.rows();
    int columns = weights.columns();
    Tensor x = inputs(tokens, columns);
    try (DeviceRunner runner = open(weights, kernels, null)) {
      Tensor y = runner.run(Map.of("x", x)).get("y");
      float[] w = new float[columns];
      for (int row = 0; row < rows; row++) {
        weights.unpackRow(row, w, 0);
        for (int k = 0; k < columns; k++) {
          w[k] = weights.keeps(row, k) ? w[k] : NOT_KEPT;
        }
        for (int token = 0; token < tokens; token++) {
          check(w, x, token, y.getDouble((long) token * rows + row));
        }
      }
      LayerPlan layer = runner.layers(Map.of("x", x.shape())).getFirst();
      assertTrue(layer.kernel().startsWith(kernels), layer.kernel());
      assertEquals(gathered, layer.kernel().endsWith(" of gathered inputs"), layer.kernel());
      assertEquals(gathered, layer.reason().contains("order of their groups"), layer.reason());
      // five bytes of eight bits, with what belongs to panels of 64 rows and whole steps
      assertTrue(layer.bytes() < 2L * 128 * Math.max(128, 2 * columns), layer.bytes() + " bytes");
    }
  }

  private static void check(float[] w, Tensor x, int token, double found) {
    double sum = 0;
    double magnitude = 1e-3;
    for (int k = 0; k < w.length; k++) {
      if (Float.isNaN(w[k])) {
        continue;
      }
      double product = w[k] * x.getDouble((long) token * w.length + k);
      sum += product;
      magnitude += Math.abs(product);
    }
    if (Double.isFinite(sum)) {
      assertEquals(sum, found, magnitude / 1024, "token " + token);
    } else {
      assertEquals(sum, found, "token " + token);
    }
  }

  /** The model of the device has packed weights faster for one token of a large layer. */
  @Test
  void groupsInTheOrderOfActivationsWinByThemselvesAndAreTimedWithTheirGather(
      SimulatedDevice simulated) {
    Packed weights = weights(4, 4096, 4096, 128, true);
    Tensor x = inputs(1, 4096);
    int[] launches = new int[1];
    Projections projections =
        work -> {
          work.run();
          launches[0]++;
          return OptionalDouble.of(1);
        };
    try (DeviceRunner runner = open(weights, "cuda", projections)) {
      Map<String, Shape> shapes = Map.of("x", x.shape());
      String predicted = runner.layers(shapes).getFirst().kernel();
      assertTrue(predicted.startsWith("linear_dense_i4_f16"), predicted);
      runner.warmUp(Map.of("x", x), Progress.NONE);
      LayerPlan layer = runner.layers(shapes).getFirst();
      assertEquals(layer.candidates().size(), launches[0], "each is timed once");
      assertTrue(
          layer.candidates().stream()
              .filter(each -> each.kernel().endsWith(" of gathered inputs"))
              .allMatch(each -> each.projectedMicros() == 1),
          layer.toString());
    }
  }
}
