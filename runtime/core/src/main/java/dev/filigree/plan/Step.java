package dev.filigree.plan;

/** A step of a plan, not bound to memory yet. Immutable. */
interface Step {
  /** Binds the step to a workspace's memory. */
  BoundStep bind(Workspace workspace);

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
