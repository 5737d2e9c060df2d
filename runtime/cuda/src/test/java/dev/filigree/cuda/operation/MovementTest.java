package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Data movement and casts: bit for bit what the reference operators make. */
class MovementTest extends OperationTest {
  private static Tensor reference(Node node, Tensor... operands) {
    return Interpreter.run(node, 13, operands)[0];
  }

  private void assertCopies(View from, Tensor expected) {
    long[] extents = expected.shape().extents();
    Rows y = room(expected.dtype(), expected.shape(), 1);
    run(Movement.copy(kernels, from, view(y, extents), y.pitch()));
    assertSame(expected, download(y, extents));
  }

  @Seeded(60)
  void transposesAnyAxes(Samples samples) {
    DType dtype = samples.oneOf(List.of(DType.values()));
    int rank = samples.between(1, 6);
    List<Integer> order = new ArrayList<>();
    long[] extents = new long[rank];
    for (int i = 0; i < rank; i++) {
      order.add(i);
      extents[i] = samples.oneOf(List.of(1, 2, 3, 5, rank < 4 ? 33 : 4));
    }
    Collections.shuffle(order, new Random(samples.between(0, 1 << 20)));
    Tensor x = normal(samples, dtype, extents);
    Node node = GraphBuilder.node("Transpose", Map.of("perm", order), List.of("x"), List.of("y"));
    int[] axes = order.stream().mapToInt(Integer::intValue).toArray();
    View from = view(upload(x), extents).permute(axes);
    assertCopies(from, reference(node, x));
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void transposesWholeAndRaggedSquares(DType dtype) {
    Samples samples = new Samples(1);
    for (long[] extents : new long[][] {{64, 64}, {129, 65}, {2, 127, 31}, {1, 200}, {200, 1}}) {
      Tensor x = normal(samples, dtype, extents);
      int[] order = extents.length == 2 ? new int[] {1, 0} : new int[] {0, 2, 1};
      Node node =
          GraphBuilder.node(
              "Transpose",
              Map.of("perm", Arrays.stream(order).boxed().toList()),
              List.of("x"),
              List.of("y"));
      assertCopies(uploadDense(x).permute(order), reference(node, x));
    }
  }

  @Test
  void takesSlicesForwardsAndBackwards() {
    for (DType dtype : DType.values()) {
      Tensor x = normal(new Samples(2), dtype, 4, 9, 21);
      Node node =
          GraphBuilder.node(
              "Slice", Map.of(), List.of("x", "starts", "ends", "axes", "steps"), List.of("y"));
      Tensor expected =
          reference(
              node,
              x,
              Tensor.of(new long[] {1, 8, 2}, 3),
              Tensor.of(new long[] {4, 0, 20}, 3),
              Tensor.of(new long[] {0, 1, 2}, 3),
              Tensor.of(new long[] {2, -3, 1}, 3));
      View from = uploadDense(x).slice(0, 1, 2, 2).slice(1, 8, -3, 3).slice(2, 2, 1, 18);
      assertCopies(from, expected);
    }
  }

  @Test
  void joinsAlongAnyAxisAndExpands() {
    Samples samples = new Samples(3);
    for (DType dtype : List.of(DType.F16, DType.I64, DType.U8)) {
      for (int axis = 0; axis < 3; axis++) {
        long[] left = {2, 3, 13};
        long[] right = left.clone();
        right[axis] = 5;
        Tensor a = normal(samples, dtype, left);
        Tensor b = normal(samples, dtype, right);
        Node node =
            GraphBuilder.node("Concat", Map.of("axis", axis), List.of("a", "b"), List.of("y"));
        Tensor expected = reference(node, a, b);
        long[] extents = expected.shape().extents();
        Rows y = room(dtype, extents);
        View whole = view(y, extents);
        boolean columns = axis == 2;
        run(
            Movement.copy(
                kernels,
                view(upload(a), left),
                whole.slice(axis, 0, 1, left[axis]),
                columns ? 13 : y.pitch()));
        run(
            Movement.copy(
                kernels,
                view(upload(b), right),
                whole.slice(axis, left[axis], 1, right[axis]),
                columns ? y.pitch() - 13 : y.pitch()));
        assertSame(expected, download(y, extents));
      }
      Tensor x = normal(samples, dtype, 3, 1, 7);
      Node node = GraphBuilder.node("Expand", Map.of(), List.of("x", "shape"), List.of("y"));
      Tensor expected = reference(node, x, Tensor.of(new long[] {2, 3, 4, 7}, 4));
      assertCopies(uploadDense(x), expected);
    }
  }

  @Test
  void axesThatCannotBeMergedAreRefusedBeyondSix() {
    View x = View.of(0, DType.F16, Shape.of(2, 2, 2, 2, 2, 2, 2));
    View reversed = x.permute(6, 5, 4, 3, 2, 1, 0);
    assertThrows(UnsupportedException.class, () -> Movement.copy(kernels, reversed, x, 2));
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void gathersAlongAnyAxis(DType dtype) {
    Samples samples = new Samples(4);
    Tensor x = normal(samples, dtype, 3, 4, 5, 17);
    Rows rows = upload(x);
    for (int axis = 0; axis < 4; axis++) {
      int extent = (int) x.shape().extent(axis);
      for (DType indexType : List.of(DType.I64, DType.I32)) {
        for (long[] shape : new long[][] {{}, {9}, {2, 3}}) {
          Tensor indices = Tensor.zeros(indexType, Shape.of(shape));
          for (int i = 0; i < indices.elements(); i++) {
            indices.setLong(i, samples.between(-extent, extent - 1));
          }
          Node node =
              GraphBuilder.node("Gather", Map.of("axis", axis), List.of("x", "i"), List.of("y"));
          Tensor expected = reference(node, x, indices);
          // the last axis of a scalar's result is gone; its rows are single elements
          boolean scalars = axis == 3 && shape.length == 0;
          long[] extents =
              axis == 3 ? new long[] {60, indices.elements()} : expected.shape().extents();
          Rows y = room(dtype, extents);
          DeviceMemory fault = upload(Gather.NO_FAULT);
          run(
              Gather.slices(
                  kernels,
                  view(rows, 3, 4, 5, 17),
                  axis,
                  denseAddress(indices),
                  indexType,
                  indices.shape(),
                  y.address(),
                  y.pitch(),
                  fault.address()));
          Tensor flat = Tensor.of(dtype, Shape.of(extents), expected.data());
          assertSame(scalars || axis == 3 ? flat : expected, download(y, extents));
        }
      }
    }
  }

  @Test
  void theFirstIndexOutOfRangeIsReported() {
    Tensor x = normal(new Samples(5), DType.F32, 4, 6);
    Tensor indices = Tensor.of(new long[] {0, 3, 4, -5}, 4);
    for (int axis = 0; axis < 2; axis++) {
      Rows y = room(DType.F32, 4, axis == 0 ? 6 : 4);
      DeviceMemory fault = upload(Gather.NO_FAULT);
      run(
          Gather.slices(
              kernels,
              view(upload(x), 4, 6),
              axis,
              denseAddress(indices),
              DType.I64,
              Shape.of(4),
              y.address(),
              y.pitch(),
              fault.address()));
      long[] found = new long[1];
      fault.download(0, MemorySegment.ofArray(found));
      // -5 is out of range of both axes but 4 of the first alone
      assertEquals(axis == 0 ? 2 : Gather.NO_FAULT, found[0]);
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"F64", "I16", "U16", "U32", "U64"})
  void castsToEveryType(DType from) {
    Samples samples = new Samples(from.ordinal());
    Tensor x = withSpecials(samples, from, 3, 45);
    double[] edges = {2147483648.0, -2147483649.0, 9.3e18, -9.3e18, 127.5, 255.5, 256, -129, 2049};
    for (int i = 0; i < edges.length && from != DType.BOOL; i++) {
      x.setDouble(i, edges[i]);
    }
    if (from == DType.I64) {
      x.setLong(20, (1L << 53) + 1);
      x.setLong(21, (1L << 24) + 1);
      x.setLong(22, 2049);
      x.setLong(23, (1L << 40) + 1);
    }
    Rows rows = upload(x);
    for (DType to : DType.values()) {
      if (!Elementwise.knows(to)) {
        continue;
      }
      Node node =
          GraphBuilder.node("Cast", Map.of("to", OnnxTypes.number(to)), List.of("x"), List.of("y"));
      Rows y = room(to, 3, 45);
      run(Elementwise.cast(kernels, rows, y));
      assertSame(reference(node, x), download(y, 3, 45));
    }
  }
}
