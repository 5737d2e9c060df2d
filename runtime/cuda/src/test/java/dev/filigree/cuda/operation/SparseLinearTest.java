package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.layout.CsrWeights;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.SparseCsr;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Unstructured sparse layers against sums in double precision over what is kept, with both kernels
 * at any number of tokens: within 1 unit in the last place of the result, or K units of f32 of the
 * sum of magnitudes.
 */
class SparseLinearTest extends OperationTest {
  private List<KernelEntry> entries(DType dtype) {
    List<KernelEntry> found =
        MANIFEST.of("linear").stream()
            .filter(
                entry ->
                    entry.weights().orElseThrow().structure() == WeightsForm.Structure.CSR
                        && entry.activation().orElseThrow().label().equals(dtype.toString()))
            .toList();
    assertEquals(2, found.size());
    return found;
  }

  private static SparseCsr weights(Samples samples, Mask mask, DType dtype) {
    Tensor dense = normal(samples, dtype, mask.rows(), mask.columns());
    float[] values = new float[(int) dense.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) dense.getDouble(i);
    }
    return SparseCsr.pack(
        Dense.of(mask.rows(), mask.columns(), values),
        mask,
        (kept, rows, count) -> FloatValues.of(DType.F32, kept));
  }

  private record Expected(Tensor y, double distance) {}

  private static Expected reference(
      SparseCsr weights, Tensor x, float[] bias, Tensor residual, Activation activation) {
    int tokens = (int) x.shape().extent(0);
    Tensor y = Tensor.zeros(x.dtype(), Shape.of(tokens, weights.rows()));
    float[] row = new float[weights.columns()];
    double greatest = 0;
    for (int r = 0; r < weights.rows(); r++) {
      weights.unpackRow(r, row, 0);
      for (int t = 0; t < tokens; t++) {
        double sum = 0;
        double magnitude = 0;
        for (int c = 0; c < row.length; c++) {
          if (weights.keeps(r, c)) {
            double product = row[c] * x.getDouble((long) t * row.length + c);
            sum += product;
            magnitude += Double.isFinite(product) ? Math.abs(product) : 0;
          }
        }
        long i = (long) t * weights.rows() + r;
        sum += bias == null ? 0 : bias[r];
        sum += residual == null ? 0 : residual.getDouble(i);
        greatest = Math.max(greatest, magnitude);
        y.setDouble(i, activation.apply(sum));
      }
    }
    return new Expected(y, greatest * 0x1p-23 * Math.sqrt(weights.columns()) + 0x1p-22);
  }

  private void check(SparseCsr weights, Tensor x, Samples samples, Activation activation) {
    DType dtype = x.dtype();
    int tokens = (int) x.shape().extent(0);
    boolean plain = activation == Activation.NONE;
    float[] bias = plain ? null : samples.normal(weights.rows());
    Tensor residual = plain ? null : normal(samples, dtype, tokens, weights.rows());
    Expected expected = reference(weights, x, bias, residual, activation);
    try (Arena arena = Arena.ofShared()) {
      CsrWeights packed =
          CsrWeights.pack(
              "test",
              weights,
              dev.filigree.kernels.cuda.ActivationType.valueOf(dtype.name()),
              arena);
      SparseLinear.Operands operands =
          new SparseLinear.Operands(
              upload(packed.entries()).address(), upload(packed.rowOffsets()).address());
      LinearEpilogue epilogue =
          new LinearEpilogue(
              plain ? 0 : upload(bias).address(), plain ? null : upload(residual), activation);
      Rows from = upload(x);
      for (KernelEntry entry : entries(dtype)) {
        Rows y = room(dtype, Shape.of(tokens, weights.rows()), 9);
        run(SparseLinear.multiply(kernels, entry, operands, from, epilogue, y));
        assertNear(expected.y, download(y, tokens, weights.rows()), 1, expected.distance);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 64, 64, 0.5",
    "2, 65, 96, 0.1",
    "3, 7, 33, 0.3",
    "7, 1, 1, 1",
    "8, 100, 257, 0.05",
    "9, 130, 300, 0.1",
    "15, 8, 255, 0.9",
    "16, 24, 256, 0",
    "17, 72, 512, 0.02",
    "31, 9, 40, 0.2",
    "33, 80, 600, 0.1",
    "63, 12, 70, 0.4",
    "65, 70, 100, 0.1",
    "1, 40, 4500, 0.05",
    "129, 16, 90, 0.2"
  })
  void multipliesWhatIsKept(int tokens, int rows, int columns, double density) {
    Samples samples = new Samples(tokens * 1000L + columns);
    SparseCsr weights = weights(samples, samples.mask(rows, columns, density), DType.F16);
    check(weights, normal(samples, DType.F16, tokens, columns), samples, Activation.NONE);
    check(weights, normal(samples, DType.F16, tokens, columns), samples, Activation.GELU);
  }

  @Test
  void multipliesInBfloat16() {
    Samples samples = new Samples(6);
    SparseCsr weights = weights(samples, samples.mask(30, 280, 0.2), DType.BF16);
    check(weights, normal(samples, DType.BF16, 12, 280), samples, Activation.RELU);
  }

  @Test
  void whatIsNotKeptIsNotMultiplied() {
    Samples samples = new Samples(7);
    // column 0 and column 256 hold infinities that only row 3 keeps
    Mask mask = Mask.of(20, 300, (r, c) -> c % 256 == 0 ? r == 3 : (r + c) % 5 == 0);
    SparseCsr weights = weights(samples, mask, DType.F16);
    Tensor x = normal(samples, DType.F16, 5, 300);
    x.setDouble(0, Double.POSITIVE_INFINITY);
    x.setDouble(300 + 256, Double.NaN);
    x.setDouble(2 * 300, Double.NEGATIVE_INFINITY);
    check(weights, x, samples, Activation.NONE);
  }
}
