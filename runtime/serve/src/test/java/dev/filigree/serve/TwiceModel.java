package dev.filigree.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.testing.OnnxModel;
import java.nio.file.Path;
import java.util.SplittableRandom;
import tools.jackson.databind.JsonNode;

/** {@code y = 2 x} as a product, so that it has a kernel of the device; exact in f16. */
final class TwiceModel {
  private static final int WIDTH = 16;

  private TwiceModel() {}

  static Path write(Path file) {
    float[] twice = new float[WIDTH * WIDTH];
    for (int i = 0; i < WIDTH; i++) {
      twice[i * WIDTH + i] = 2;
    }
    return new OnnxModel(13)
        .input("x", DType.F32, "batch", Integer.toString(WIDTH))
        .output("y", DType.F32, "batch", Integer.toString(WIDTH))
        .initializer("w", Tensor.of(twice, WIDTH, WIDTH))
        .node("MatMul", "y", "x", "w")
        .write(file);
  }

  /** One to three rows. */
  static float[] rows(SplittableRandom random) {
    float[] x = new float[WIDTH * random.nextInt(1, 4)];
    for (int i = 0; i < x.length; i++) {
      x[i] = random.nextInt(-100, 100) / 4f;
    }
    return x;
  }

  /** A request for the rows. */
  static String body(float[] x) {
    StringBuilder data = new StringBuilder();
    for (float value : x) {
      data.append(data.isEmpty() ? "" : ",").append(value);
    }
    return "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":["
        + x.length / WIDTH
        + ","
        + WIDTH
        + "],\"data\":["
        + data
        + "]}]}";
  }

  static void check(float[] x, JsonNode answer) {
    JsonNode y = answer.get("outputs").get(0).get("data");
    assertEquals(x.length, y.size());
    for (int i = 0; i < x.length; i++) {
      assertEquals(2 * x[i], (float) y.get(i).asDouble(), answer.toString());
    }
  }
}
