package dev.filigree.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomNumbersTest {
  private static final int COUNT = 20_000;

  private static double mean(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double deviation(float[] values) {
    double mean = mean(values);
    double sum = 0;
    for (float value : values) {
      sum += (value - mean) * (value - mean);
    }
    return Math.sqrt(sum / values.length);
  }

  @Test
  void normalNumbersHaveTheirMeanAndScale() {
    float[] y =
        Apply.operator("RandomNormalLike", 22, Map.of("mean", 3f, "scale", 0.5f))
            .to(Tensor.zeros(DType.F32, Shape.of(COUNT / 100, 100)))
            .toFloats();
    // six standard errors: one run in 10^9 is beyond them
    assertEquals(3, mean(y), 6 * 0.5 / Math.sqrt(COUNT));
    assertEquals(0.5, deviation(y), 6 * 0.5 / Math.sqrt(2 * COUNT));
  }

  @Test
  void uniformNumbersFillTheirRange() {
    Tensor y =
        Apply.operator(
                "RandomUniform",
                22,
                Map.of("low", -2f, "high", 4f, "shape", List.of((long) COUNT), "dtype", 11L))
            .to();
    assertEquals(DType.F64, y.dtype());
    double least = Double.MAX_VALUE;
    double most = -Double.MAX_VALUE;
    for (int i = 0; i < COUNT; i++) {
      least = Math.min(least, y.getDouble(i));
      most = Math.max(most, y.getDouble(i));
    }
    assertTrue(least >= -2 && least < -1.99, "least " + least);
    assertTrue(most <= 4 && most > 3.99, "most " + most);
  }

  @Test
  void aSeedGivesTheSameNumbersAgain() {
    Tensor like = Tensor.zeros(DType.F32, Shape.of(50));
    Apply seeded = Apply.operator("RandomUniformLike", 22, Map.of("seed", 7f));
    assertArrayEquals(seeded.to(like).toFloats(), seeded.to(like).toFloats());
    Apply free = Apply.operator("RandomUniformLike", 22, Map.of());
    assertFalse(Arrays.equals(free.to(like).toFloats(), free.to(like).toFloats()));
  }

  @Test
  void wholeNumbersAreRefused() {
    Apply.operator("RandomNormal", 22, Map.of("shape", List.of(2L), "dtype", 7L))
        .refuses(GraphException.class, "i64");
  }

  @Test
  void onesComeWithTheirProbabilities() {
    Tensor likely = Tensor.zeros(DType.F32, Shape.of(COUNT));
    for (int i = 0; i < COUNT; i++) {
      likely.setDouble(i, i % 2 == 0 ? 1 : 0.25);
    }
    Tensor y = Apply.operator("Bernoulli", 15, Map.of("dtype", 7L)).to(likely);
    assertEquals(DType.I64, y.dtype());
    int ones = 0;
    for (int i = 0; i < COUNT; i += 2) {
      assertEquals(1, y.getLong(i), "certain, at " + i);
      ones += Math.toIntExact(y.getLong(i + 1));
    }
    // six standard errors, as above
    assertEquals(0.25, ones * 2.0 / COUNT, 6 * Math.sqrt(0.25 * 0.75 * 2 / COUNT));
    assertEquals(
        DType.F32,
        Apply.operator("Bernoulli", 15, Map.of()).to(likely).dtype(),
        "the input's type where none is said");
  }

  /** Nothing it depends on changes, and still it must not be computed once and for all. */
  @Test
  void aModelMakesNewNumbersInEveryRun(@TempDir Path folder) {
    Path file =
        new OnnxModel(22)
            .input("x", DType.F32, "4")
            .initializer("zeros", Tensor.zeros(DType.F32, Shape.of(4)))
            .node("RandomNormalLike", "noise", "zeros")
            .node("Add", "y", "x", "noise")
            .output("y", DType.F32, "4")
            .write(folder.resolve("noise.onnx"));
    Map<String, Tensor> inputs = Map.of("x", Tensor.zeros(DType.F32, Shape.of(4)));
    try (Model model = Model.open(file);
        Session session = model.session(SessionOptions.defaults())) {
      float[] first = session.run(inputs).get("y").toFloats();
      float[] second = session.run(inputs).get("y").toFloats();
      assertFalse(Arrays.equals(first, second), Arrays.toString(first));
    }
  }
}
