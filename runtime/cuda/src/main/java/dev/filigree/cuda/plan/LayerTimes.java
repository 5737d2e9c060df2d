package dev.filigree.cuda.plan;

import java.util.HashMap;
import java.util.Map;

/**
 * How long the ways to run layers take, by kind of layer and name of the way, in microseconds:
 * measured on the device, or projected by the simulated one. Not thread-safe.
 */
final class LayerTimes {
  private final Map<LayerKind, Map<String, Double>> micros = new HashMap<>();
  private boolean projected;

  /** Whether they are a model's answers instead of measurements. */
  boolean areProjected() {
    return projected;
  }

  /** Those of a kind of layer; empty before there are any. */
  Map<String, Double> of(LayerKind kind) {
    return micros.getOrDefault(kind, Map.of());
  }

  /** Whether a kind of layer has any. */
  boolean has(LayerKind kind) {
    return micros.containsKey(kind);
  }

  /** Takes those of a kind of layer. */
  void record(LayerKind kind, Map<String, Double> times, boolean areProjected) {
    micros.put(kind, Map.copyOf(times));
    projected = areProjected;
  }

  /** All of them. */
  Map<LayerKind, Map<String, Double>> all() {
    return Map.copyOf(micros);
  }

  /** Adds those of kinds of layers that have none yet. */
  void addAll(Map<LayerKind, Map<String, Double>> others) {
    others.forEach(micros::putIfAbsent);
  }
}
