package dev.filigree.kernels.vector;

import dev.filigree.spi.Kernels;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Tiles of 4 x 4 pixels and rows put beside each other: the scalar twin's values. */
final class WinogradTilesTest {
  private static final int ELEMENTS = 16;
  private static final int RESULTS = 4;
  private static final int[] WIDTHS = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 40, 64, 80, 131};

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  @Test
  void tilesAreTransformedAsTheTwinDoes() {
    SplittableRandom random = Legs.random("tiles");
    for (int vectors : new int[] {1, 2, 4}) {
      int width = vectors * Lanes.COUNT;
      int rows = random.nextInt(2, 9);
      int count = rows * width;
      long step = (long) count * Float.BYTES;
      Operands operands = new Operands();
      long x = operands.place(Legs.normal(random, ELEMENTS * count), 0);
      double[] errors = new double[ELEMENTS * count];
      Arrays.fill(errors, 1e-5);
      Operands.Action input =
          (kernels, memory) -> kernels.winogradInput(memory, x, step, rows, width);
      Operands.assertClose(
          "input", operands.run(scalar, x, input), operands.run(vector, x, input), errors);
      float[] bias = random.nextInt(3) == 0 ? null : Legs.normal(random, rows);
      Operands.Action output =
          (kernels, memory) -> kernels.winogradOutput(memory, x, step, 1, rows, width, bias);
      // the panels of the other elements hold nothing of use
      Arrays.fill(errors, RESULTS * count, errors.length, Double.MAX_VALUE);
      Operands.assertClose(
          "output", operands.run(scalar, x, output), operands.run(vector, x, output), errors);
    }
  }

  @Test
  void rowsAreInterleavedAsTheTwinDoes() {
    SplittableRandom random = Legs.random("interleaving");
    for (int width : WIDTHS) {
      int rows = random.nextInt(1, 5);
      int pitch = (width + 1) / 2 + random.nextInt(3);
      int yPitch = width + random.nextInt(3);
      Operands operands = new Operands();
      long a = operands.place(Legs.normal(random, rows * pitch + Lanes.COUNT), random.nextInt(3));
      long b = operands.place(Legs.normal(random, rows * pitch + Lanes.COUNT), random.nextInt(3));
      long y = operands.place(new float[rows * yPitch], random.nextInt(3));
      Operands.Action interleave =
          (kernels, memory) -> kernels.interleave(memory, a, b, pitch, y, yPitch, rows, width);
      Operands.assertSame(
          "width " + width,
          operands.run(scalar, y, interleave),
          operands.run(vector, y, interleave));
    }
  }
}
