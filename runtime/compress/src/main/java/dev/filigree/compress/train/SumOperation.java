package dev.filigree.compress.train;

/** The sum of two values of one form. */
record SumOperation() implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    float[] sum = inputs[0].data().clone();
    float[] other = inputs[1].data();
    for (int i = 0; i < sum.length; i++) {
      sum[i] += other[i];
    }
    return new Step(inputs[0].with(sum), (dy, wanted) -> new float[][] {dy, dy});
  }
}
