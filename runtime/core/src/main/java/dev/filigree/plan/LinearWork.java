package dev.filigree.plan;

import dev.filigree.spi.PackedLinear;

/** A linear layer as a step of its own, or as a part of one that runs many. */
sealed interface LinearWork extends Step permits LinearStep, RoundedStep {
  /** The packed weights. */
  PackedLinear kernel();

  /** The layer bound to a workspace's memory, to be run block by block. */
  BlockWork.Part part(Workspace workspace);
}
