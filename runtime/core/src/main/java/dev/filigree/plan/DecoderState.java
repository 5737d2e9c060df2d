package dev.filigree.plan;

/** What a run of a decoder's plan knows beside its inputs; one for each workspace. */
final class DecoderState {
  private KvCache.Sequence sequence;
  private int count;
  private float[] rotation;

  /**
   * Sets the run up.
   *
   * @param sequence that is read on
   * @param count tokens of the piece, the rest is filling
   * @param rotation cosines and then sines of each position {@code [positions, width]}
   */
  void set(KvCache.Sequence sequence, int count, float[] rotation) {
    this.sequence = sequence;
    this.count = count;
    this.rotation = rotation;
  }

  KvCache.Sequence sequence() {
    return sequence;
  }

  int count() {
    return count;
  }

  float[] rotation() {
    return rotation;
  }
}
