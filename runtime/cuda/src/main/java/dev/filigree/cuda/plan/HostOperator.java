package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operators;
import java.util.List;

/** An operator of a plan that runs in the process, between copies from and to the device. */
final class HostOperator {
  private final DeviceStep.OnHost step;
  private final Staging staging;
  private final long arena;
  private final Tensor[] operands;
  private final Tensor[] results;
  private final Kernel kernel;

  HostOperator(DeviceStep.OnHost step, int opset, Staging staging, long arena) {
    this.step = step;
    this.staging = staging;
    this.arena = arena;
    this.operands = tensors(step.operands());
    this.results = tensors(step.results());
    this.kernel =
        Operators.find(step.node()).bind(new Binding(step.node(), opset, operands, results));
  }

  private static Tensor[] tensors(List<DeviceStep.HostOperand> all) {
    Tensor[] tensors = new Tensor[all.size()];
    for (int i = 0; i < tensors.length; i++) {
      DeviceStep.HostOperand operand = all.get(i);
      if (operand != null) {
        tensors[i] =
            operand.constant() != null
                ? operand.constant()
                : Tensor.zeros(graphType(operand.place().dtype()), operand.place().shape());
      }
    }
    return tensors;
  }

  /** Floats of a graph are f32. */
  private static DType graphType(DType onDevice) {
    return onDevice == DType.F16 ? DType.F32 : onDevice;
  }

  void run() {
    for (int i = 0; i < operands.length; i++) {
      DeviceStep.HostOperand operand = step.operands().get(i);
      if (operand != null && operand.place() != null) {
        staging.download(operand.place(), arena, operands[i]);
      }
    }
    kernel.run();
    for (int i = 0; i < results.length; i++) {
      if (results[i] != null) {
        staging.upload(results[i], step.results().get(i).place(), arena);
      }
    }
  }
}
