package dev.filigree.kernel;

/**
 * An operator bound to its operands' memory. Running it reads the inputs and writes the outputs
 * where they lie and allocates nothing. Not thread-safe: it may keep counters.
 */
@FunctionalInterface
public interface Kernel {
  /** Computes the outputs from what the inputs hold now. */
  void run();
}
