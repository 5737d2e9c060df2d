package dev.filigree.compress.train;

import dev.filigree.InputException;

/**
 * One token of each text, as classifiers read the first.
 *
 * @param place of the token; from the end where it is negative
 */
record TokenOperation(long place) implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    int tokens = x.perSample();
    int token = (int) (place < 0 ? place + tokens : place);
    if (x.inner().length != 1 || token < 0 || token >= tokens) {
      throw new InputException(
          "a training sample has no token " + place, "train on texts that are long enough");
    }
    float[] picked = new float[x.features() * x.samples()];
    for (int i = 0; i < picked.length; i++) {
      picked[i] = x.data()[i * tokens + token];
    }
    Signal y = new Signal(picked, x.features(), x.samples());
    return new Step(
        y,
        (dy, wanted) -> {
          float[] dx = new float[x.data().length];
          for (int i = 0; i < dy.length; i++) {
            dx[i * tokens + token] = dy[i];
          }
          // nothing flows to the place
          return new float[][] {dx, null};
        });
  }
}
