package dev.filigree.compress.train;

import dev.filigree.kernel.Activation;
import dev.filigree.plan.WorkerPool;

/** An activation that stands alone. */
record ActivationOperation(Activation activation, WorkerPool pool) implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    float[] y = inputs[0].data().clone();
    float[] slopes = needsGradient ? new float[y.length] : null;
    Curve.apply(activation, y, slopes, pool);
    return new Step(
        inputs[0].with(y), (dy, wanted) -> new float[][] {LinearOperation.before(dy, slopes)});
  }
}
