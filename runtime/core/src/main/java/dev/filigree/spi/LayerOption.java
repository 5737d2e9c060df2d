package dev.filigree.spi;

/** A way to run a linear layer, before anything is packed. */
public sealed interface LayerOption permits LinearOption, RoundedOption {
  /** Name of the kernel, for example {@code 2:4 rows}. */
  String name();

  /** Why it fits these weights, in half a sentence. */
  String reason();

  /** Time one call takes by a model of the machine: work over rate. */
  double predictedNanos(int tokens);

  /** Lays the weights out. */
  PackedLinear pack();
}
