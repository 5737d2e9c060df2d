package dev.filigree.cuda.plan;

import dev.filigree.Tensor;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.graph.Node;
import java.util.List;

/** A step of a device plan, not bound to memory yet. Immutable. */
sealed interface DeviceStep {
  /**
   * Work that the device does by itself.
   *
   * @param binder makes the work for an arena
   */
  record OnDevice(Binder binder) implements DeviceStep {}

  /**
   * An operator the device lacks: its operands are copied to the process, its reference kernel runs
   * there, its results are copied back.
   *
   * @param operands null where absent
   * @param results null where nobody reads them
   */
  record OnHost(Node node, List<HostOperand> operands, List<HostOperand> results)
      implements DeviceStep {}

  /**
   * An operand of an operator that runs in the process.
   *
   * @param place on the device; null for a constant
   * @param constant null if it is on the device
   */
  record HostOperand(DeviceTensor place, Tensor constant) {}

  /** Binds work to an arena. */
  @FunctionalInterface
  interface Binder {
    /**
     * The work.
     *
     * @param arena address of the activation arena
     */
    Work bind(long arena);
  }

  /** Work bound to memory. */
  @FunctionalInterface
  interface Work {
    /** Puts the work into a stream. */
    void into(Stream stream);
  }
}
