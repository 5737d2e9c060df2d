package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Normalises each plane, or the planes of a group of channels together, by its own statistics,
 * computed in double and in the order of the reference, divided by planes or groups.
 *
 * @param x {@code [batch, channels, spatial...]}
 * @param y of x's shape
 * @param groups of neighbouring channels, as many as channels for plane by plane
 * @param scales one for each channel or group, like the biases
 */
record InstanceNormalizationStep(
    Slot x, Slot y, int groups, double[] scales, double[] biases, double epsilon) implements Step {
  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    int planes = Math.toIntExact(x.shape().extent(0) * groups);
    int pixels = Math.toIntExact(x.shape().elements() / planes);
    int lines = scales.length / groups;
    int each = pixels / lines;
    WorkerPool.Body body =
        (plane, worker) -> {
          long at = (long) plane * pixels * Float.BYTES;
          double mean = sum(memory, x.offset() + at, pixels) / pixels;
          double squares = squares(memory, x.offset() + at, pixels, mean);
          double factor = 1 / Math.sqrt(squares / pixels + epsilon);
          int first = plane % groups * lines;
          for (int c = first; c < first + lines; c++, at += (long) each * Float.BYTES) {
            scale(memory, at, each, mean, scales[c] * factor, biases[c]);
          }
        };
    return PlaneSteps.over(planes, x.shape().elements(), body);
  }

  private void scale(
      MemorySegment memory, long at, int count, double mean, double factor, double bias) {
    for (long element = at; element < at + (long) count * Float.BYTES; element += Float.BYTES) {
      double v = memory.get(DType.FLOAT, x.offset() + element);
      memory.set(DType.FLOAT, y.offset() + element, (float) ((v - mean) * factor + bias));
    }
  }

  private static double sum(MemorySegment memory, long from, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += memory.get(DType.FLOAT, from + (long) i * Float.BYTES);
    }
    return sum;
  }

  private static double squares(MemorySegment memory, long from, int count, double mean) {
    double squares = 0;
    for (int i = 0; i < count; i++) {
      double difference = memory.get(DType.FLOAT, from + (long) i * Float.BYTES) - mean;
      squares += difference * difference;
    }
    return squares;
  }
}
