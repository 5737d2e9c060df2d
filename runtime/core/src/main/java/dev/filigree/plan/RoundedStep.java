package dev.filigree.plan;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.LinearCall;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;

/**
 * Runs a linear layer on encoded inputs, divided as {@link BlockWork} does.
 *
 * @param kernel the packed weights
 * @param codes the encoded input
 * @param y output, in panels
 * @param residual added to the output, in panels; or null
 * @param bias one value for each output, or null
 * @param activation applied at the end
 */
record RoundedStep(
    RoundedKernel kernel, Slot codes, Slot y, Slot residual, float[] bias, Activation activation)
    implements LinearWork {
  @Override
  public boolean takesRagged() {
    return true;
  }

  @Override
  public Panels panels() {
    return y.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    return new BlockWork(kernel, y.panels(), part(workspace));
  }

  @Override
  public BlockWork.Part part(Workspace workspace) {
    LinearCall call =
        new LinearCall(
            workspace.memory(),
            y.panels(),
            codes.offset(),
            y.offset(),
            residual == null ? -1 : residual.offset(),
            bias,
            activation);
    RoundedKernel.Bound bound = kernel.bind(call);
    return (block, first, last, from, to, worker) -> {
      for (int p = from; p < to; p++) {
        bound.run(p, first, last);
      }
    };
  }
}
