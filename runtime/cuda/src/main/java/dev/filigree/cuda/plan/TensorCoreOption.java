package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Parameter;
import dev.filigree.kernels.cuda.WeightsForm;

/**
 * A kernel on tensor cores, see {@code gemm/linear.cuh}.
 *
 * @param kernel of the manifest
 * @param grid how blocks share the work
 */
record TensorCoreOption(KernelEntry kernel, LinearGrid grid, double predictedMicros)
    implements LinearOption {
  @Override
  public String name() {
    return grid.isShared() ? kernel.entry() + " in " + grid.blocks() + " blocks" : kernel.entry();
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
    return grid.workspaceBytes();
  }

  @Override
  public DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    Kernel loaded = device.library().kernel(kernel);
    Arguments arguments = loaded.arguments();
    Rows x = operands.x();
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
        .pointer("workspace", operands.workspace());
    for (Parameter parameter : kernel.parameters()) {
      String name = parameter.name();
      if (weights.has(name)) {
        arguments.pointer(name, weights.address(name));
      } else if (name.equals("tokenScales")) {
        arguments.pointer(name, operands.tokenScales());
      } else if (name.equals("stepsPerGroup")) {
        arguments.i32(name, weights.stepsPerGroup());
      }
    }
    Launch launch = new Launch(loaded, grid.blocks(), 1, arguments);
    if (operands.workspace() == 0) {
      return launch::into;
    }
    return stream -> {
      stream.fill(operands.workspace(), grid.arrivalBytes(), (byte) 0);
      launch.into(stream);
    };
  }
}
