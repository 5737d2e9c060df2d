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
    boolean floats =
        List.of(Reduction.L2, Reduction.LOG_SUM, Reduction.LOG_SUM_EXP).contains(reduction);
    Samples samples = new Samples(reduction.ordinal());
    for (DType dtype : DType.values()) {
      if (dtype == DType.BOOL || !Elementwise.knows(dtype) || floats && !dtype.isFloating()) {
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

  private static void check(Tensor x, int axis, boolean logarithm, Tensor actual) {
    Node node =
        GraphBuilder.node(
            logarithm ? "LogSoftmax" : "Softmax", Map.of("axis", axis), List.of("x"), List.of("y"));
    Tensor expected = Interpreter.run(node, 13, new Tensor[] {x})[0];
    assertNear(expected, actual, ulps(x.dtype()), 0x1p-21);
  }
}
