package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

final class ScoreSoftmaxTest {
  /**
   * Around these the exponential function leaves the range of normal floats, or changes nothing.
   */
  private static final float[] EDGES = {
    0,
    -0.0f,
    -Float.MIN_VALUE,
    -1e-8f,
    -87.33654f,
    -87.33655f,
    -87.33653f,
    -89,
    -1e30f,
    Float.NEGATIVE_INFINITY,
    Float.NaN
  };

  /** Of two keys, the first of which has the score 0: the weights are 1 and e^x over their sum. */
  @Test
  void weightsAreMadeOfTheSameExponentialsBitForBit() {
    SplittableRandom random = Legs.random("softmax");
    float[] scores = Arrays.copyOf(EDGES, 64 * Lanes.COUNT);
    for (int i = EDGES.length; i < scores.length; i++) {
      scores[i] = (float) -random.nextDouble(95);
    }
    long row = (long) scores.length * Float.BYTES;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate((2 + ScoreSoftmax.SCRATCH) * row, 64);
      MemorySegment.copy(scores, 0, memory, DType.FLOAT, row, scores.length);
      long at = memory.address();
      ScoreSoftmax.softmax(at, row, 2, at + 2 * row, false);
      for (int i = 0; i < scores.length; i++) {
        float e = VectorMath.exp(FloatVector.broadcast(Lanes.F, scores[i])).lane(0);
        float inverse = 1f / (1f + e);
        assertEquals(inverse, memory.getAtIndex(DType.FLOAT, i), "beside " + scores[i]);
        assertEquals(
            e * inverse, memory.getAtIndex(DType.FLOAT, scores.length + i), "of " + scores[i]);
      }
    }
  }
}
