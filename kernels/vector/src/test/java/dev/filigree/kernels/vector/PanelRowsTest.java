package dev.filigree.kernels.vector;

import dev.filigree.spi.Kernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Rows of panels made of planes: the scalar twin's values, and nothing written beyond them. */
final class PanelRowsTest {
  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  /** Stretches that fill a row, some of them outside the plane. */
  private static float[] stretches(SplittableRandom random, int width, int plane) {
    List<Float> ints = new ArrayList<>();
    for (int lane = 0; lane < width; ) {
      int length = Math.min(width - lane, random.nextInt(1, 40));
      int element = random.nextInt(4) == 0 ? -1 : random.nextInt(plane - length + 1);
      for (int value : new int[] {lane, element, length}) {
        ints.add(Float.intBitsToFloat(value));
      }
      lane += length;
    }
    float[] array = new float[ints.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = ints.get(i);
    }
    return array;
  }

  @Test
  void stretchesOfAnyLengthAreGatheredExactly() {
    SplittableRandom random = Legs.random("stretches");
    for (int round = 0; round < 200; round++) {
      int width = random.nextBoolean() ? 64 : Lanes.COUNT * random.nextInt(1, 5);
      int planes = random.nextInt(1, 6);
      int plane = 100;
      Operands operands = new Operands();
      long x = operands.place(Legs.normal(random, planes * plane), random.nextInt(3));
      float[] runs = stretches(random, width, plane);
      long stretches = operands.place(runs);
      long y = operands.place(new float[planes * width]);
      Operands.Action action =
          (kernels, memory) ->
              kernels.gather(
                  memory,
                  x,
                  (long) plane * Float.BYTES,
                  planes,
                  stretches,
                  runs.length / 3,
                  -7,
                  y,
                  width);
      Operands.assertSame(
          "round " + round, operands.run(scalar, y, action), operands.run(vector, y, action));
    }
  }

  @Test
  void sumsOfRowsAreThoseOfTheTwin() {
    SplittableRandom random = Legs.random("rows");
    for (int width : new int[] {1, Lanes.COUNT, 64}) {
      for (int count : new int[] {1, 2, 9, 49}) {
        Operands operands = new Operands();
        long rows = operands.place(Legs.normal(random, count * width));
        long y = operands.place(new float[width]);
        float[] weights = Legs.normal(random, count + 3);
        Operands.Action sum =
            (kernels, memory) ->
                kernels.weightedSum(memory, rows, count, width, weights, 3, 0.5f, y);
        double[] errors = new double[width];
        Arrays.fill(errors, count * 1e-6);
        Operands.assertClose(
            "sum", operands.run(scalar, y, sum), operands.run(vector, y, sum), errors);
      }
    }
  }
}
