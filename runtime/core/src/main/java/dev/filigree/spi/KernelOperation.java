package dev.filigree.spi;

import dev.filigree.kernel.Activation;
import java.util.Locale;

/**
 * What a set of kernels can do, each compiled by itself and so each able to be stuck by itself.
 *
 * @param kind the method of {@link Kernels}
 * @param activation the function of an {@link Kind#ACTIVATE}, else {@link Activation#NONE}
 */
record KernelOperation(Kind kind, Activation activation) {
  /** The methods of {@link Kernels}. */
  enum Kind {
    START,
    ADD,
    COMBINE,
    CLAMP,
    LAYER_NORMALIZATION,
    SOFTMAX,
    ATTEND,
    RANGE,
    QUANTIZE,
    DEQUANTIZE,
    DECODE,
    ENCODE,
    REQUANTIZE,
    ADD_CODES,
    MULTIPLY_CODES,
    PRODUCT,
    GATHER,
    WEIGHTED_SUM,
    SLIDE,
    SLIDE_MAXIMUM,
    COPY_ROWS,
    INTERLEAVE,
    WINOGRAD_INPUT,
    WINOGRAD_OUTPUT,
    TO_PANEL,
    FROM_PANEL,
    /** Dense weights times a panel of tokens. */
    LINEAR,
    /** Dense weights times one token. */
    LINEAR_ONE_TOKEN,
    /** One operation for each function. */
    ACTIVATE
  }

  private static final int KINDS = Kind.ACTIVATE.ordinal();

  /** Number of operations. */
  static final int COUNT = KINDS + Activation.values().length;

  /** The operation with an index below {@link #COUNT}. */
  static KernelOperation at(int index) {
    return index < KINDS
        ? new KernelOperation(Kind.values()[index], Activation.NONE)
        : new KernelOperation(Kind.ACTIVATE, Activation.values()[index - KINDS]);
  }

  static int index(Kind kind) {
    return kind.ordinal();
  }

  static int index(Activation activation) {
    return KINDS + activation.ordinal();
  }

  /** Name for reports, for example {@code gelu}. */
  String label() {
    String label =
        kind == Kind.ACTIVATE ? activation.label() : kind.name().toLowerCase(Locale.ROOT);
    return label.replace('_', ' ');
  }
}
