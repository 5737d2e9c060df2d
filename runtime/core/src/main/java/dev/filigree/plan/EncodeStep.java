package dev.filigree.plan;

import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Encodes a matrix for kernels that round their inputs.
 *
 * @param x input, in panels
 * @param y the encoded matrix
 */
record EncodeStep(ActivationCode code, Slot x, Slot y) implements Step {
  @Override
  public Panels panels() {
    return x.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Panels panels = x.panels();
    int features = x.features();
    WorkerPool.Body body =
        (p, worker) -> code.encode(memory, panels, p, features, x.offset(), y.offset());
    return PanelWork.each(panels.count(), body);
  }
}
