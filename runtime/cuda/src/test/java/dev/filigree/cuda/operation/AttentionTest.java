package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Attention against the reference operator in double precision. Weights are rounded to the element
 * type before they meet the values, with a relative error of half a unit; their sum is 1. With
 * values of size 4 at most the result is within 4 units of 1 in the last place.
 */
class AttentionTest extends OperationTest {
  private static final double F16_BOUND = 0x1p-8;
  private static final double BF16_BOUND = 0x1p-5;

  /** A mask in the reference's form and the steps the kernel takes through it. */
  private record Masked(Tensor tensor, long b, long h, long q, long k) {
    Attention.Mask on(AttentionTest test) {
      return tensor == null
          ? Attention.Mask.NONE
          : new Attention.Mask(test.denseAddress(tensor), b, h, q, k);
    }
  }

  private static final Masked UNMASKED = new Masked(null, 0, 0, 0, 0);

  private void check(DType dtype, Attention.Form form, Samples samples, Masked mask) {
    int features = form.heads() * form.width();
    Tensor q = normal(samples, dtype, form.batch(), form.queries(), features);
    Tensor k = normal(samples, dtype, form.batch(), form.keys(), features);
    Tensor v = normal(samples, dtype, form.batch(), form.keys(), features);
    check(form, q, k, v, mask);
  }

  private void check(Attention.Form form, Tensor q, Tensor k, Tensor v, Masked mask) {
    Rows y = room(q.dtype(), q.shape(), 3);
    run(Attention.attend(kernels, form, upload(q), upload(k), upload(v), mask.on(this), y));
    List<Tensor> operands = new ArrayList<>(List.of(q, k, v));
    List<String> names = new ArrayList<>(List.of("q", "k", "v"));
    if (mask.tensor != null) {
      operands.add(mask.tensor);
      names.add("mask");
    }
    Tensor expected =
        Interpreter.run(
            dev.filigree.kernel.fused.Attention.node(
                "attention",
                names,
                "y",
                new dev.filigree.kernel.fused.Attention.Form(
                    form.heads(), form.heads(), form.scale(), 1, form.guarded())),
            17,
            operands.toArray(Tensor[]::new))[0];
    double bound = q.dtype() == DType.F16 ? F16_BOUND : BF16_BOUND;
    assertNear(expected, download(y, q.shape().extents()), 0, bound);
  }

