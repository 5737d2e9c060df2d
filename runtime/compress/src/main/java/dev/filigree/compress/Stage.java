package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.compress.train.Distillation;
import java.util.Locale;

/** One step of a recipe. */
public sealed interface Stage {
  /** The matrices it applies to. */
  Targets targets();

  /** Added to the diagonal of second moments, as a fraction of its mean: what SparseGPT takes. */
  double DAMPING = 0.01;

  /** Ways to score how much a weight matters. */
  enum Score {
    /** Its absolute value. */
    MAGNITUDE,
    /** Its absolute value times the norm of its input (Sun et al., arXiv 2306.11695). */
    WANDA,
    /** What the layer's output loses without it once the others made up for it. */
    SPARSEGPT
  }

  /** Ways to round. */
  enum Rounding {
    /** Each weight to the nearest. */
    NEAREST,
    /** Column by column, later columns making up for earlier ones. */
    GPTQ
  }

  /**
   * Drops weights.
   *
   * @param score by which they are chosen
   * @param structure in which they may go
   * @param refit whether the weights that stay are fitted to the dense outputs
   * @param biasCorrection whether biases take over the mean of what is lost
   * @param damping of the second moments
   * @param permute whether inputs are put in another order first, so that groups lose less, where
   *     the layer before can make its outputs in that order
   * @param folded whether the weights of convolutions are scored with the batch normalisation
   *     behind them folded in, as they act, or as the file has them
   */
  record Prune(
      Score score,
      Structure structure,
      boolean refit,
      boolean biasCorrection,
      double damping,
      boolean permute,
      boolean folded,
      Targets targets)
      implements Stage {
    public Prune {
      if (permute && !(structure instanceof Structure.Groups)) {
        throw new InputException(
            "permute changes which inputs share a group, and " + structure.label() + " has none",
            "use it with an N:M mask_structure, or leave it out");
      }
      checkDamping(damping);
      boolean isBlock = structure instanceof Structure.Block;
      if (score == Score.SPARSEGPT && isBlock) {
        throw new InputException(
            "sparsegpt chooses weights column by column and cannot prune blocks",
            "use the method wanda or magnitude, with refit");
      }
      if (score != Score.MAGNITUDE
          && structure instanceof Structure.Unstructured(double s, Structure.Scope scope)
          && scope == Structure.Scope.GLOBAL) {
        throw new InputException(
            "a global threshold needs scores that compare between layers; those of "
                + score.name().toLowerCase(Locale.ROOT)
                + " do not",
            "use the method magnitude, or the scope layer or row");
      }
    }

    /** Pruning with the inputs in the order they have. */
    public Prune(
        Score score,
        Structure structure,
        boolean refit,
        boolean biasCorrection,
        double damping,
        Targets targets) {
      this(score, structure, refit, biasCorrection, damping, false, true, targets);
    }

    /** Pruning without calibration or correction. */
    public Prune(Score score, Structure structure, Targets targets) {
      this(score, structure, false, false, DAMPING, targets);
    }
  }

  /**
   * Writes values as scaled integers.
   *
   * @param encoding their bits and scales
   * @param rounding how values become integers
   * @param byImportance whether GPTQ visits the columns of large inputs first
   * @param refit whether weights are fitted to the dense outputs before
   * @param damping of the second moments
   */
  record Quantize(
      Encoding.Integers encoding,
      Rounding rounding,
      boolean byImportance,
      boolean refit,
      double damping,
      Targets targets)
      implements Stage {
    public Quantize {
      checkDamping(damping);
      if (encoding.bits() != 3 && encoding.bits() != 4 && encoding.bits() != 8) {
        throw new InputException(
            "quantisation to " + encoding.bits() + " bits is not supported", "use 3, 4 or 8 bits");
      }
      if (byImportance && rounding != Rounding.GPTQ) {
        throw new InputException(
            "actorder is an order of GPTQ's columns", "set the method to gptq, or leave it out");
      }
    }

    /** Rounding to the nearest, a scale for each row. */
    public Quantize(int bits, Targets targets) {
      this(
          new Encoding.Integers(bits, Encoding.Granularity.ROW, 0, false),
          Rounding.NEAREST,
          false,
          false,
          DAMPING,
          targets);
    }
  }

