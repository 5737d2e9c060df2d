package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.operator;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Axes that grow by a factor that is not whole get what PyTorch and ONNX Runtime give them. */
final class ResamplingTest {
  private static float[] grown(Map<String, Object> attributes, int extent, float factor) {
    float[] counted = new float[extent];
    for (int i = 0; i < extent; i++) {
      counted[i] = i;
    }
    return operator("Resize", 13, attributes)
        .to(Tensor.of(counted, extent), null, Apply.vector(DType.F32, factor))
        .toFloats();
  }

  /** 17 / 1.7 is 10 in floats; with more bits the nearest float to 1.7 is too large for that. */
  @Test
  void placesAreFloats() {
    Map<String, Object> floor =
        Map.of("coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor");
    assertArrayEquals(
        new float[] {0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 7, 7, 8, 8, 9, 10, 10, 11},
        grown(floor, 12, 1.7f));
  }

  /** Three times 1.7 are 5 elements, whose last lies on the last. */
  @Test
  void alignedCornersLieOnCorners() {
    Map<String, Object> aligned =
        Map.of("coordinate_transformation_mode", "align_corners", "mode", "linear");
    assertArrayEquals(new float[] {0, 0.5f, 1, 1.5f, 2}, grown(aligned, 3, 1.7f));
  }
}
