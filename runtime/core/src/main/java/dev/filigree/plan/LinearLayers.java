package dev.filigree.plan;

import dev.filigree.event.PackEvent;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Chooses how each linear layer runs and keeps the packed weights. Dense multiplication is always
 * among the candidates; until {@link #record} has measurements a model of the machine decides.
 * Thread-safe.
 */
final class LinearLayers {
  /**
   * How much faster than the predicted best a kernel must be measured to be taken: less is noise.
   */
  private static final double MARGIN = 0.97;

  /**
   * A class of layers that are measured once: same weights' form and size, same number of tokens.
   */
  record Kind(int rows, int columns, String format, long stored, int tokens) {
    static Kind of(Weights weights, int tokens) {
      return new Kind(
          weights.rows(), weights.columns(), weights.format(), weights.stored(), tokens);
    }
  }

  /**
   * The kernel of a layer and why it was taken.
   *
   * @param option position among the options
   */
  record Choice(int option, String kernel, String reason, List<LayerPlan.Candidate> candidates) {}

  private final Kernels kernels;
  private final Map<Weights, LinearKernel[]> packed = new IdentityHashMap<>();
  private final Map<Weights, Weights> integers = new IdentityHashMap<>();
  private final Map<Kind, double[]> measured = new HashMap<>();

  LinearLayers(Kernels kernels) {
    this.kernels = kernels;
  }

  Kernels kernels() {
    return kernels;
  }

  /**
   * The weights of a product of integers: scaled integers without their scales, others as they are.
   * The same object for the same weights.
   */
  synchronized Weights integers(Weights weights) {
    return integers.computeIfAbsent(
        weights, scaled -> scaled instanceof Quantized quantized ? quantized.integers() : scaled);
  }

  /** The choice for weights and a number of tokens as things are known now. */
  synchronized Choice choose(Weights weights, int tokens) {
    List<LinearOption> options = kernels.linear(weights);
    double[] micros = measured.get(Kind.of(weights, tokens));
    int predictedBest = 0;
    List<LayerPlan.Candidate> candidates = new ArrayList<>();
    for (int i = 0; i < options.size(); i++) {
      LinearOption option = options.get(i);
      double predicted = option.predictedNanos(tokens) / 1e3;
      if (predicted < options.get(predictedBest).predictedNanos(tokens) / 1e3) {
        predictedBest = i;
      }
      candidates.add(
          new LayerPlan.Candidate(
              option.name(), predicted, micros == null ? Double.NaN : micros[i]));
    }
    int best = predictedBest;
    for (int i = 0; micros != null && i < micros.length; i++) {
      if (micros[i] < micros[best] * (best == predictedBest ? MARGIN : 1)) {
        best = i;
      }
    }
    LinearOption option = options.get(best);
    return new Choice(
        best, option.name(), reason(option, candidates, best, micros != null), candidates);
  }

  private static String reason(
      LinearOption option, List<LayerPlan.Candidate> candidates, int best, boolean measured) {
    StringBuilder reason = new StringBuilder(option.reason());
    for (int i = 0; i < candidates.size(); i++) {
      if (i != best) {
        LayerPlan.Candidate own = candidates.get(best);
        LayerPlan.Candidate other = candidates.get(i);
        double ratio =
            measured
                ? other.measuredMicros() / own.measuredMicros()
                : other.predictedMicros() / own.predictedMicros();
        reason
            .append(measured ? "; measured " : "; predicted ")
            .append(String.format(Locale.ROOT, "%.2fx of ", ratio))
            .append(other.kernel());
      }
    }
    return reason.toString();
  }

  /** The packed weights of an option, packed now if they are not yet. */
  LinearKernel kernel(Weights weights, int option) {
    LinearKernel[] kernelsOfWeights;
    synchronized (this) {
      kernelsOfWeights =
          packed.computeIfAbsent(
              weights, unused -> new LinearKernel[kernels.linear(weights).size()]);
    }
    synchronized (kernelsOfWeights) {
      if (kernelsOfWeights[option] == null) {
        kernelsOfWeights[option] = pack(kernels.linear(weights).get(option), weights);
      }
      return kernelsOfWeights[option];
    }
  }

  private static LinearKernel pack(LinearOption option, Weights weights) {
    PackEvent event = new PackEvent();
    event.begin();
    LinearKernel packed = option.pack();
    event.end();
    if (event.shouldCommit()) {
      event.kernel = option.name();
      event.format = weights.format();
      event.bytes = packed.bytes();
      event.commit();
    }
    return packed;
  }

  /** Whether a kind has been measured. */
  synchronized boolean isMeasured(Kind kind) {
    return measured.containsKey(kind);
  }

  /** Takes measurements, in microseconds for each option. */
  synchronized void record(Kind kind, double[] micros) {
    measured.put(kind, micros.clone());
  }

  /**
   * Frees packed weights that no plan uses.
   *
   * @param used compared by identity
   */
  synchronized void retain(Set<LinearKernel> used) {
    for (LinearKernel[] kernelsOfWeights : packed.values()) {
      synchronized (kernelsOfWeights) {
        for (int i = 0; i < kernelsOfWeights.length; i++) {
          if (!used.contains(kernelsOfWeights[i])) {
            kernelsOfWeights[i] = null;
          }
        }
      }
    }
  }

  /** Bytes of all packed weights. */
  synchronized long bytes() {
    long bytes = 0;
    for (LinearKernel[] kernelsOfWeights : packed.values()) {
      for (LinearKernel kernel : kernelsOfWeights) {
        bytes += kernel == null ? 0 : kernel.bytes();
      }
    }
    return bytes;
  }
}
