package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Functions and relations of two tensors against the reference operators: exact for integers, bools
 * and selections, correctly rounded for the four basic operations on f32. In half precision the f32
 * result is rounded again, which can be off by 1 unit; Pow in f32 by 4 (CUDA C++ guide, table of
 * functions).
 */
class BinaryTest extends OperationTest {
  /** Extents of both operands: equal, scalars, rows, columns, in the middle, new axes in front. */
  private static final long[][][] SHAPES = {
    {{3, 5}, {3, 5}},
    {{1}, {1}},
    {{}, {7}},
    {{2, 384}, {384}},
    {{4, 1}, {1, 17}},
    {{2, 1, 3, 33}, {5, 1, 33}},
    {{1, 2, 1, 2, 1, 9}, {2, 1, 2, 1, 2, 1}},
    {{1000}, {1}},
    {{2, 8, 16}, {2, 8, 16}},
    {{0, 4}, {1, 4}}
  };

  private static long[] result(long[] a, long[] b) {
    long[] extents = new long[Math.max(a.length, b.length)];
    for (int i = 0; i < extents.length; i++) {
      int left = i - (extents.length - a.length);
      int right = i - (extents.length - b.length);
      long x = left < 0 ? 1 : a[left];
      long y = right < 0 ? 1 : b[right];
      extents[i] = x == 1 ? y : x;
    }
    return extents;
  }

  private static Tensor reference(String operator, Tensor a, Tensor b) {
    var node = GraphBuilder.node(operator, Map.of(), List.of("a", "b"), List.of("y"));
    return Interpreter.run(node, 17, new Tensor[] {a, b})[0];
  }

  private View padded(Tensor tensor) {
    return tensor.shape().rank() == 0
        ? uploadDense(tensor)
        : view(upload(tensor), tensor.shape().extents());
  }

  @ParameterizedTest
  @EnumSource
  void computesAsTheReference(BinaryOperation operation) {
    assertEquals(operation, BinaryOperation.of(operation.operator()).orElseThrow());
    Samples samples = new Samples(operation.ordinal());
    for (DType dtype : List.of(DType.F16, DType.BF16, DType.F32, DType.I32, DType.I64)) {
      for (long[][] shapes : SHAPES) {
        Tensor a = withSpecials(samples, dtype, shapes[0]);
        Tensor b = withSpecials(samples, dtype, shapes[1]);
        long[] extents = result(shapes[0], shapes[1]);
        Rows y = room(dtype, extents);
        run(Elementwise.binary(kernels, operation, padded(a), uploadDense(b), view(y, extents)));
        boolean power = operation == BinaryOperation.POWER;
        double ulps = !dtype.isFloating() ? 0 : dtype != DType.F32 ? 1 : power ? 4 : 0;
        assertNear(reference(operation.operator(), a, b), download(y, extents), ulps, 0);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void comparesAsTheReference(Comparison comparison) {
    assertEquals(comparison, Comparison.of(comparison.operator()).orElseThrow());
    boolean logic = comparison.ordinal() >= Comparison.AND.ordinal();
    Samples samples = new Samples(comparison.ordinal());
    List<DType> types =
        logic
            ? List.of(DType.BOOL)
            : List.of(DType.F16, DType.BF16, DType.F32, DType.I8, DType.U8, DType.I32, DType.I64);
    for (DType dtype : types) {
      for (long[][] shapes : SHAPES) {
        Tensor a = withSpecials(samples, dtype, shapes[0]);
        Tensor b = withSpecials(samples, dtype, shapes[1]);
        long[] extents = result(shapes[0], shapes[1]);
        Rows y = room(DType.BOOL, extents);
        run(Elementwise.compare(kernels, comparison, padded(a), uploadDense(b), view(y, extents)));
        assertSame(reference(comparison.operator(), a, b), download(y, extents));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void choosesAsTheReference(DType dtype) {
    Samples samples = new Samples(dtype.ordinal());
    for (long[][] shapes : SHAPES) {
      Tensor a = withSpecials(samples, dtype, shapes[0]);
      Tensor b = withSpecials(samples, dtype, shapes[1]);
      long[] extents = result(shapes[0], shapes[1]);
      Tensor condition = normal(samples, DType.BOOL, shapes[1]);
      Rows y = room(dtype, extents);
      run(
          Elementwise.where(
              kernels, padded(condition), padded(a), uploadDense(b), view(y, extents)));
      var node = GraphBuilder.node("Where", Map.of(), List.of("c", "a", "b"), List.of("y"));
      assertSame(
          Interpreter.run(node, 17, new Tensor[] {condition, a, b})[0], download(y, extents));
    }
  }

  @Test
  void largeIntegersStayExactAndWrap() {
    long[] values = {Long.MIN_VALUE, Long.MAX_VALUE, -1, (1L << 53) + 1, 0};
    Tensor a = Tensor.of(values, 5, 1);
    Tensor b = Tensor.of(values, 5);
    for (BinaryOperation operation : BinaryOperation.values()) {
      Rows y = room(DType.I64, 5, 5);
      run(Elementwise.binary(kernels, operation, uploadDense(a), uploadDense(b), view(y, 5, 5)));
      assertSame(reference(operation.operator(), a, b), download(y, 5, 5));
    }
    for (Comparison comparison : List.of(Comparison.EQUAL, Comparison.LESS)) {
      Rows y = room(DType.BOOL, 5, 5);
      run(Elementwise.compare(kernels, comparison, uploadDense(a), uploadDense(b), view(y, 5, 5)));
      assertSame(reference(comparison.operator(), a, b), download(y, 5, 5));
    }
  }

  @Test
  void readsTransposedAndReversedOperandsInPlace() {
    Tensor a = normal(new Samples(7), DType.F16, 6, 20);
    View transposed = uploadDense(a).permute(1, 0).slice(0, 19, -2, 10);
    Tensor b = Tensor.zeros(DType.F16, Shape.of(6));
    Rows y = room(DType.F16, 10, 6);
    run(
        Elementwise.binary(
            kernels, BinaryOperation.ADD, transposed, uploadDense(b), view(y, 10, 6)));
    Tensor expected = Tensor.zeros(DType.F16, Shape.of(10, 6));
    for (int i = 0; i < 10; i++) {
      for (int j = 0; j < 6; j++) {
        expected.setDouble(i * 6L + j, a.getDouble(j * 20L + 19 - 2 * i));
      }
    }
    assertSame(expected, download(y, 10, 6));
  }
}
