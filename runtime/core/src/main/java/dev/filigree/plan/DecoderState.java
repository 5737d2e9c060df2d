package dev.filigree.plan;

import java.util.List;

/** What a run of a decoder's plan knows beside its inputs; one for each workspace. */
final class DecoderState {
  private KvCache.Sequence sequence;
  private int count;
  private List<Turns> turns;

  /**
   * Cosines and sines of positions.
   *
   * @param turned features that are turned
   * @param table cosines and then sines of each position {@code [positions, turned]}
   */
  record Turns(int turned, float[] table) {}

  /**
   * Sets the run up.
   *
   * @param sequence that is read on
   * @param count tokens of the piece, the rest is filling
   * @param turns of the decoder's rotations, in their order
   */
  void set(KvCache.Sequence sequence, int count, List<Turns> turns) {
    this.sequence = sequence;
    this.count = count;
    this.turns = turns;
  }

  KvCache.Sequence sequence() {
    return sequence;
  }

  int count() {
    return count;
  }

  /** Tokens of the run that are no filling: all, if it is no decoder's. */
  int tokens(int all) {
    return sequence == null ? all : count;
  }

  Turns turns(int rotation) {
    return turns.get(rotation);
  }
}
