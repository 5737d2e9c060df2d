package dev.filigree.kernel;

import static dev.filigree.kernel.Apply.assertTensor;
import static dev.filigree.kernel.Apply.operator;
import static dev.filigree.kernel.Apply.tensor;
import static dev.filigree.kernel.Apply.vector;

import dev.filigree.DType;
import dev.filigree.Tensor;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Detectors get the boxes that ONNX Runtime gives them, also where scores or overlaps tie. */
final class BoxesTest {
  private static Tensor boxes(double... corners) {
    return tensor(DType.F32, new long[] {1, corners.length / 4, 4}, corners);
  }

  private static Tensor scores(double... scores) {
    return tensor(DType.F32, new long[] {1, 1, scores.length}, scores);
  }

  private static Tensor picked(Tensor boxes, Tensor scores, double overlap) {
    return operator("NonMaxSuppression")
        .to(boxes, scores, vector(DType.I64, 100), vector(DType.F32, overlap));
  }

  /** Areas of 10 and 7 share 7 of 10, which in f32 is just the f32 that is next to 0.7. */
  @Test
  void anOverlapOfJustTheLimitIsNotBeyondIt() {
    Tensor both = boxes(0, 0, 1, 10, 0, 0, 1, 7);
    assertTensor("i64[2, 3]", new long[] {0, 0, 0, 0, 0, 1}, picked(both, scores(2, 1), 0.7));
    assertTensor("i64[1, 3]", new long[] {0, 0, 0}, picked(both, scores(2, 1), 0.69));
  }

  @Test
  void ofEqualScoresTheFirstBoxIsPicked() {
    Tensor alike = boxes(0, 0, 2, 2, 0, 0, 2, 2, 5, 5, 6, 6, 0, 0, 2, 2);
    assertTensor(
        "i64[2, 3]", new long[] {0, 0, 1, 0, 0, 2}, picked(alike, scores(1, 3, 3, 3), 0.5));
    assertTensor(
        "i64[2, 3]", new long[] {0, 0, 0, 0, 0, 2}, picked(alike, scores(0, -0.0, 0, 0), 0.5));
  }

  @Test
  void boxesWithoutAnAreaOverlapNone() {
    Tensor empty = boxes(1, 1, 1, 3, 0, 0, 4, 4, 1, 1, 1, 3);
    assertTensor(
        "i64[3, 3]", new long[] {0, 0, 0, 0, 0, 1, 0, 0, 2}, picked(empty, scores(3, 2, 1), 0));
  }

  @Test
  void ofEqualValuesTheLowerIndicesAreTheTop() {
    Tensor x = vector(DType.F32, 1, 3, -0.0, 3, 0, 3, 1);
    Tensor[] top = operator("TopK", 13, Map.of("axis", 0)).outputs(2, x, vector(DType.I64, 4));
    assertTensor("i64[4]", new long[] {1, 3, 5, 0}, top[1]);
    Tensor[] least =
        operator("TopK", 13, Map.of("axis", 0, "largest", 0)).outputs(2, x, vector(DType.I64, 3));
    assertTensor("i64[3]", new long[] {2, 4, 0}, least[1]);
  }
}
