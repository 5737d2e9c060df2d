package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import java.util.ArrayList;
import java.util.List;

/** Binds the candidates of a linear layer to memory of a bench. */
final class LinearBench {
  private LinearBench() {}

  static LayerBench of(DeviceState device, LinearLayer layer, List<LinearOption> options) {
    LayerBench bench = new LayerBench(device);
    try {
      bind(bench, layer, options);
      return bench;
    } catch (RuntimeException | Error failed) {
      bench.close();
      throw failed;
    }
  }

  private static void bind(LayerBench bench, LinearLayer layer, List<LinearOption> options) {
    DeviceState device = bench.device();
    long tokens = layer.tokens();
    Shape shapeX = Shape.of(tokens, layer.weights().columns());
    Shape shapeY = Shape.of(tokens, layer.weights().rows());
    DeviceMemory x = bench.numbers(bytes(DType.F16, shapeX));
    DeviceMemory scales = bench.ones(tokens);
    DeviceMemory y = bench.memory(bytes(DType.F16, shapeY));
    List<DeviceWeights> weights = new ArrayList<>();
    long workspaceBytes = 0;
    for (LinearOption option : options) {
      weights.add(device.dispatch().weights(layer, option));
      workspaceBytes = Math.max(workspaceBytes, option.workspaceBytes(device, weights.getLast()));
    }
    DeviceMemory workspace = bench.memory(workspaceBytes);
    SharedSums shared = LayerBench.sums(options);
    long sums = bench.zeros(shared.bytes()).address();
    for (int i = 0; i < options.size(); i++) {
      LinearOption option = options.get(i);
      boolean alone = option.workspaceBytes(device, weights.get(i)) == 0;
      DType dtype = option.activation() == ActivationType.I8 ? DType.I8 : DType.F16;
      bench.add(
          option,
          weights.get(i),
          placed ->
              option.bind(
                  device,
                  placed,
                  new LinearOption.Operands(
                      rows(x.address(), dtype, shapeX),
                      scales.address(),
                      0,
                      Activation.NONE,
                      null,
                      rows(y.address(), DType.F16, shapeY),
                      alone ? 0 : workspace.address(),
                      shared.address(sums, option))));
    }
  }

  private static Rows rows(long address, DType dtype, Shape shape) {
    int columns = DeviceTensor.columns(shape);
    return new Rows(address, dtype, shape.extent(0), columns, Rows.pitch(dtype, columns));
  }

  private static long bytes(DType dtype, Shape shape) {
    return DeviceTensor.bytes(dtype, shape, Rows.pitch(dtype, DeviceTensor.columns(shape)));
  }
}
