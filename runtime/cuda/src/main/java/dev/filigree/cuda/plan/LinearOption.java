package dev.filigree.cuda.plan;

import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;

/** A way to run a linear layer. Immutable; not bound to memory. */
sealed interface LinearOption extends LayerOption
    permits TensorCoreOption, CsrOption, CublasOption, CusparseOption {
  /**
   * What a layer works on.
   *
   * @param x f16, or i8 beside token scales
   * @param tokenScales address, 0 for f16
   * @param bias address of f32 values, 0 for none
   * @param activation applied last
   * @param residual f16 or f32, null for none
   * @param y f16 or f32
   * @param workspace address of {@link #workspaceBytes}, 0 for none
   * @param sums address by {@link SharedSums}, 0 where no tile is shared
   */
  record Operands(
      Rows x,
      long tokenScales,
      long bias,
      Activation activation,
      Rows residual,
      Rows y,
      long workspace,
      long sums) {}

  /** Libraries want their workspace at a multiple of this, more than the arena gives. */
  long LIBRARY_ALIGNMENT = 256;

  /** The first address for a library's workspace from an address on. */
  static long libraryAligned(long address) {
    return Math.ceilDiv(address, LIBRARY_ALIGNMENT) * LIBRARY_ALIGNMENT;
  }

  /** How it wants the weights laid out. */
  LinearLayout layout();

  /**
   * Memory it needs for a run of its own.
   *
   * @param weights laid out for it, on the device
   */
  long workspaceBytes(DeviceState device, DeviceWeights weights);

  /** Binds it to memory. */
  DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands);
}
