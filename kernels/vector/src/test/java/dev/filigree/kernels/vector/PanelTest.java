package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Moves into and out of panels, and the start of a layer's output. */
final class PanelTest {
  private static final int[] FEATURES = {1, 3, 5, 16, 63, 65, 130};

  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  /** Every width a panel can have here. */
  private int[] widths() {
    int[] widths = {1, vector.lanes(), 2 * vector.lanes(), 4 * vector.lanes(), Panels.FULL};
    return Arrays.stream(widths).filter(width -> width <= Panels.FULL).distinct().toArray();
  }

  @Test
  void rowsGoIntoAPanelAndComeBack() {
    SplittableRandom random = Legs.random("moves");
    for (int width : widths()) {
      for (int used : new int[] {1, width / 2 + 1, width}) {
        for (int features : FEATURES) {
          float[] values = Legs.normal(random, used * features);
          Operands operands = new Operands();
          long rows = operands.place(values, 1);
          long panel = operands.place(new float[width * features]);
          Operands.Action in =
              (kernels, memory) -> kernels.toPanel(memory, rows, panel, width, used, features);
          float[] expected = operands.run(scalar, panel, in);
          Operands.assertSame("panel", expected, operands.run(vector, panel, in));

          Operands back = new Operands();
          long from = back.place(expected);
          long to = back.place(new float[used * features], 3);
          Operands.Action out =
              (kernels, memory) ->
                  kernels.fromPanel(memory, from, width, used, features, memory, to);
          Operands.assertSame("rows", values, back.run(vector, to, out));
          Operands.assertSame("rows", values, back.run(scalar, to, out));
        }
      }
    }
  }

  @Test
  void aPanelMovesIntoMemoryOfAnotherKind() {
    int width = vector.lanes();
    Operands operands = new Operands();
    long panel = operands.place(Legs.floats(width * 2, i -> i));
    float[] target = new float[5];
    operands.run(
        vector,
        panel,
        (kernels, memory) ->
            kernels.fromPanel(
                memory, panel, width, 2, 2, MemorySegment.ofArray(target), Float.BYTES));
    assertArrayEquals(new float[] {0, 0, width, 1, width + 1}, target);
  }

  @Test
  void outputsStartWithBiasAndResidual() {
    SplittableRandom random = Legs.random("start");
    for (int width : widths()) {
      for (int rows : new int[] {1, 3, 64, 65}) {
        float[] bias = Legs.normal(random, rows);
        for (float[] optionalBias : new float[][] {bias, null}) {
          Operands operands = new Operands();
          long residual = operands.place(Legs.normal(random, width * rows));
          long y = operands.place(Legs.normal(random, width * rows));
          for (long optionalResidual : new long[] {residual, -1, y}) {
            for (int from : new int[] {0, rows / 2, rows}) {
              Operands.Action start =
                  (kernels, memory) ->
                      kernels.start(memory, y, width, from, rows, optionalBias, optionalResidual);
              Operands.assertSame(
                  "start of " + width,
                  operands.run(scalar, y, start),
                  operands.run(vector, y, start));
            }
          }
        }
      }
    }
  }
}
