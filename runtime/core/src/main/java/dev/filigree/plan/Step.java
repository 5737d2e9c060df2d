package dev.filigree.plan;

import dev.filigree.spi.Panels;

/** A step of a plan, not bound to memory yet. Immutable. */
interface Step {
  /** Binds the step to a workspace's memory. */
  BoundStep bind(Workspace workspace);

  /**
   * The panels it computes, each from the same panel of all it reads; then {@link #bind} returns
   * {@link PanelWork}. Null if a panel depends on others, or what it makes is in none.
   */
  default Panels panels() {
    return null;
  }

  /** Whether it can do with the tokens of a {@link Ragged} plan alone what it does with all. */
  default boolean takesRagged() {
    return false;
  }

  /** What it does beside its layer's kernel; empty if it is that kernel. */
  default String work() {
    return "";
  }

  /** Bytes of scratch each worker needs off the heap. */
  default long scratchBytes() {
    return 0;
  }

  /** Floats of scratch each worker needs on the heap. */
  default int scratchFloats() {
    return 0;
  }
}
