package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.Gather;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Parameter;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.plan.Arenas;
import java.util.Optional;

/**
 * A kernel on tensor cores, see {@code gemm/linear.cuh}.
 *
 * @param kernel of the manifest
 * @param grid how blocks share the work
 * @param gathered the activations in the order of the weights' columns, if that is their own; null
 *     then
 */
record TensorCoreOption(
    KernelEntry kernel, LinearGrid grid, Gathered gathered, double predictedMicros)
    implements LinearOption {
  /** Activations in another order of columns. */
  record Gathered(int tokens, int columns) {
    Rows rows(long address) {
      return new Rows(address, DType.F16, tokens, columns, Rows.pitch(DType.F16, columns));
    }

    long bytes() {
      return Arenas.aligned(rows(0).bytes());
    }
  }

  @Override
  public String name() {
    String shared = grid.isShared() ? " in " + grid.blocks() + " blocks" : "";
    return kernel.entry() + shared + (gathered == null ? "" : " of gathered inputs");
  }

  private WeightsForm form() {
    return kernel.weights().orElseThrow();
  }

  @Override
  public String weights() {
    return form().structure().label() + " " + form().values().label();
  }

  @Override
  public boolean isDense() {
    return form().structure() == WeightsForm.Structure.DENSE;
  }

  @Override
  public ActivationType activation() {
    return kernel.activation().orElseThrow();
  }

  @Override
  public LinearLayout layout() {
    return new LinearLayout.Fragments(form(), activation());
  }

  @Override
  public long workspaceBytes(DeviceState device, DeviceWeights weights) {
    return gathered == null ? 0 : gathered.bytes();
  }

  @Override
  public Optional<LinearGrid> shared() {
    return grid.isShared() ? Optional.of(grid) : Optional.empty();
  }

  @Override
  public DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    if (gathered == null) {
      return multiply(device, weights, operands, operands.x())::into;
    }
    Rows x = operands.x();
    Rows inOrder = gathered.rows(operands.workspace());
    Launch gather =
        Gather.ordered(device.kernels(), x, weights.address(PackedWeights.ORDER), inOrder);
    Launch multiply = multiply(device, weights, operands, inOrder);
    return stream -> {
      gather.into(stream);
      multiply.into(stream);
    };
  }

  private Launch multiply(DeviceState device, DeviceWeights weights, Operands operands, Rows x) {
    Kernel loaded = device.library().kernel(kernel);
    Arguments arguments = loaded.arguments();
    arguments
        .pointer("x", x.address())
        .pointer("bias", operands.bias())
        .pointer("residual", Rows.addressOf(operands.residual()))
        .pointer("y", operands.y().address())
        .i32("tokens", Math.toIntExact(x.rows()))
        .i32("rows", operands.y().columns())
        .i32("columns", x.columns())
        .i32("pitchX", x.pitch())
        .i32("pitchY", operands.y().pitch())
        .i32("pitchResidual", Rows.pitchOf(operands.residual()))
        .i32("activationKind", LinearEpilogue.kind(operands.activation()))
        .i32("wide", LinearEpilogue.wide(operands.residual(), operands.y()))
        .pointer("workspace", operands.sums());
    for (Parameter parameter : kernel.parameters()) {
      String name = parameter.name();
      if (weights.has(name)) {
        arguments.pointer(name, weights.address(name));
      } else if (name.equals("tokenScales")) {
        arguments.pointer(name, operands.tokenScales());
      } else if (weights.numbers().containsKey(name)) {
        arguments.i32(name, weights.numbers().get(name));
      }
    }
    return new Launch(loaded, grid.blocks(), 1, arguments);
  }
}
