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
 * @param fidelity to the dense model
 * @param other fidelity on texts of another domain, or null
 * @param accuracy on scored pairs, NaN without any
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
    Fidelity fidelity,
    Fidelity other,
    double accuracy,
    String worstLayer,
    double worstError,
    double latencyMillis,
    double latencyRatio,
    double compressMillis,
    double processorMillis,
    boolean smallest,
    boolean fastest) {
  ReportRow onFronts(boolean isSmallest, boolean isFastest) {
    return new ReportRow(
        recipe,
        bitsPerWeight,
        fileBytes,
        bytes,
        fidelity,
        other,
        accuracy,
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
