package dev.filigree.compress.train;

import dev.filigree.compress.algebra.MatrixProduct;
import dev.filigree.compress.algebra.Transposition;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;

/**
 * {@code y = activation(W x + bias + residual)} over every position, and its gradients. What a
 * convolution does too, once its patches lie in columns.
 *
 * @param weights {@code [out, in]}
 * @param bias {@code [out, 1]}, or null
 */
record LinearOperation(
    Parameter weights, Parameter bias, Activation activation, MatrixProduct products)
    implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    boolean hasResidual = inputs.length > Linear.RESIDUAL && inputs[Linear.RESIDUAL] != null;
    float[] residual = hasResidual ? inputs[Linear.RESIDUAL].data() : null;
    Result result = apply(x.data(), x.positions(), residual, needsGradient);
    Signal y = x.with(result.y, weights.rows());
    if (!needsGradient) {
      return new Step(y, null);
    }
    return new Step(
        y,
        (dy, wanted) -> {
          float[][] gradients = new float[inputs.length][];
          float[] before = before(dy, result.slopes);
          gradients[0] = backward(x.data(), x.positions(), before, wanted);
          if (hasResidual) {
            gradients[Linear.RESIDUAL] = before;
          }
          return gradients;
        });
  }

  /**
   * Outputs and slopes.
   *
   * @param slopes null if the activation is none or no gradient is wanted
   */
  record Result(float[] y, float[] slopes) {}

  Result apply(float[] x, int positions, float[] residual, boolean needsGradient) {
    int out = weights.rows();
    float[] y = products.multiply(weights.values(), out, weights.columns(), x, positions);
    WorkerPool pool = products.pool();
    if (bias != null || residual != null) {
      pool.forEach(
          out,
          (o, worker) -> {
            float b = bias == null ? 0 : bias.values()[o];
            for (int t = o * positions; t < (o + 1) * positions; t++) {
              y[t] += b + (residual == null ? 0 : residual[t]);
            }
          });
    }
    float[] slopes = null;
    if (activation != Activation.NONE) {
      slopes = needsGradient ? new float[y.length] : null;
      Curve.apply(activation, y, slopes, pool);
    }
    return new Result(y, slopes);
  }

  /** The gradient before the activation. */
  static float[] before(float[] dy, float[] slopes) {
    if (slopes == null) {
      return dy;
    }
    float[] before = new float[dy.length];
    for (int i = 0; i < dy.length; i++) {
      before[i] = dy[i] * slopes[i];
    }
    return before;
  }

  /** Adds to the gradients of weights and bias; the gradient of x, null if it is not wanted. */
  float[] backward(float[] x, int positions, float[] before, boolean wanted) {
    int out = weights.rows();
    int in = weights.columns();
    float[] byPosition = Transposition.of(x, in, positions, products.pool());
    float[] dw = products.multiply(before, out, positions, byPosition, in);
    float[] sum = weights.gradient();
    products
        .pool()
        .forEach(
            out,
            (o, worker) -> {
              for (int i = o * in; i < (o + 1) * in; i++) {
                sum[i] += dw[i];
              }
              if (bias != null) {
                double total = 0;
                for (int t = o * positions; t < (o + 1) * positions; t++) {
                  total += before[t];
                }
                bias.gradient()[o] += (float) total;
              }
            });
    if (!wanted) {
      return null;
    }
    float[] turned = Transposition.of(weights.values(), out, in, products.pool());
    return products.multiply(turned, in, out, before, positions);
  }
}
