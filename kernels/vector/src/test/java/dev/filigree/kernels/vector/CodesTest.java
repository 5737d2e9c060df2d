package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.Kernels;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Kernels on codes give the bits of their scalar twins, ties and saturation included. */
final class CodesTest {
  private final Kernels vector = Legs.vector();
  private final Kernels scalar = Legs.scalar();

  private void compare(Operands operands, long output, Operands.Action action) {
    Operands.assertSame(
        "output at " + output,
        operands.run(scalar, output, action),
        operands.run(vector, output, action));
  }

  private static float[] whole(SplittableRandom random, int count, int least, int greatest) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextInt(least, greatest + 1);
    }
    return values;
  }

  /** Floats whose four bytes are codes. */
  private static float[] bytes(SplittableRandom random, int count) {
    float[] values = new float[(count + 3) / 4];
    for (int i = 0; i < values.length; i++) {
      // no NaN, whose bits a copy may change
      values[i] = Float.intBitsToFloat(random.nextInt() & ~(1 << 23));
    }
    return values;
  }

  @Test
  void bytesAreReadAndWrittenExactly() {
    SplittableRandom random = Legs.random("bytes");
    for (int count : Legs.counts()) {
      for (boolean signed : new boolean[] {true, false}) {
        int zero = signed ? random.nextInt(-128, 128) : random.nextInt(256);
        for (float scale : new float[] {1, 0.0117f, 3}) {
          float[] ties = new float[count];
          for (int i = 0; i < count; i++) {
            ties[i] =
                random.nextInt(16) == 0
                    ? Float.NaN
                    : (random.nextInt(-700, 700) + 0.5f * random.nextInt(2)) * scale;
          }
          Operands operands = new Operands();
          long codes = operands.place(bytes(random, count), 1);
          long floats = operands.place(ties, 2);
          compare(
              operands,
              floats,
              (kernels, memory) ->
                  kernels.decode(memory, codes, floats, count, signed, zero, scale));
          compare(
              operands,
              codes,
              (kernels, memory) ->
                  kernels.encode(memory, floats, codes, count, signed, zero, scale));
        }
      }
    }
  }

  @Test
  void sumsOfProductsBecomeCodesExactly() {
    SplittableRandom random = Legs.random("requantise");
    for (int count : Legs.counts()) {
      for (float factor : new float[] {0.5f, 0.0013f, 1e-9f, 1e9f}) {
        Operands operands = new Operands();
        float[] sums = whole(random, count, -(1 << 20), 1 << 20);
        // what a network is given may hold NaN, and its codes are made in the same way
        if (count > 0) {
          sums[random.nextInt(count)] = Float.NaN;
        }
        long x = operands.place(sums, 1);
        long y = operands.place(new float[count], 2);
        compare(
            operands,
            y,
            (kernels, memory) -> kernels.requantize(memory, x, y, count, factor, -3, 252));
        compare(
            operands,
            x,
            (kernels, memory) -> kernels.requantize(memory, x, x, count, factor, -128, 127));
      }
    }
  }

  @Test
  void codesAreAddedAndMultipliedExactly() {
    SplittableRandom random = Legs.random("codes");
    for (int count : Legs.counts()) {
      for (DType dtype : new DType[] {DType.U8, DType.I8}) {
        int least = (int) dtype.least();
        int[] zeros = random.ints(3, least, least + 256).toArray();
        // halves of a step make ties
        float[] scales =
            random.nextBoolean()
                ? new float[] {0.05f, 0.1f, 0.1f}
                : new float[] {0.013f, 0.0217f, 0.0391f};
        CodeSum sum =
            CodeSum.of(dtype, scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2]);
        CodeProduct product = CodeProduct.of(dtype, scales[0], scales[1], scales[2], zeros[2]);
        Operands operands = new Operands();
        long a = operands.place(whole(random, count, least - zeros[0], least + 255 - zeros[0]), 1);
        long b =
            operands.place(
                whole(random, Math.max(1, count), least - zeros[1], least + 255 - zeros[1]), 2);
        long y = operands.place(new float[count], 0);
        compare(operands, y, (kernels, memory) -> kernels.addCodes(memory, a, b, y, count, sum));
        for (boolean single : new boolean[] {true, false}) {
          compare(
              operands,
              y,
              (kernels, memory) -> kernels.multiplyCodes(memory, a, b, single, y, count, product));
        }
      }
    }
  }
}
