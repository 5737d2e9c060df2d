package dev.filigree.spi;

import dev.filigree.DeviceException;
import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.plan.LayerPlan;
import dev.filigree.plan.LayerTime;
import java.util.List;
import java.util.Map;

/**
 * Runs one graph on one device. Thread-safe. The caller checks inputs against the graph's
 * declarations, bounds the number of concurrent runs, and closes it only when none is going on.
 */
public interface Runner extends AutoCloseable {
  /** The input that says which tokens are no padding, where it is {@code [rows, tokens]}. */
  String MASK = "attention_mask";

  /** Name of the kernel set. */
  String kernels();

  /** Bytes of weights laid out for the kernels, beside the model's own. */
  long packedBytes();

  /** Bytes of activation memory kept ready for runs of shapes that have been planned. */
  long idleBytes();

  /**
   * Runs the graph into new tensors.
   *
   * @param inputs by name, of the declared types
   * @throws DeviceException if the device fails
   */
  Map<String, Tensor> run(Map<String, Tensor> inputs);

  /**
   * Runs the graph into tensors of the caller.
   *
   * @param inputs by name, of the declared types
   * @param outputs by name; those left out are not wanted
   * @throws InputException if an output is not contiguous or of another shape
   * @throws DeviceException if the device fails
   */
  void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs);

  /**
   * Whether it can leave out tokens that are padding, as {@link #run(Map, int[])} may.
   *
   * @param shapes of all inputs, {@link #MASK} among them, of more than one token
   */
  default boolean leavesOutPadding(Map<String, Shape> shapes) {
    return false;
  }

  /**
   * Runs the graph on rows that were padded to one length, and need not compute the padding.
   *
   * @param inputs by name, of the declared types, {@link #MASK} among them
   * @param lengths tokens of each row that are no padding
   * @return outputs, of any value where they belong to padding
   * @throws DeviceException if the device fails
   */
  default Map<String, Tensor> run(Map<String, Tensor> inputs, int[] lengths) {
    return run(inputs);
  }

  /**
   * Prepares for inputs of these shapes: plans, and measures which kernels are the fastest.
   * Repeating it costs little.
   */
  void warmUp(Map<String, Tensor> inputs, Progress progress);

  /**
   * Runs the graph and tells what each step took, in their order.
   *
   * @throws UnsupportedException if the runner cannot tell
   */
  default List<LayerTime> profile(Map<String, Tensor> inputs) {
    throw new UnsupportedException(
        "the times of single kernels are not known on this device",
        "profile on the device cpu, or use the profiler of the device's maker");
  }

  /** What a run with inputs of some shapes does, layer by layer. */
  List<LayerPlan> layers(Map<String, Shape> shapes);

  /** Frees everything; no run may be going on. May be called again. */
  @Override
  void close();
}