  /**
   * Lets weights share the values of a codebook.
   *
   * @param encoding bits of a code, what a codebook belongs to, how it is found
   * @param weighted whether weights count by the mean square of their input
   * @param rounding how values become codes
   */
  record Share(Encoding.Codes encoding, boolean weighted, Rounding rounding, Targets targets)
      implements Stage {
    public Share {
      int bits = encoding.bits();
      boolean isAuto = bits == Encoding.Codes.AUTO;
      if (!isAuto && !Encoding.Codes.BITS.contains(bits)) {
        throw new InputException(
            "codes of " + bits + " bits are not supported", "use 1, 2, 4 or 8 bits, or auto");
      }
      if (isAuto ? !(encoding.error() > 0 && encoding.error() < 1) : encoding.error() >= 0) {
        throw new InputException(
            "codes of "
                + (isAuto ? "automatic" : bits)
                + " bits with an error of "
                + encoding.error(),
            "give the bits auto an error between 0 and 1, for example 0.1, other bits none");
      }
      boolean isGrouped = encoding.granularity() == Encoding.Granularity.GROUP;
      if (isGrouped ? encoding.group() < 2 : encoding.group() != 0) {
        throw new InputException(
            "codebooks of the granularity "
                + encoding.granularity().name().toLowerCase(Locale.ROOT)
                + " with a group_size of "
                + encoding.group(),
            "give the granularity group a group_size of 2 outputs or more, the others none");
      }
    }

    /** Exact codebooks, every weight counting the same. */
    public Share(int bits, boolean perRow, Targets targets) {
      this(new Encoding.Codes(bits, perRow), false, Rounding.NEAREST, targets);
    }
  }

  /**
   * Writes values as narrower floats.
   *
   * @param dtype f16 or bf16
   */
  record Convert(DType dtype, Targets targets) implements Stage {}

  /** The same stage for other matrices. */
  default Stage on(Targets others) {
    return switch (this) {
      case Prune p ->
          new Prune(
              p.score,
              p.structure,
              p.refit,
              p.biasCorrection,
              p.damping,
              p.permute,
              p.folded,
              others);
      case Quantize q ->
          new Quantize(q.encoding, q.rounding, q.byImportance, q.refit, q.damping, others);
      case Share s -> new Share(s.encoding, s.weighted, s.rounding, others);
      case Convert c -> new Convert(c.dtype, others);
      // it teaches the network as a whole
      case Distill whole -> whole;
    };
  }

  /**
   * Teaches the pruned network what the dense one makes of the calibration samples, before values
   * are encoded. Every linear layer, bias and scale learns.
   *
   * @param fitSamples samples that pruning is fitted to and blocks learn from, evenly taken from
   *     all lengths; end to end the network learns from all there are
   */
  record Distill(Distillation.Options options, int fitSamples) implements Stage {
    /** As many as fits pay for: those of a few thousand inputs take some ten thousand tokens. */
    public static final int FIT_SAMPLES = 2000;

    public Distill {
      if (fitSamples < 1) {
        throw new InputException(
            "distillation with " + fitSamples + " fit_samples", "choose 1 or more");
      }
    }

    @Override
    public Targets targets() {
      return Targets.LINEAR;
    }
  }

  /** Whether the stage can only be applied with calibration samples. */
  default boolean needsCalibration() {
    return switch (this) {
      case Prune prune -> prune.score != Score.MAGNITUDE || prune.refit || prune.biasCorrection;
      case Quantize quantize -> quantize.rounding == Rounding.GPTQ || quantize.refit;
      case Share share -> share.weighted || share.rounding == Rounding.GPTQ;
      case Convert convert -> false;
      case Distill distill -> true;
    };
  }

  private static void checkDamping(double damping) {
    if (!(damping > 0 && damping <= 1)) {
      throw new InputException(
          "a dampening_frac of " + damping + " is not supported",
          "choose more than 0 and at most 1, for example 0.01");
    }
  }
}
