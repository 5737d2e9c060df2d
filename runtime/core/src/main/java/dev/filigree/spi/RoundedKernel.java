package dev.filigree.spi;

/**
 * A linear layer's weights laid out for a kernel that reads its input in a code of its own and ends
 * its outputs itself: {@code y = activation(x W^T + bias + residual)}. Immutable after packing and
 * safe to use from many threads.
 */
public non-sealed interface RoundedKernel extends PackedLinear {
  /** The form in which it takes its input. */
  ActivationCode code();

  /** Binds it to operands. */
  Bound bind(LinearCall call);

  /** A layer bound to operands. Allocates nothing when it runs. */
  @FunctionalInterface
  interface Bound {
    /**
     * Computes outputs of one panel.
     *
     * @param from first output, a multiple of {@link PackedLinear#BLOCK}
     * @param to output after the last, at most a block further
     */
    void run(int panel, int from, int to);
  }
}
