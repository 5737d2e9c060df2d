package dev.filigree.kernels.vector;

import dev.filigree.spi.Kernels;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Windows over padded planes, copies and products of rows: the scalar twin's values. */
final class SlidingWindowTest {
  private static final int[] WIDTHS = {1, 3, 7, 15, 16, 17, 31, 40, 64, 80, 131};

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  private static int[] taps(SplittableRandom random, int count, int elements) {
    int[] taps = new int[count];
    for (int t = 0; t < count; t++) {
      taps[t] = random.nextInt(elements);
    }
    return taps;
  }

  @Test
  void sumsAndMaximaUnderWindowsAreThoseOfTheTwin() {
    SplittableRandom random = Legs.random("windows");
    for (int width : WIDTHS) {
      for (int count : new int[] {1, 9, 25}) {
        int rows = random.nextInt(1, 5);
        int pitch = width + random.nextInt(5);
        int[] taps = taps(random, count, 50);
        Operands operands = new Operands();
        float[] plane = Legs.normal(random, rows * pitch + width + 50 + Lanes.COUNT);
        long x = operands.place(plane, random.nextInt(3));
        long y = operands.place(new float[rows * width], random.nextInt(3));
        float[] weights = Legs.normal(random, count + 3);
        String name = "width " + width + ", taps " + count;
        Operands.Action sum =
            (kernels, memory) ->
                kernels.slide(memory, x, taps, pitch, weights, 3, 0.5f, y, rows, width);
        double[] errors = new double[rows * width];
        Arrays.fill(errors, count * 1e-6);
        Operands.assertClose(
            name, operands.run(scalar, y, sum), operands.run(vector, y, sum), errors);
        plane[random.nextInt(50)] = Float.NaN;
        Operands others = new Operands();
        long from = others.place(plane, random.nextInt(3));
        long to = others.place(new float[rows * width], random.nextInt(3));
        Operands.Action maximum =
            (kernels, memory) -> kernels.slideMaximum(memory, from, taps, pitch, to, rows, width);
        Operands.assertSame(name, others.run(scalar, to, maximum), others.run(vector, to, maximum));
      }
    }
  }

  @Test
  void everySoManyElementsOfRowsAreCopied() {
    SplittableRandom random = Legs.random("copies");
    for (int step : new int[] {1, 2, 3}) {
      for (int width : WIDTHS) {
        int rows = random.nextInt(1, 5);
        int xPitch = width * step + random.nextInt(3);
        int yPitch = width + random.nextInt(3);
        // the last row ends with the memory
        int elements = (rows - 1) * xPitch + (width - 1) * step + 1;
        Operands operands = new Operands();
        long x = operands.place(Legs.normal(random, elements), random.nextInt(3));
        long y = operands.place(new float[rows * yPitch], random.nextInt(3));
        Operands.Action copy =
            (kernels, memory) -> kernels.copyRows(memory, x, step, xPitch, y, yPitch, rows, width);
        Operands.assertSame(
            "width " + width + ", step " + step,
            operands.run(scalar, y, copy),
            operands.run(vector, y, copy));
      }
    }
  }

  @Test
  void productsOfRowsAreThoseOfTheTwin() {
    SplittableRandom random = Legs.random("products");
    for (int n : WIDTHS) {
      for (int m : new int[] {1, 3, 4, 9}) {
        int k = random.nextInt(1, 50);
        Operands operands = new Operands();
        long a = operands.place(Legs.normal(random, m * k), random.nextInt(3));
        long b = operands.place(Legs.normal(random, k * n), random.nextInt(3));
        long y = operands.place(new float[m * n], random.nextInt(3));
        Operands.Action product = (kernels, memory) -> kernels.product(memory, a, b, y, m, n, k);
        double[] errors = new double[m * n];
        Arrays.fill(errors, k * 1e-6);
        Operands.assertClose(
            m + " x " + k + " x " + n,
            operands.run(scalar, y, product),
            operands.run(vector, y, product),
            errors);
      }
    }
  }
}
