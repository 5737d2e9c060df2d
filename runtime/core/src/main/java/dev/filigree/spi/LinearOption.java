package dev.filigree.spi;

/** A way to run a linear layer on f32 panels, before anything is packed. */
public non-sealed interface LinearOption extends LayerOption {
  @Override
  LinearKernel pack();
}
