package dev.filigree.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What DJL's batchifiers and translators do to arrays. */
class HostArrayTest {
  private final NDManager manager = HostManager.SYSTEM.newSubManager(null);

  @AfterEach
  void close() {
    manager.close();
  }

  /** {@code [[0, 1, 2], [10, 11, 12]]} and so on, of 64-bit integers. */
  private NDArray counted(int rows, int columns) {
    long[] values = new long[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = i / columns * 10L + i % columns;
    }
    return manager.create(values, new Shape(rows, columns));
  }

  @Test
  void stackingAndUnstackingReturnTheRows() {
    NDArray a = counted(2, 3);
    NDArray b = manager.create(new long[] {7, 7, 7, 8, 8, 8}, new Shape(2, 3));
    NDArray middle = NDArrays.stack(new NDList(a, b), 1);
    assertEquals(new Shape(2, 2, 3), middle.getShape());
    assertArrayEquals(new long[] {0, 1, 2, 7, 7, 7, 10, 11, 12, 8, 8, 8}, middle.toLongArray());
    NDList[] back = Batchifier.STACK.unbatchify(Batchifier.STACK.batchify(lists(a, b)));
    assertArrayEquals(a.toLongArray(), back[0].singletonOrThrow().toLongArray());
    assertArrayEquals(b.toLongArray(), back[1].singletonOrThrow().toLongArray());
    assertEquals(new Shape(2, 3), back[1].singletonOrThrow().getShape());
  }

  private static NDList[] lists(NDArray... arrays) {
    NDList[] lists = new NDList[arrays.length];
    for (int i = 0; i < arrays.length; i++) {
      lists[i] = new NDList(arrays[i]);
    }
    return lists;
  }

  @Test
  void paddingFillsUpAndIsTakenAwayAgain() {
    PaddingStackBatchifier padding =
        PaddingStackBatchifier.builder()
            .optIncludeValidLengths(true)
            .addPad(0, 0, within -> within.full(new Shape(1), -1, DataType.INT64))
            .build();
    NDArray two = manager.create(new long[] {1, 2});
    NDArray five = manager.create(new long[] {3, 4, 5, 6, 7});
    two.setName("ids");
    NDList batch = padding.batchify(lists(two, five));
    assertEquals(new Shape(2, 5), batch.get(0).getShape());
    assertEquals("ids", batch.get(0).getName());
    assertArrayEquals(new long[] {1, 2, -1, -1, -1, 3, 4, 5, 6, 7}, batch.get(0).toLongArray());
    NDList[] rows = padding.unbatchify(batch);
    assertArrayEquals(new long[] {1, 2}, rows[0].singletonOrThrow().toLongArray());
    assertArrayEquals(new long[] {3, 4, 5, 6, 7}, rows[1].singletonOrThrow().toLongArray());
  }

  @Test
  void partsAreFoundByIndex() {
    NDArray array = counted(4, 5);
    assertArrayEquals(new long[] {20, 21, 22, 23, 24}, array.get(2).toLongArray());
    assertArrayEquals(new long[] {34}, array.get(new NDIndex("-1, -1")).toLongArray());
    assertArrayEquals(new long[] {11, 13, 21, 23}, array.get("1:3, 1::2").toLongArray());
    assertEquals(new Shape(4), array.get(":, 0").getShape());
    assertEquals(12, array.getLong(1, 2));
    assertThrows(IndexOutOfBoundsException.class, () -> array.get(4));
  }

  @Test
  void splitsMayBeUneven() {
    NDList parts = counted(2, 5).split(new long[] {1, 4}, 1);
    assertArrayEquals(new long[] {0, 10}, parts.get(0).toLongArray());
    assertArrayEquals(new long[] {1, 2, 3, 11, 12, 13}, parts.get(1).toLongArray());
    assertArrayEquals(new long[] {4, 14}, parts.get(2).toLongArray());
    assertThrows(IllegalArgumentException.class, () -> counted(2, 5).split(2, 1));
  }

  @Test
  void shapesChangeAroundTheSameValues() {
    NDArray array = counted(2, 3);
    assertEquals(new Shape(3, 2), array.reshape(3, -1).getShape());
    assertEquals(new Shape(2, 1, 3), array.expandDims(1).getShape());
    assertEquals(new Shape(2, 3), array.expandDims(0).squeeze(0).getShape());
    assertThrows(IllegalArgumentException.class, () -> array.squeeze(0));
    assertThrows(IllegalArgumentException.class, () -> array.reshape(4, 2));
    NDArray row = counted(1, 3).broadcast(new Shape(2, 2, 3));
    assertArrayEquals(new long[] {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, row.toLongArray());
  }

  @Test
  void conversionsRoundAsJavaDoes() {
    NDArray reals = manager.create(new float[] {-1.5f, 0, 2.75f});
    assertArrayEquals(new int[] {-1, 0, 2}, reals.toType(DataType.INT32, false).toIntArray());
    assertArrayEquals(
        new boolean[] {true, false, true}, reals.toType(DataType.BOOLEAN, false).toBooleanArray());
    NDArray half = reals.toType(DataType.FLOAT16, false);
    assertEquals(6, half.toByteBuffer().remaining());
    assertArrayEquals(
        new float[] {-1.5f, 0, 2.75f}, half.toType(DataType.FLOAT32, false).toFloatArray());
    NDArray big = manager.create(new long[] {(1L << 53) + 1});
    assertEquals(
        (1L << 53) + 1, big.toType(DataType.UINT64, false).toType(DataType.INT64, true).getLong(0));
  }

  @Test
  void aClosedManagerClosesItsArrays() {
    NDManager inner = manager.newSubManager();
    NDArray array = inner.create(new float[] {1});
    NDArray kept = inner.create(new float[] {2});
    kept.attach(manager);
    inner.close();
    assertThrows(IllegalStateException.class, array::toFloatArray);
    assertArrayEquals(new float[] {2}, kept.toFloatArray());
  }
}
