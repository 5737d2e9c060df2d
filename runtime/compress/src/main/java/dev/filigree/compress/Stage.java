package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;

/** One step of a recipe. */
public sealed interface Stage {
  /** The matrices it applies to. */
  Targets targets();

  /** Ways to score how much a weight matters. */
  enum Score {
    /** Its absolute value. */
    MAGNITUDE
  }

  /**
   * Drops weights.
   *
   * @param score by which they are chosen
   * @param structure in which they may go
   */
  record Prune(Score score, Structure structure, Targets targets) implements Stage {}

  /**
   * Writes values as scaled integers.
   *
   * @param bits of a value: 8
   */
  record Quantize(int bits, Targets targets) implements Stage {
    public Quantize {
      if (bits != 8) {
        throw new InputException(
            "quantisation to " + bits + " bits is not supported yet", "use 8 bits");
      }
    }
  }

  /**
   * Lets weights share the values of a codebook.
   *
   * @param bits of a code: 1, 2 or 4
   * @param perRow whether every output has a codebook of its own
   */
  record Share(int bits, boolean perRow, Targets targets) implements Stage {
    public Share {
      if (bits != 1 && bits != 2 && bits != 4) {
        throw new InputException(
            "codes of " + bits + " bits are not supported", "use 1, 2 or 4 bits");
      }
    }
  }

  /**
   * Writes values as narrower floats.
   *
   * @param dtype f16 or bf16
   */
  record Convert(DType dtype, Targets targets) implements Stage {}
}
