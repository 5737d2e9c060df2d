package dev.filigree.cli;

import dev.filigree.compress.Fidelity;
import dev.filigree.compress.WeightBytes;

/**
 * What a recipe gives and takes.
 *
 * @param recipe its name
 * @param bitsPerWeight over all matrices
 * @param fileBytes of the whole model's file
 * @param bytes of the matrices by component
 * @param judgement what the examination says
 * @param worstLayer layer with the greatest error, empty if nothing changed
 * @param worstError its output error, or its weight error if nothing was calibrated
 * @param latencyMillis median of one call
 * @param latencyRatio median of paired ratios to the dense model; less is faster
 * @param compressMillis time it took to compress
 * @param processorMillis time of all threads that took; 0 if not known
 * @param smallest whether no other recipe is both smaller and closer
 * @param fastest whether no other recipe is both faster and closer
 */
record ReportRow(
    String recipe,
    double bitsPerWeight,
    long fileBytes,
    WeightBytes bytes,
    Judgement judgement,
    String worstLayer,
    double worstError,
    double latencyMillis,
    double latencyRatio,
    double compressMillis,
    double processorMillis,
    boolean smallest,
    boolean fastest) {
  /**
   * What an examination says of a model.
   *
   * @param fidelity to the dense model
   * @param other fidelity on texts of another domain, or null
   * @param accuracy on scored pairs or labelled images, NaN without any
   * @param agreement share of the samples with the class that the dense model gives, NaN without
   *     classes
   */
  record Judgement(Fidelity fidelity, Fidelity other, double accuracy, double agreement) {}

  /** Fidelity to the dense model. */
  Fidelity fidelity() {
    return judgement.fidelity;
  }

  /** Fidelity on texts of another domain, or null. */
  Fidelity other() {
    return judgement.other;
  }

  /** Accuracy, NaN without labels. */
  double accuracy() {
    return judgement.accuracy;
  }

  /** Share of the samples with the dense model's class, NaN without classes. */
  double agreement() {
    return judgement.agreement;
  }

  ReportRow onFronts(boolean isSmallest, boolean isFastest) {
    return new ReportRow(
        recipe,
        bitsPerWeight,
        fileBytes,
        bytes,
        judgement,
        worstLayer,
        worstError,
        latencyMillis,
        latencyRatio,
        compressMillis,
        processorMillis,
        isSmallest,
        isFastest);
  }
}
