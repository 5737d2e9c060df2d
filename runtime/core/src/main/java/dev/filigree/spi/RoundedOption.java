package dev.filigree.spi;

/** A way to run a linear layer on rounded inputs, before anything is packed. */
public non-sealed interface RoundedOption extends LayerOption {
  @Override
  RoundedKernel pack();
}
