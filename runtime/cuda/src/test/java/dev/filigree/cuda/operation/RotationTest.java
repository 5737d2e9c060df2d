package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.testing.Samples;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rotary positions against the reference operator; the result is rounded to f16 once. */
class RotationTest extends OperationTest {
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 2, 2, 1",
    "2, 3, 2, 8, 8, 2",
    "2, 5, 3, 10, 4, 1",
    "1, 9, 4, 32, 32, 1",
    "3, 7, 1, 70, 66, 3",
    "2, 4, 12, 64, 64, 1"
  })
  void turnsTheFirstFeaturesOfEachHead(
      int batch, int tokens, int heads, int width, int turned, int tables) {
    Samples samples = new Samples(tokens);
    Tensor x = normal(samples, DType.F16, batch, tokens, (long) heads * width);
    Tensor cos = normal(samples, DType.F32, tables, tokens, turned);
    Tensor sin = normal(samples, DType.F32, tables, tokens, turned);
    Rows y = room(x.dtype(), x.shape(), 8);
    run(Rotation.turn(kernels, upload(x), upload(cos), upload(sin), width, y));
    Tensor expected =
        Interpreter.run(
            Rotary.node("rotary", "x", "cos", "sin", "y", heads), 17, new Tensor[] {x, cos, sin})[
            0];
    assertNear(expected, download(y, x.shape().extents()), 0x1p-10, 0x1p-12);
  }
}
