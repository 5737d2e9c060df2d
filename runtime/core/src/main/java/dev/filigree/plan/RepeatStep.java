package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Strided;

/**
 * Writes a row-major value as often as another shape wants it.
 *
 * @param x broadcasts to y
 * @param y of the wanted shape
 */
record RepeatStep(Slot x, Slot y) implements Step {
  @Override
  public String work() {
    return "to each sequence";
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    Shape shape = y.shape();
    Kernel copy =
        Strided.copy(
            x.tensor(workspace.memory()),
            Broadcast.strides(x.shape(), shape),
            0,
            y.tensor(workspace.memory()));
    return pool -> copy.run();
  }
}
