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
  public boolean takesRagged() {
    return true;
  }

  @Override
  public Panels panels() {
    return x.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    WorkerPool.Body body = (p, worker) -> encode(memory, p);
    return PanelWork.each(x.panels().count(), body);
  }

  /** Encodes one panel. */
  void encode(MemorySegment memory, int panel) {
    code.encode(memory, x.panels(), panel, x.features(), x.offset(), y.offset());
  }
}
