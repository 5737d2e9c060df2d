package dev.filigree.compress.train;

import dev.filigree.plan.WorkerPool;
import java.util.Arrays;
import java.util.List;

/**
 * Moves parameters against their gradients. What is pruned stays zero and what is shared stays
 * shared. Not safe to share.
 */
public sealed interface Optimizer {
  /**
   * Moves every parameter once and clears its gradient.
   *
   * @param rate of learning
   */
  void step(double rate);

  /** State of one parameter: running means of its gradient and its square. */
  record State(Parameter parameter, float[] first, float[] second) {
    static List<State> of(List<Parameter> parameters, boolean squares) {
      return parameters.stream()
          .map(
              parameter -> {
                int count = parameter.free().length;
                return new State(parameter, new float[count], squares ? new float[count] : null);
              })
          .toList();
    }

    void finish() {
      parameter.publish();
      Arrays.fill(parameter.gradient(), 0);
    }
  }

  /**
   * Stochastic gradient descent with momentum: {@code v = momentum v + g + decay w; w -= rate v}.
   */
  final class Momentum implements Optimizer {
    private final List<State> states;
    private final float momentum;
    private final float decay;
    private final WorkerPool pool;

    /**
     * An optimiser at rest.
     *
     * @param decay pull of the values towards zero
     */
    public Momentum(List<Parameter> parameters, double momentum, double decay, WorkerPool pool) {
      this.states = State.of(parameters, false);
      this.momentum = (float) momentum;
      this.decay = (float) decay;
      this.pool = pool;
    }

    @Override
    public void step(double rate) {
      float factor = (float) rate;
      pool.forEach(
          states.size(),
          (i, worker) -> {
            State state = states.get(i);
            float[] w = state.parameter.free();
            float[] g = state.parameter.freeGradient();
            float[] v = state.first;
            for (int k = 0; k < w.length; k++) {
              v[k] = momentum * v[k] + g[k] + decay * w[k];
              w[k] -= factor * v[k];
            }
            state.finish();
          });
    }
  }

  /** Adam (Kingma and Ba, arXiv 1412.6980) with the second moment's mean over some 50 steps. */
  final class Adam implements Optimizer {
    private static final float FIRST = 0.9f;
    private static final float SECOND = 0.98f;
    private static final float EPSILON = 1e-8f;

    private final List<State> states;
    private final WorkerPool pool;
    private int steps;

    /** An optimiser at rest. */
    public Adam(List<Parameter> parameters, WorkerPool pool) {
      this.states = State.of(parameters, true);
      this.pool = pool;
    }

    @Override
    public void step(double rate) {
      steps++;
      float factor = (float) (rate / (1 - Math.pow(FIRST, steps)));
      float correction = (float) (1 / (1 - Math.pow(SECOND, steps)));
      pool.forEach(
          states.size(),
          (i, worker) -> {
            State state = states.get(i);
            update(
                state.parameter.free(),
                state.parameter.freeGradient(),
                state.first,
                state.second,
                factor,
                correction);
            state.finish();
          });
    }

    private static void update(
        float[] w, float[] g, float[] m, float[] v, float factor, float correction) {
      for (int k = 0; k < w.length; k++) {
        m[k] = FIRST * m[k] + (1 - FIRST) * g[k];
        v[k] = SECOND * v[k] + (1 - SECOND) * g[k] * g[k];
        w[k] -= factor * m[k] / ((float) Math.sqrt(v[k] * correction) + EPSILON);
      }
    }
  }
}
