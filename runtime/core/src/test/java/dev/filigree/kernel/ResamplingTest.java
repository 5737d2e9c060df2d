package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.operator;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Axes that grow by any factor, and samples at any place, are as PyTorch and ONNX Runtime give
 * them.
 */
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

  /** A volume {@code [1, 2, 3, 4, 5]} whose elements grow evenly along each axis. */
  private static Tensor volume() {
    Tensor x = Tensor.zeros(DType.F32, Shape.of(1, 2, 3, 4, 5));
    for (int i = 0; i < x.elements(); i++) {
      x.setDouble(i, 1000 * (i / 60) + 100 * (i / 20 % 3) + 10 * (i / 5 % 4) + i % 5);
    }
    return x;
  }

  private static float[] sampled(String mode, String padding, float... places) {
    Map<String, Object> attributes =
        Map.of("mode", mode, "padding_mode", padding, "align_corners", 1);
    Tensor grid = Tensor.of(places, 1, 1, 1, places.length / 3, 3);
    return operator("GridSample", 20, attributes).to(volume(), grid).toFloats();
  }

  /** The first number of a place is that of the last axis. */
  @Test
  void volumesAreSampledBetweenTheirElements() {
    float[] places = {-1, -1, -1, 0.25f, 0, -0.5f, 1, 1, 1};
    assertArrayEquals(
        new float[] {0, 67.5f, 234, 1000, 1067.5f, 1234},
        sampled("linear", "border", places),
        1e-4f);
    assertArrayEquals(
        new float[] {0, 22, 234, 1000, 1022, 1234}, sampled("nearest", "zeros", places));
  }

  @Test
  void whatLiesOutsideAVolumeIsPadded() {
    float[] beyond = {-1, -1, 2, 0, 3, 0};
    assertArrayEquals(new float[] {0, 0, 0, 0}, sampled("nearest", "zeros", beyond));
    assertArrayEquals(new float[] {200, 132, 1200, 1132}, sampled("linear", "border", beyond));
    assertArrayEquals(new float[] {100, 102, 1100, 1102}, sampled("linear", "reflection", beyond));
    // half of what is between the last element and one outside is the last's
    assertArrayEquals(
        new float[] {100, 0, 600, 0}, sampled("linear", "zeros", -1, -1, 1.5f, 0, 3, 0), 1e-4f);
  }

  @Test
  void aVolumeOfOneSliceIsSampledAsItsImage() {
    float[] places = {0.3f, -0.7f, 0.9f, 0.9f, -1.1f, 0.2f};
    Tensor image = Tensor.of(new Samples(3).normal(20), 1, 1, 4, 5);
    Tensor slice = image.reshape(Shape.of(1, 1, 1, 4, 5));
    for (String padding : List.of("zeros", "border", "reflection")) {
      Map<String, Object> attributes = Map.of("mode", "cubic", "padding_mode", padding);
      float[] flat =
          operator("GridSample", 20, attributes)
              .to(image, Tensor.of(places, 1, 1, 3, 2))
              .toFloats();
      float[] deep = {places[0], places[1], 0, places[2], places[3], 0, places[4], places[5], 0};
      assertArrayEquals(
          flat,
          operator("GridSample", 20, attributes)
              .to(slice, Tensor.of(deep, 1, 1, 1, 3, 3))
              .toFloats(),
          1e-6f);
    }
  }
}
