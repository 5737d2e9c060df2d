package dev.filigree.plan;

import java.util.List;

/**
 * What a plan does with one operation, and why.
 *
 * @param name of the layer
 * @param operator type
 * @param format of its weights, or the layout of its operands
 * @param kernel that runs it
 * @param reason of the choice
 * @param bytes of weights it reads
 * @param candidates kernels that were considered, the chosen one among them; empty where there is
 *     no choice
 */
public record LayerPlan(
    String name,
    String operator,
    String format,
    String kernel,
    String reason,
    long bytes,
    List<Candidate> candidates) {
  public LayerPlan {
    candidates = List.copyOf(candidates);
  }

  /**
   * A kernel that was considered.
   *
   * @param kernel its name
   * @param predictedMicros time by the model of the machine, before anything ran
   * @param measuredMicros lower quartile of measurements on this machine, NaN before there are any
   * @param projectedMicros time that a simulated device makes of its counters, which stands in for
   *     a measurement there; NaN on devices that have a time of their own
   */
  public record Candidate(
      String kernel, double predictedMicros, double measuredMicros, double projectedMicros) {
    /** A kernel of a device with a time of its own. */
    public Candidate(String kernel, double predictedMicros, double measuredMicros) {
      this(kernel, predictedMicros, measuredMicros, Double.NaN);
    }

    /** A kernel of a simulated device. */
    public static Candidate projected(String kernel, double predictedMicros, double micros) {
      return new Candidate(kernel, predictedMicros, Double.NaN, micros);
    }
  }
}
