package dev.filigree.compress.train;

/** Images become vectors whose features run over channels, rows and columns. */
record FlattenOperation() implements Operation {
  @Override
  public Step forward(Signal[] inputs, boolean needsGradient) {
    Signal x = inputs[0];
    int inner = x.perSample();
    float[] moved = moved(x.data(), x.features(), x.samples(), inner);
    Signal y = new Signal(moved, x.features() * inner, x.samples());
    return new Step(y, (dy, wanted) -> new float[][] {back(dy, x.features(), x.samples(), inner)});
  }

  private static float[] moved(float[] data, int channels, int samples, int inner) {
    float[] moved = new float[data.length];
    for (int c = 0; c < channels; c++) {
      for (int n = 0; n < samples; n++) {
        for (int i = 0; i < inner; i++) {
          moved[(c * inner + i) * samples + n] = data[(c * samples + n) * inner + i];
        }
      }
    }
    return moved;
  }

  private static float[] back(float[] data, int channels, int samples, int inner) {
    float[] moved = new float[data.length];
    for (int c = 0; c < channels; c++) {
      for (int n = 0; n < samples; n++) {
        for (int i = 0; i < inner; i++) {
          moved[(c * samples + n) * inner + i] = data[(c * inner + i) * samples + n];
        }
      }
    }
    return moved;
  }
}
