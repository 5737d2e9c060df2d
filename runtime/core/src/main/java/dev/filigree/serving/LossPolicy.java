package dev.filigree.serving;

/** What a host does with a model whose device failed and does not take it again. */
public enum LossPolicy {
  /**
   * The model serves from the CPU until it is loaded again: slower, but there. The log, an event
   * and {@link ModelHost.Served#note} say so.
   */
  CPU,
  /** Its requests are refused, and the device is tried again and again. */
  WAIT
}
