package dev.filigree.compress.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.plan.WorkerPool;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionOperationTest {
  private static final float SCALE = 0.4f;
  private static final double TOLERANCE = 1e-5;

  @ParameterizedTest
  @CsvSource({"1, 1, 1, 1", "2, 3, 4, 5", "3, 43, 4, 6", "5, 70, 7, 3", "12, 32, 9, 8"})
  void headsSideBySideAreThoseOfEachTextAlone(int heads, int samples, int tokens, int width) {
    Random random = new Random(heads * 1000L + samples);
    Signal[] inputs = inputs(random, heads * width, samples, tokens);
    float[] dy = inputs(random, heads * width, samples, tokens)[0].data();
    float[][] made = run(inputs, dy, heads, 1);
    double[][] wanted = slowly(inputs, dy, heads);
    String[] names = {"output", "queries", "keys", "values"};
    for (int i = 0; i < names.length; i++) {
      for (int j = 0; j < dy.length; j++) {
        assertEquals(wanted[i][j], made[i][j], TOLERANCE, names[i] + " at " + j);
      }
    }
  }

  @Test
  void anyNumberOfThreadsGivesTheSameBits() {
    Random random = new Random(9);
    Signal[] inputs = inputs(random, 20, 70, 7);
    float[] dy = inputs(random, 20, 70, 7)[0].data();
    float[][] alone = run(inputs, dy, 5, 1);
    float[][] together = run(inputs, dy, 5, 3);
    for (int i = 0; i < alone.length; i++) {
      assertArrayEquals(alone[i], together[i]);
    }
  }

  private static Signal[] inputs(Random random, int features, int samples, int tokens) {
    Signal[] inputs = new Signal[3];
    for (int i = 0; i < inputs.length; i++) {
      float[] data = new float[features * samples * tokens];
      for (int j = 0; j < data.length; j++) {
        data[j] = (float) random.nextGaussian();
      }
      inputs[i] = new Signal(data, features, samples, tokens);
    }
    return inputs;
  }

  private static float[][] run(Signal[] inputs, float[] dy, int heads, int threads) {
    try (WorkerPool pool = new WorkerPool(threads, "attention-test")) {
      Operation.Step step = new AttentionOperation(heads, SCALE, pool).forward(inputs, true);
      float[][] gradients = step.backward().inputs(dy, true);
      return new float[][] {step.output().data(), gradients[0], gradients[1], gradients[2]};
    }
  }

  /** The output and the gradients of queries, keys and values by the formulas, in f64. */
  private static double[][] slowly(Signal[] inputs, float[] dy, int heads) {
    float[] q = inputs[0].data();
    float[] k = inputs[1].data();
    float[] v = inputs[2].data();
    int tokens = inputs[0].inner()[0];
    int positions = inputs[0].positions();
    int width = inputs[0].features() / heads;
    double[][] results = new double[4][q.length];
    for (int head = 0; head < heads; head++) {
      for (int text = 0; text < positions; text += tokens) {
        int at = head * width * positions + text;
        for (int i = 0; i < tokens; i++) {
          double[] shares = new double[tokens];
          double sum = 0;
          for (int j = 0; j < tokens; j++) {
            double score = 0;
            for (int d = at; d < at + width * positions; d += positions) {
              score += (double) q[d + i] * k[d + j];
            }
            shares[j] = Math.exp(SCALE * score);
            sum += shares[j];
          }
          double[] ofShares = new double[tokens];
          double along = 0;
          for (int j = 0; j < tokens; j++) {
            shares[j] /= sum;
            for (int d = at; d < at + width * positions; d += positions) {
              results[0][d + i] += shares[j] * v[d + j];
              results[3][d + j] += shares[j] * dy[d + i];
              ofShares[j] += (double) v[d + j] * dy[d + i];
            }
            along += ofShares[j] * shares[j];
          }
          for (int j = 0; j < tokens; j++) {
            double ofScore = SCALE * shares[j] * (ofShares[j] - along);
            for (int d = at; d < at + width * positions; d += positions) {
              results[1][d + i] += ofScore * k[d + j];
              results[2][d + j] += ofScore * q[d + i];
            }
          }
        }
      }
    }
    return results;
  }
}
