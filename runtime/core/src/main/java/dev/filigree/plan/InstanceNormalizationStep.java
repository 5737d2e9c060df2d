package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Normalises each plane by its own statistics, computed in double and in the order of the
 * reference, divided by planes.
 *
 * @param x {@code [batch, channels, spatial...]}
 * @param y of x's shape
 * @param scales one for each channel, like the biases
 */
record InstanceNormalizationStep(Slot x, Slot y, double[] scales, double[] biases, double epsilon)
    implements Step {
  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    int channels = scales.length;
    int planes = Math.toIntExact(x.shape().extent(0) * channels);
    int pixels = Math.toIntExact(x.shape().elements() / planes);
    WorkerPool.Body body =
        (plane, worker) -> {
          int c = plane % channels;
          long at = (long) plane * pixels * Float.BYTES;
          double mean = sum(memory, x.offset() + at, pixels) / pixels;
          double squares = squares(memory, x.offset() + at, pixels, mean);
          double factor = scales[c] * (1 / Math.sqrt(squares / pixels + epsilon));
          for (int i = 0; i < pixels; i++) {
            long element = at + (long) i * Float.BYTES;
            double v = memory.get(DType.FLOAT, x.offset() + element);
            memory.set(
                DType.FLOAT, y.offset() + element, (float) ((v - mean) * factor + biases[c]));
          }
        };
    return PlaneSteps.over(planes, x.shape().elements(), body);
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
