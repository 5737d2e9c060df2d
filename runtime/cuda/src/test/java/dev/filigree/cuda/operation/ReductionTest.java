package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Reductions and softmax against the reference operators. Integers are exact. Floats are summed in
 * f32: within 1 unit of half precision, in f32 within 16, and where numbers of size 1 cancel within
 * a unit of f32 for each of them.
 */
class ReductionTest extends OperationTest {
  private static final double F32_ULPS = 16;

  private static final List<Reduction> FLOATS_ONLY =
      List.of(Reduction.L2, Reduction.LOG_SUM, Reduction.LOG_SUM_EXP);

  private static double ulps(DType dtype) {
    return dtype == DType.F32 ? F32_ULPS : dtype.isFloating() ? 1 : 0;
  }

  private static Tensor reference(String operator, boolean[] folded, Tensor x) {
    List<Integer> axes = new ArrayList<>();
    for (int axis = 0; axis < folded.length; axis++) {
      if (folded[axis]) {
        axes.add(axis);
      }
    }
    Map<String, Object> attributes = new HashMap<>(Map.of("keepdims", 0, "axes", axes));
    // the last operator set in which every reduction has its axes as an attribute
    Node node = GraphBuilder.node(operator, attributes, List.of("x"), List.of("y"));
    return Interpreter.run(node, 12, new Tensor[] {x})[0];
  }

  /** Without the signs, so that a logarithm of a sum is a number. */
  private static Tensor magnitudes(Tensor x) {
    for (int i = 0; i < x.elements(); i++) {
      x.setDouble(i, Math.abs(x.getDouble(i)));
    }
    return x;
  }

  /** Columns of which some have a NaN, an infinity at either end or in between, or nothing else. */
  private static Tensor withSpecialColumns(Samples samples, DType dtype, int length) {
    int columns = 37;
    double most = Double.POSITIVE_INFINITY;
    Tensor x = normal(samples, dtype, length, columns);
    x.setDouble(length / 2 * columns, Double.NaN);
    x.setDouble(1, Double.NaN);
    x.setDouble(length * 2 / 3 * columns + 2, -most);
    x.setDouble((length - 1) * columns + 3, most);
    for (int i = 0; i < length; i++) {
      x.setDouble(i * columns + 4, -most);
      x.setDouble(i * columns + 36, i < length * 3 / 4 ? -most : 1);
    }
    return x;
  }

  private void check(Reduction reduction, Tensor x, boolean[] folded) {
    Tensor expected = reference(reduction.operator(), folded, x);
    long[] extents = expected.shape().extents();
    Rows y = room(x.dtype(), extents);
    run(
        reduction.fold(
            kernels, view(upload(x), x.shape().extents()), folded, y.address(), y.pitch()));
    double distance = x.dtype().isFloating() ? 400 * 0x1p-23 : 0;
    assertNear(expected, download(y, extents), ulps(x.dtype()), distance);
  }

