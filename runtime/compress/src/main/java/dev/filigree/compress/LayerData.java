package dev.filigree.compress;

import dev.filigree.compress.layer.Moments;
import dev.filigree.compress.layer.Surgeon;
import dev.filigree.plan.WorkerPool;
import java.util.Map;

/**
 * What calibration says of a layer.
 *
 * @param moments of its inputs
 * @param surgeons prepared for these inputs, by damping and order; shared by layers that read them
 * @param bias the layer has, or null
 * @param cross {@code T^T X [rows, inputs]} of the outputs T it should make, or null
 * @param targetSums sum of each of these outputs, or null
 */
record LayerData(
    Moments moments,
    Map<String, Surgeon> surgeons,
    float[] bias,
    double[][] cross,
    double[] targetSums) {
  Surgeon surgeon(double damping, boolean byImportance, WorkerPool pool) {
    return surgeons.computeIfAbsent(
        damping + " " + byImportance, key -> Surgeon.of(moments, damping, byImportance, pool));
  }
}
