package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ShapeTest {
  @Test
  void aScalarHasNoAxisAndOneElement() {
    assertEquals(0, Shape.SCALAR.rank());
    assertEquals(1, Shape.SCALAR.elements());
    assertEquals(Shape.SCALAR, Shape.of());
    assertEquals("[]", Shape.SCALAR.toString());
  }

  @Test
  void stridesAreRowMajor() {
    Shape shape = Shape.of(2, 3, 4);
    assertArrayEquals(new long[] {12, 4, 1}, shape.strides());
    assertEquals(24, shape.elements());
    assertEquals(4, shape.extent(-1));
    assertEquals(2, shape.extent(-3));
    assertEquals("[2, 3, 4]", shape.toString());
  }

  @Test
  void anEmptyAxisMakesItEmptyHoweverLargeTheOthersAre() {
    assertEquals(0, Shape.of(0, Long.MAX_VALUE).elements());
    assertEquals(0, Shape.of(1L << 40, 0).elements());
  }

  @Test
  void moreElementsThanALongCountsAreRefused() {
    assertEquals(Long.MAX_VALUE, Shape.of(Long.MAX_VALUE).elements());
    InputException refusal = assertThrows(InputException.class, () -> Shape.of(1L << 32, 1L << 31));
    assertEquals(
        "shape [4294967296, 2147483648] has more elements than fit a 64-bit count",
        refusal.problem());
    // also where an empty axis hides it from the product
    assertThrows(InputException.class, () -> Shape.of(1L << 32, 0, 1L << 32));
  }

  @Test
  void aNegativeExtentIsRefused() {
    InputException refusal = assertThrows(InputException.class, () -> Shape.of(2, -1));
    assertEquals("shape [2, -1] has a negative extent", refusal.problem());
  }

  @Test
  void arraysPassedInOrHandedOutAreCopies() {
    long[] extents = {2, 3};
    Shape shape = Shape.of(extents);
    extents[0] = 9;
    shape.extents()[1] = 9;
    assertEquals(Shape.of(2, 3), shape);
    assertEquals(Shape.of(2, 3).hashCode(), shape.hashCode());
    assertNotEquals(Shape.of(3, 2), shape);
  }
}
