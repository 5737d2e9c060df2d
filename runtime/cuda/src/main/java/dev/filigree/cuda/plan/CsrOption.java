package dev.filigree.cuda.plan;

import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.SparseLinear;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;

/**
 * A kernel of unstructured weights, see {@code sparse/linear_csr.cu}.
 *
 * @param kernel of the manifest
 */
record CsrOption(KernelEntry kernel, double predictedMicros) implements LinearOption {
  @Override
  public String name() {
    return kernel.entry();
  }

  @Override
  public String weights() {
    return "csr " + activation().label();
  }

  @Override
  public boolean isDense() {
    return false;
  }

  @Override
  public ActivationType activation() {
    return kernel.activation().orElseThrow();
  }

  @Override
  public LinearLayout layout() {
    return new LinearLayout.SparseRows(activation());
  }

  @Override
  public long workspaceBytes(DeviceState device, DeviceWeights weights) {
    return 0;
  }

  @Override
  public DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    return SparseLinear.multiply(
            device.kernels(),
            kernel,
            new SparseLinear.Operands(weights.address("w"), weights.address("rowOffsets")),
            operands.x(),
            new LinearEpilogue(operands.bias(), operands.residual(), operands.activation()),
            operands.y())
        ::into;
  }
}
