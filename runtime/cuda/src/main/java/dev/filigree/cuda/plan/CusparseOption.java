package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Cusparse;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;

/**
 * cuSPARSE with unstructured f16 weights, and a kernel for what comes after the product.
 *
 * <pre>
 *   workspace: | sums f32 [tokens, pitch of y] | the library's own |
 * </pre>
 *
 * @param tokens number of rows
 * @param rows outputs
 * @param columns inputs
 * @param kept weights
 */
record CusparseOption(int tokens, int rows, int columns, long kept, double predictedMicros)
    implements LinearOption {
  static final String NAME = "cusparse";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String weights() {
    return "csr f16";
  }

  @Override
  public boolean isDense() {
    return false;
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
    return new LinearLayout.CompressedRows();
  }

  private Cusparse.Product product(DeviceWeights weights, long x, int pitchX, Rows sums) {
    return new Cusparse.Product(
        weights.address("w"),
        weights.address("columns"),
        weights.address("rowOffsets"),
        kept,
        rows,
        columns,
        tokens,
        x,
        pitchX,
        sums.address(),
        sums.pitch());
  }

  @Override
  public long workspaceBytes(DeviceState device, DeviceWeights weights) {
    // where the operands lie is not known yet, and does not matter
    long somewhere = weights.address("w");
    Rows sums = LinearEpilogue.sums(somewhere, tokens, rows);
    int pitchX = Rows.pitch(DType.F16, columns);
    return sums.bytes()
        + LinearOption.LIBRARY_ALIGNMENT
        + device.cusparse().orElseThrow().workspaceBytes(product(weights, somewhere, pitchX, sums));
  }

  @Override
  public DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    Cusparse cusparse = device.cusparse().orElseThrow();
    Rows sums = LinearEpilogue.sums(operands.workspace(), tokens, rows);
    Launch epilogue =
        new LinearEpilogue(operands.bias(), operands.residual(), operands.activation())
            .finish(device.kernels(), sums, operands.y());
    Cusparse.Product product = product(weights, operands.x().address(), operands.x().pitch(), sums);
    long own = LinearOption.libraryAligned(operands.workspace() + sums.bytes());
    return stream -> {
      cusparse.multiply(stream, product, own);
      epilogue.into(stream);
    };
  }
}
