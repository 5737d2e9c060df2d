package dev.filigree.cuda.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.plan.LayerPlan;
import java.util.List;

/**
 * How a graph runs on a device for one set of input shapes. Immutable; a run needs a {@link
 * Workspace}.
 *
 * @param inputs where each input goes, in the graph's order
 * @param outputs in the graph's order
 * @param steps in order
 * @param bytes of the activation arena
 * @param sums of tiles that blocks share, in the arena
 * @param faults look-ups that note an index out of range, in the order of their words at the start
 *     of the arena
 * @param layers for explaining
 * @param choices layers that could run in several ways, for measuring
 */
record DevicePlan(
    List<DeviceTensor> inputs,
    List<Output> outputs,
    List<DeviceStep> steps,
    long bytes,
    SharedSums sums,
    List<LookUp> faults,
    List<LayerPlan> layers,
    List<PlannedLayer> choices) {
  DevicePlan {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    steps = List.copyOf(steps);
    faults = List.copyOf(faults);
    layers = List.copyOf(layers);
    choices = List.copyOf(choices);
  }

  /**
   * An output.
   *
   * @param place of its value; null for a constant
   * @param constant null if it is on the device
   */
  record Output(ValueInfo info, DeviceTensor place, Tensor constant) {
    Shape shape() {
      return place == null ? constant.shape() : place.shape();
    }
  }

  /**
   * A look-up whose indices the device checks.
   *
   * @param problem of an index out of range, to be followed by its position
   * @param remedy what would help
   */
  record LookUp(Node node, String problem, String remedy) {}
}
