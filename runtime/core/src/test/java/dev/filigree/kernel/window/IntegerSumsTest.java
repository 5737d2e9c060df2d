package dev.filigree.kernel.window;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Kernel;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Rows of codes give the sums that single products give. */
final class IntegerSumsTest {
  private static Tensor codes(Samples samples, DType dtype, long... extents) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.setLong(
          i, samples.between(dtype == DType.I8 ? -128 : 0, dtype == DType.I8 ? 127 : 255));
    }
    return tensor;
  }

  private static long[] extents(long first, long second, int axes, int... sizes) {
    long[] extents = new long[axes + 2];
    extents[0] = first;
    extents[1] = second;
    for (int axis = 0; axis < axes; axis++) {
      extents[axis + 2] = sizes[axis];
    }
    return extents;
  }

  @Seeded(80)
  void rowsOfCodesGiveTheSumsOfSingleProducts(Samples samples) {
    int axes = samples.between(1, 2);
    int group = samples.between(1, 3);
    int channels = samples.between(1, 4);
    int outputs = group * samples.between(1, 3);
    int kernel = samples.between(1, 4);
    Map<String, Object> attributes =
        Map.of(
            "group", group,
            "strides", Collections.nCopies(axes, samples.between(1, 3)),
            "dilations", Collections.nCopies(axes, samples.between(1, 2)),
            "pads", Collections.nCopies(2 * axes, samples.between(0, kernel)));
    Node node =
        new GraphBuilder(13)
            .input("x", DType.U8)
            .input("w", DType.I8)
            .node("ConvInteger", attributes, List.of("y"), "x", "w")
            .output("y", DType.I32)
            .build()
            .nodes()
            .getFirst();
    Tensor x =
        codes(
            samples,
            DType.U8,
            extents(
                2, (long) group * channels, axes, samples.between(7, 11), samples.between(7, 11)));
    Tensor w = codes(samples, DType.I8, extents(outputs, channels, axes, kernel, kernel));
    Tensor zeroX = samples.chance(0.5) ? codes(samples, DType.U8) : null;
    Tensor zeroW = samples.chance(0.5) ? codes(samples, DType.I8, outputs) : null;
    assertTrue(IntegerSums.fit(Conv.window(node, x, w), x, channels));
    int made = (int) (2 * outputs * Conv.window(node, x, w).positions());
    long[] expected = new long[made];
    long[] actual = new long[made];
    ConvInteger.eachProduct(node, x, w, zeroX, zeroW, (at, o, sum) -> expected[(int) at] = sum)
        .run();
    Kernel rows =
        ConvInteger.products(node, x, w, zeroX, zeroW, (at, o, sum) -> actual[(int) at] = sum);
    rows.run();
    assertArrayEquals(expected, actual);
    // what the input holds in the next run counts
    x.setLong(x.elements() / 2, x.getLong(x.elements() / 2) ^ 1);
    ConvInteger.eachProduct(node, x, w, zeroX, zeroW, (at, o, sum) -> expected[(int) at] = sum)
        .run();
    rows.run();
    assertArrayEquals(expected, actual);
  }

  @Test
  void moreProductsThanASumOf32BitsHoldsDoNotFit() {
    Tensor x = Tensor.zeros(DType.U8, Shape.of(1, 40_000, 1, 1));
    Window one =
        new Window(
            new long[] {1, 1},
            new long[] {1, 1},
            new long[] {1, 1},
            new long[2],
            new long[] {1, 1});
    assertFalse(IntegerSums.fit(one, x, 40_000));
    assertTrue(IntegerSums.fit(one, x, 30_000));
  }
}
