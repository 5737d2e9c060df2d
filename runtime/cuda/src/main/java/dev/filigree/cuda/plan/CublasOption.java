package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.Cublas;
import dev.filigree.cuda.layout.LibraryWeights;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;

/**
 * cuBLAS with dense f16 weights, and a kernel for what comes after the product.
 *
 * <pre>
 *   workspace: | sums f32 [tokens, pitch of y] | the library's own |
 * </pre>
 *
 * @param tokens number of rows
 * @param rows outputs
 */
record CublasOption(int tokens, int rows, double predictedMicros) implements LinearOption {
  static final String NAME = "cublas";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String weights() {
    return "dense f16";
  }

  @Override
  public boolean isDense() {
    return true;
  }

  @Override
  public ActivationType activation() {
    return ActivationType.F16;
  }

  @Override
  public boolean isCounted() {
    return false;
  }

  @Override
  public LinearLayout layout() {
    return new LinearLayout.DenseRows();
  }

  @Override
  public long workspaceBytes(DeviceState device, DeviceWeights weights) {
    return LinearEpilogue.sumBytes(tokens, rows)
        + LinearOption.LIBRARY_ALIGNMENT
        + Cublas.WORKSPACE_BYTES;
  }

  @Override
  public DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    Cublas cublas = device.cublas().orElseThrow();
    Rows x = operands.x();
    Rows sums = LinearEpilogue.sums(operands.workspace(), tokens, rows);
    Launch epilogue =
        new LinearEpilogue(operands.bias(), operands.residual(), operands.activation())
            .finish(device.kernels(), sums, operands.y());
    Cublas.Matrix w =
        new Cublas.Matrix(weights.address("w"), rows, LibraryWeights.pitch(x.columns()));
    long own = LinearOption.libraryAligned(operands.workspace() + sums.bytes());
    return stream -> {
      cublas.multiply(
          stream,
          w,
          new Cublas.Matrix(x.address(), tokens, x.pitch()),
          x.columns(),
          sums.address(),
          sums.pitch(),
          own);
      epilogue.into(stream);
    };
  }
}
