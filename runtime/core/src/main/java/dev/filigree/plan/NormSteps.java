package dev.filigree.plan;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Normalisations of planes {@code [batch * channels][pixels]}, computed in double and in the order
 * of the reference, divided by planes.
 */
final class NormSteps {
  private NormSteps() {}

  /** What is done to every element: {@code (x - mean) * factor + bias}. */
  private static void scale(
      MemorySegment memory, long x, long y, int count, double mean, double factor, double bias) {
    for (int i = 0; i < count; i++) {
      double v = memory.get(DType.FLOAT, x + (long) i * Float.BYTES);
      memory.set(DType.FLOAT, y + (long) i * Float.BYTES, (float) ((v - mean) * factor + bias));
    }
  }

  /**
   * Normalises each channel by given statistics.
   *
   * @param x {@code [batch, channels, spatial...]}
   * @param y of x's shape
   * @param means one for each channel, like the factors and biases
   */
  record Given(Slot x, Slot y, double[] means, double[] factors, double[] biases) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int channels = means.length;
      int planes = Math.toIntExact(x.shape().extent(0) * channels);
      int pixels = Math.toIntExact(x.shape().elements() / planes);
      WorkerPool.Body body =
          (plane, worker) -> {
            int c = plane % channels;
            long at = (long) plane * pixels * Float.BYTES;
            scale(
                memory, x.offset() + at, y.offset() + at, pixels, means[c], factors[c], biases[c]);
          };
      return PlaneSteps.over(planes, x.shape().elements(), body);
    }
  }

  /**
   * Normalises each plane, or the planes of a group of channels together, by its own statistics.
   *
   * @param x {@code [batch, channels, spatial...]}
   * @param y of x's shape
   * @param groups of neighbouring channels, as many as channels for plane by plane
   * @param scales one for each channel or group, like the biases
   */
  record Own(Slot x, Slot y, int groups, double[] scales, double[] biases, double epsilon)
      implements Step {
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
              scale(
                  memory,
                  x.offset() + at,
                  y.offset() + at,
                  each,
                  mean,
                  factor * scales[c],
                  biases[c]);
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
}