  private static Masked padding(Samples samples, int batch, int keys, float masked) {
    Tensor mask = Tensor.zeros(DType.F32, Shape.of(batch, 1, 1, keys));
    for (int b = 0; b < batch; b++) {
      int used = samples.between(1, keys);
      for (int k = used; k < keys; k++) {
        mask.setDouble((long) b * keys + k, masked);
      }
    }
    return new Masked(mask, keys, 0, 0, 1);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 32, 1, 1",
    "2, 2, 32, 2, 3",
    "1, 3, 32, 7, 9",
    "1, 2, 64, 15, 16",
    "2, 1, 64, 17, 31",
    "1, 1, 64, 64, 64",
    "1, 2, 64, 65, 63",
    "1, 1, 96, 33, 65",
    "2, 1, 128, 9, 127",
    "1, 1, 128, 129, 130",
    "1, 12, 32, 16, 16",
    "1, 1, 32, 3, 1000"
  })
  void attendsWithAnyNumberOfTokens(int batch, int heads, int width, int queries, int keys) {
    Samples samples = new Samples(queries * 1000L + keys);
    Attention.Form form =
        new Attention.Form(
            batch, heads, width, queries, keys, (float) (1 / Math.sqrt(width)), false);
    check(DType.F16, form, samples, UNMASKED);
    check(DType.F16, form, samples, padding(samples, batch, keys, -10000));
    check(DType.BF16, form, samples, padding(samples, batch, keys, -Float.MAX_VALUE));
  }

  @ParameterizedTest
  @CsvSource({"8", "16", "24", "40", "56", "72", "80", "104", "120"})
  void attendsWithHeadsOfAnyMultipleOfEight(int width) {
    Attention.Form form = new Attention.Form(1, 3, width, 5, 70, 0.2f, false);
    check(DType.F16, form, new Samples(width), UNMASKED);
  }

  @Test
  void broadcastsTheMaskAlongAnyAxis() {
    Samples samples = new Samples(5);
    int batch = 2;
    int heads = 3;
    int queries = 5;
    int keys = 11;
    Attention.Form form = new Attention.Form(batch, heads, 32, queries, keys, 0.18f, false);
    for (int axes = 0; axes < 16; axes++) {
      long[] extents = {
        (axes & 8) == 0 ? 1 : batch,
        (axes & 4) == 0 ? 1 : heads,
        (axes & 2) == 0 ? 1 : queries,
        (axes & 1) == 0 ? 1 : keys
      };
      Tensor mask = normal(samples, DType.F32, extents);
      long[] steps = mask.shape().strides();
      for (int i = 0; i < 4; i++) {
        steps[i] = extents[i] == 1 ? 0 : steps[i];
      }
      check(DType.F16, form, samples, new Masked(mask, steps[0], steps[1], steps[2], steps[3]));
    }
  }

  @Test
  void aRowThatIsMaskedByTheLeastNumberAveragesAllValues() {
    Tensor mask = Tensor.zeros(DType.F32, Shape.of(1, 1, 1, 100));
    for (int k = 0; k < 100; k++) {
      mask.setDouble(k, -Float.MAX_VALUE);
    }
    Attention.Form form = new Attention.Form(1, 2, 32, 3, 100, 0.2f, false);
    check(DType.F16, form, new Samples(9), new Masked(mask, 100, 0, 0, 1));
  }

  @Test
  void aRowMaskedByInfinityIsNanOrZeroAndAPartlyMaskedOneIgnoresWhatIsMasked() {
    Tensor mask = Tensor.zeros(DType.F32, Shape.of(1, 1, 3, 200));
    for (int k = 0; k < 200; k++) {
      mask.setDouble(k, Double.NEGATIVE_INFINITY);
      // the first three tiles of keys are masked entirely, then some
      mask.setDouble(200 + k, k < 195 ? Double.NEGATIVE_INFINITY : 0);
      mask.setDouble(400 + k, k % 2 == 0 ? Double.NEGATIVE_INFINITY : 0);
    }
    for (boolean guarded : new boolean[] {false, true}) {
      Attention.Form form = new Attention.Form(1, 1, 64, 3, 200, 0.125f, guarded);
      check(DType.F16, form, new Samples(10), new Masked(mask, 600, 600, 200, 1));
    }
  }

  @Test
  void greatScoresDoNotOverflow() {
    Samples samples = new Samples(11);
    Tensor q = normal(samples, DType.F16, 1, 20, 64);
    Tensor k = normal(samples, DType.F16, 1, 90, 64);
    Tensor v = normal(samples, DType.F16, 1, 90, 64);
    for (int i = 0; i < q.elements(); i++) {
      q.setDouble(i, 100 * q.getDouble(i));
    }
    check(new Attention.Form(1, 2, 32, 20, 90, 1, false), q, k, v, UNMASKED);
  }

  @Test
  void aNaNStaysWithThoseWhoMeetIt() {
    Samples samples = new Samples(12);
    Tensor q = normal(samples, DType.F16, 1, 40, 64);
    Tensor k = normal(samples, DType.F16, 1, 70, 64);
    Tensor v = normal(samples, DType.F16, 1, 70, 64);
    // a query of head 0, a key of head 1, a value of head 0
    q.setDouble(17 * 64 + 3, Double.NaN);
    v.setDouble(66 * 64 + 5, Double.NaN);
    v.setDouble(2 * 64 + 40, Double.POSITIVE_INFINITY);
    check(new Attention.Form(1, 2, 32, 40, 70, 0.2f, false), q, k, v, UNMASKED);
  }

  @Test
  void aQueryThatIsNaNGetsNothingWhereItIsGuarded() {
    Samples samples = new Samples(13);
    Tensor q = normal(samples, DType.F16, 1, 40, 64);
    Tensor k = normal(samples, DType.F16, 1, 70, 64);
    Tensor v = normal(samples, DType.F16, 1, 70, 64);
    q.setDouble(17 * 64 + 3, Double.NaN);
    check(new Attention.Form(1, 2, 32, 40, 70, 0.2f, true), q, k, v, UNMASKED);
  }

  @Test
  void aWidthWithoutAKernelIsRefused() {
    assertTrue(Attention.supports(kernels, 88));
    assertFalse(Attention.supports(kernels, 12));
    Rows rows = room(DType.F16, 1, 136);
    Attention.Form form = new Attention.Form(1, 1, 136, 1, 1, 1, false);
    assertThrows(
        UnsupportedException.class,
        () -> Attention.attend(kernels, form, rows, rows, rows, Attention.Mask.NONE, rows));
  }
}
