package dev.filigree.plan;

/**
 * Time one step of a plan took in a run.
 *
 * @param layer whose step it was
 * @param work what it did beside the layer's kernel, for example {@code to panels}; empty for the
 *     kernel itself
 * @param startNanos since the run began
 * @param nanos it took
 */
public record LayerTime(LayerPlan layer, String work, long startNanos, long nanos) {}