  @ParameterizedTest
  @EnumSource
  void foldsAnyAxes(Reduction reduction) {
    assertEquals(reduction, Reduction.of(reduction.operator()).orElseThrow());
    Samples samples = new Samples(reduction.ordinal());
    for (DType dtype : DType.values()) {
      if (dtype == DType.BOOL
          || !Elementwise.knows(dtype)
          || FLOATS_ONLY.contains(reduction) && !dtype.isFloating()) {
        continue;
      }
      for (long[] extents : new long[][] {{1}, {7}, {300}, {3, 5}, {4, 33}, {2, 3, 4, 5}}) {
        Tensor x = normal(samples, dtype, extents);
        for (int axes = 1; axes < 1 << extents.length; axes++) {
          boolean[] folded = new boolean[extents.length];
          for (int axis = 0; axis < folded.length; axis++) {
            folded[axis] = (axes >> axis & 1) != 0;
          }
          check(reduction, x, folded);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void sharesLongColumnsAndRows(Reduction reduction) {
    Samples samples = new Samples(reduction.ordinal());
    for (DType dtype : List.of(DType.F16, DType.F32, DType.U8, DType.I64)) {
      if (FLOATS_ONLY.contains(reduction) && !dtype.isFloating()) {
        continue;
      }
      Tensor columns = magnitudes(normal(samples, dtype, 1000, 37));
      check(reduction, columns, new boolean[] {true, false});
      Tensor rows = magnitudes(normal(samples, dtype, 7, 1100));
      check(reduction, rows, new boolean[] {false, true});
      Tensor apart = magnitudes(normal(samples, dtype, 30, 3, 20, 5));
      check(reduction, apart, new boolean[] {true, false, true, false});
      check(reduction, apart, new boolean[] {false, true, false, true});
    }
  }

  @ParameterizedTest
  @EnumSource
  void keepsInfinitiesAndNaNOfLongColumns(Reduction reduction) {
    // a product of so many would leave the range of f32 on the way, where infinity times zero is
    // NaN
    int length = reduction == Reduction.PRODUCT ? 100 : 1000;
    Tensor x = withSpecialColumns(new Samples(reduction.ordinal()), DType.F32, length);
    check(reduction, x, new boolean[] {true, false});
  }

  @ParameterizedTest
  @EnumSource
  void keepsInfinitiesAndNaN(Reduction reduction) {
    Tensor x = withSpecials(new Samples(reduction.ordinal()), DType.F32, 40, 12);
    check(reduction, x, new boolean[] {false, true});
    check(reduction, x, new boolean[] {true, false});
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16", "F32"})
  void makesSoftmaxOfRowsOfAnyLength(DType dtype) {
    Samples samples = new Samples(dtype.ordinal());
    for (int columns : new int[] {1, 2, 3, 7, 8, 9, 31, 33, 127, 1000, 1500}) {
      for (boolean special : new boolean[] {false, true}) {
        Tensor x =
            special ? withSpecials(samples, dtype, 3, columns) : normal(samples, dtype, 3, columns);
        for (boolean logarithm : new boolean[] {false, true}) {
          Rows y = room(dtype, Shape.of(3, columns), 1);
          run(Softmax.rows(kernels, upload(x), y, logarithm));
          check(x, 1, logarithm, download(y, 3, columns));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16", "F32"})
  void makesSoftmaxOfAnyAxis(DType dtype) {
    Samples samples = new Samples(dtype.ordinal());
    for (long[] extents : new long[][] {{1, 1, 1}, {2, 3, 5}, {5, 2, 17}, {3, 9, 100}}) {
      for (int axis = 0; axis < 2; axis++) {
        Tensor x = withSpecials(samples, dtype, extents);
        Tensor y = Tensor.zeros(dtype, x.shape());
        View result = uploadDense(y);
        for (boolean logarithm : new boolean[] {false, true}) {
          Rows rows = upload(x);
          run(Softmax.axis(kernels, view(rows, extents), axis, result, logarithm));
          Rows copy = room(dtype, extents);
          run(Movement.copy(kernels, result, view(copy, extents), copy.pitch()));
          check(x, axis, logarithm, download(copy, extents));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16", "F32"})
  void makesSoftmaxOfLongColumnsInPlace(DType dtype) {
    Samples samples = new Samples(dtype.ordinal());
    for (int length : new int[] {9, 100, 1000}) {
      for (boolean logarithm : new boolean[] {false, true}) {
        Tensor x = withSpecialColumns(samples, dtype, length);
        Rows rows = upload(x);
        View view = view(rows, length, 37);
        run(Softmax.axis(kernels, view, 0, view, logarithm));
        check(x, 0, logarithm, download(rows, length, 37));
      }
    }
  }

  private static void check(Tensor x, int axis, boolean logarithm, Tensor actual) {
    Node node =
        GraphBuilder.node(
            logarithm ? "LogSoftmax" : "Softmax", Map.of("axis", axis), List.of("x"), List.of("y"));
    Tensor expected = Interpreter.run(node, 13, new Tensor[] {x})[0];
    assertNear(expected, actual, ulps(x.dtype()), 0x1p-21);
  }
}
