package dev.filigree.compress;

import dev.filigree.compress.layer.Moments;
import dev.filigree.compress.layer.Outputs;
import dev.filigree.compress.layer.Surgeon;
import dev.filigree.plan.WorkerPool;
import java.util.Map;

/**
 * What calibration says of a layer.
 *
 * @param moments of its inputs
 * @param surgeons prepared for these inputs, by damping and order; shared by layers that read them
 * @param bias the layer has, or null
 * @param outputs it should make, or null
 */
record LayerData(Moments moments, Map<String, Surgeon> surgeons, float[] bias, Outputs outputs) {
  Surgeon surgeon(double damping, boolean byImportance, boolean centred, WorkerPool pool) {
    return surgeons.computeIfAbsent(
        damping + " " + byImportance + " " + centred,
        key -> Surgeon.of(moments, damping, byImportance, centred, pool));
  }
}
