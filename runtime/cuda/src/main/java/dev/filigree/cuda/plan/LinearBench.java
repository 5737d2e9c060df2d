package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import java.util.ArrayList;
import java.util.List;

/** Memory to run the candidates of a linear layer in, and the candidates bound to it. */
final class LinearBench implements AutoCloseable {
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final Stream stream;
  private final List<DeviceStep.Work> work = new ArrayList<>();

  LinearBench(DeviceState device, LinearLayer layer, List<LinearOption> options) {
    try {
      stream = own(device.context().stream());
      long tokens = layer.tokens();
      Shape shapeX = Shape.of(tokens, layer.weights().columns());
      Shape shapeY = Shape.of(tokens, layer.weights().rows());
      // as f16 or as i8, zeros are numbers of both
      DeviceMemory x = zeros(device, bytes(DType.F16, shapeX));
      DeviceMemory scales = zeros(device, Math.max(16, tokens * Float.BYTES));
      DeviceMemory y = own(device.context().allocate(bytes(DType.F16, shapeY)));
      List<DeviceWeights> weights = new ArrayList<>();
      long workspaceBytes = 16;
      for (LinearOption option : options) {
        weights.add(device.dispatch().weights(layer, option));
        workspaceBytes = Math.max(workspaceBytes, option.workspaceBytes(device, weights.getLast()));
      }
      DeviceMemory workspace = own(device.context().allocate(workspaceBytes));
      for (int i = 0; i < options.size(); i++) {
        LinearOption option = options.get(i);
        boolean alone = option.workspaceBytes(device, weights.get(i)) == 0;
        DType dtype = option.activation() == ActivationType.I8 ? DType.I8 : DType.F16;
        work.add(
            option.bind(
                device,
                weights.get(i),
                new LinearOption.Operands(
                    rows(x.address(), dtype, shapeX),
                    scales.address(),
                    0,
                    Activation.NONE,
                    null,
                    rows(y.address(), DType.F16, shapeY),
                    alone ? 0 : workspace.address())));
      }
    } catch (RuntimeException | Error failed) {
      close();
      throw failed;
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private DeviceMemory zeros(DeviceState device, long bytes) {
    DeviceMemory memory = own(device.context().allocate(bytes));
    memory.fill(0, bytes, (byte) 0);
    return memory;
  }

  private static Rows rows(long address, DType dtype, Shape shape) {
    int columns = DeviceTensor.columns(shape);
    return new Rows(address, dtype, shape.extent(0), columns, Rows.pitch(dtype, columns));
  }

  private static long bytes(DType dtype, Shape shape) {
    return DeviceTensor.bytes(dtype, shape, Rows.pitch(dtype, DeviceTensor.columns(shape)));
  }

  Stream stream() {
    return stream;
  }

  /** The candidates, in order. */
  List<DeviceStep.Work> work() {
    return work;
  }

  @Override
  public void close() {
    for (AutoCloseable each : owned.reversed()) {
      try {
        each.close();
      } catch (RuntimeException failed) {
        throw failed;
      } catch (Exception checked) {
        throw new IllegalStateException("closing what is on the device throws none", checked);
      }
    }
    owned.clear();
  }
}
