package dev.filigree.spi;

/**
 * A cell of a recurrent layer in one direction: what a step of a sequence does with the sums that
 * its inputs have made of all gates, which are {@code [gates * hidden]} in the order of ONNX.
 *
 * @param kind how gates become a state
 * @param hidden units of the state
 * @param limit what an activation reads is clamped to the negative and this; may be infinite
 * @param coupled whether an LSTM forgets what is left of what it takes in
 * @param weights of the state {@code [gates * hidden, hidden]}
 * @param lateBias of the state's share of the candidate {@code [hidden]}, added before the reset
 *     gate multiplies it, or null; of {@link Kind#GRU_LATE} only
 * @param peepholes of the gates i, o and f {@code [3 * hidden]}, or null; of {@link Kind#LSTM} only
 */
public record Cell(
    Kind kind,
    int hidden,
    float limit,
    boolean coupled,
    float[] weights,
    float[] lateBias,
    float[] peepholes) {
  /** How gates become a state. */
  public enum Kind {
    /** {@code h = tanh(x)}. */
    RNN(1),
    /** {@code h = max(x, 0)}. */
    RNN_RELU(1),
    /**
     * Gates z, r, h (arXiv 1406.1078), whose candidate reads the state that the reset gate has
     * multiplied.
     */
    GRU(3),
    /** The same, where the reset gate multiplies the state's share of the candidate. */
    GRU_LATE(3),
    /** Gates i, o, f, c (Hochreiter and Schmidhuber, 1997). */
    LSTM(4);

    private final int gates;

    Kind(int gates) {
      this.gates = gates;
    }

    /** How many gates a cell has. */
    public int gates() {
      return gates;
    }

    /**
     * Rounds of a step: all units must have ended one before any begins the next. A GRU's candidate
     * needs the reset gates of all units.
     */
    public int phases() {
      return this == GRU ? 2 : 1;
    }
  }

  /** A peephole; 0 where there are none. */
  public float peephole(int gate, int unit) {
    return peepholes == null ? 0 : peepholes[gate * hidden + unit];
  }
}
