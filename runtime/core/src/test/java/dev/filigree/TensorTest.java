package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorTest {
  @ParameterizedTest
  @EnumSource
  void zerosHaveTypeShapeAndSize(DType dtype) {
    Tensor zeros = Tensor.zeros(dtype, Shape.of(2, 3));
    assertEquals(6L * dtype.bytes(), zeros.data().byteSize());
    assertArrayEquals(new long[6], zeros.toLongs());
    assertEquals(dtype + "[2, 3]", zeros.toString());
  }

  @ParameterizedTest
  @EnumSource
  void elementsOfEveryTypeAreStoredAndRead(DType dtype) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(3));
    tensor.setLong(1, 1);
    tensor.setDouble(2, 1);
    assertArrayEquals(new float[] {0, 1, 1}, tensor.toFloats());
    assertEquals(1, tensor.getLong(1));
    assertEquals(1.0, tensor.getDouble(2));
  }

  @Test
  void arraysAreSharedAndNotCopied() {
    float[] floats = {1, 2};
    Tensor tensor = Tensor.of(floats, 2);
    tensor.setDouble(0, 5);
    assertEquals(5, floats[0]);
    floats[1] = 7;
    assertEquals(7, tensor.getDouble(1));
    assertArrayEquals(new long[] {3}, Tensor.of(new long[] {3}, 1).toLongs());
    assertArrayEquals(new long[] {4}, Tensor.of(new int[] {4}, 1).toLongs());
  }

  @Test
  void theSegmentMustHaveExactlyTheSizeOfTheShape() {
    MemorySegment seven = MemorySegment.ofArray(new byte[7]);
    InputException refusal =
        assertThrows(InputException.class, () -> Tensor.of(DType.F16, Shape.of(2, 2), seven));
    assertEquals("a tensor f16[2, 2] takes 8 bytes but got 7", refusal.problem());
  }

  @Test
  void aShapeWhoseBytesOverflowIsRefused() {
    InputException refusal =
        assertThrows(
            InputException.class, () -> Tensor.zeros(DType.I64, Shape.of(1L << 31, 1L << 31)));
    assertEquals("a tensor i64[2147483648, 2147483648] does not fit memory", refusal.problem());
  }

  @Seeded(50)
  void permutingMovesElementsWithoutCopying(Samples samples) {
    int a = samples.between(1, 4);
    int b = samples.between(1, 4);
    int c = samples.between(1, 4);
    Tensor tensor = Tensor.of(samples.normal(a * b * c), a, b, c);
    int[] order =
        samples.oneOf(List.of(new int[] {2, 0, 1}, new int[] {1, 2, 0}, new int[] {2, 1, 0}));
    Tensor view = tensor.permute(order);
    assertEquals(tensor.data(), view.data());
    float[] moved = view.toFloats();
    long[] extents = view.shape().extents();
    int next = 0;
    int[] index = new int[3];
    for (index[order[0]] = 0; index[order[0]] < extents[0]; index[order[0]]++) {
      for (index[order[1]] = 0; index[order[1]] < extents[1]; index[order[1]]++) {
        for (index[order[2]] = 0; index[order[2]] < extents[2]; index[order[2]]++) {
          double expected = tensor.getDouble((index[0] * b + index[1]) * c + index[2]);
          assertEquals(expected, moved[next++]);
        }
      }
    }
  }

  @Test
  void anOrderThatIsNoPermutationIsRefused() {
    Tensor tensor = Tensor.of(new float[6], 2, 3);
    for (int[] order : new int[][] {{0}, {0, 0}, {0, 2}, {-1, 0}, {0, 1, 1}}) {
      InputException refusal = assertThrows(InputException.class, () -> tensor.permute(order));
      assertTrue(refusal.problem().startsWith("axes "), refusal.problem());
    }
  }

  @Test
  void aViewIsContiguousOnlyIfItsElementsLieInOrder() {
    Tensor tensor = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor transposed = tensor.permute(1, 0);
    assertTrue(tensor.isContiguous());
    assertSame(tensor, tensor.contiguous());
    assertFalse(transposed.isContiguous());
    assertEquals("f32[3, 2] strides [1, 3]", transposed.toString());
    assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, transposed.contiguous().toFloats());
    // axes of extent 1 and empty tensors have no order
    assertTrue(Tensor.of(new float[3], 1, 3).permute(1, 0).isContiguous());
    assertTrue(Tensor.of(new float[0], 0, 3).permute(1, 0).isContiguous());
  }

  @Test
  void reshapingKeepsTheNumberAndOrderOfElements() {
    Tensor tensor = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor seen = tensor.reshape(Shape.of(3, 2));
    assertEquals(tensor.data(), seen.data());
    assertArrayEquals(tensor.toFloats(), seen.toFloats());
    assertThrows(InputException.class, () -> tensor.reshape(Shape.of(4)));
    InputException refusal =
        assertThrows(InputException.class, () -> tensor.permute(1, 0).reshape(Shape.of(6)));
    assertEquals("a tensor f32[3, 2] strides [1, 3] cannot be seen as [6]", refusal.problem());
  }

  @Test
  void copyingUnfoldsAViewAndWantsTheSameTypeAndShape() {
    Tensor view = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).permute(1, 0);
    Tensor target = Tensor.zeros(DType.F32, Shape.of(3, 2));
    view.copyTo(target);
    assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, target.toFloats());
    assertThrows(InputException.class, () -> view.copyTo(Tensor.zeros(DType.F32, Shape.of(2, 3))));
    assertThrows(InputException.class, () -> view.copyTo(Tensor.zeros(DType.I32, Shape.of(3, 2))));
    assertThrows(InputException.class, () -> target.copyTo(view));
  }

  @Test
  void longsSurviveBeyondWhatADoubleHolds() {
    long[] values = {Long.MAX_VALUE, Long.MIN_VALUE + 1, (1L << 53) + 1};
    assertArrayEquals(values, Tensor.of(values, 3).toLongs());
  }

  @Test
  void memoryLivesAsLongAsItsArenaAndNoLonger() {
    Tensor tensor;
    try (Arena arena = Arena.ofConfined()) {
      tensor = Tensor.allocate(arena, DType.I64, Shape.of(2));
      tensor.setLong(1, 42);
      assertEquals(42, tensor.getLong(1));
      assertEquals(0, tensor.data().address() % 8);
    }
    assertThrows(IllegalStateException.class, () -> tensor.getLong(1));
    assertThrows(IllegalStateException.class, tensor::toLongs);
    // what does not touch the memory still answers
    assertEquals(Shape.of(2), tensor.shape());
  }
}
