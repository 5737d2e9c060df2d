package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Event;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measures the candidates of a linear layer on the device: in alternation, so that drift of its
 * clock hits all alike, by events around several launches; the median of the rounds counts.
 */
final class LinearTiming {
  private static final int ROUNDS = 7;
  private static final int LAUNCHES = 10;

  private final DeviceState device;

  LinearTiming(DeviceState device) {
    this.device = device;
  }

  /** Median microseconds of each option by its name. */
  Map<String, Double> measure(LinearLayer layer, List<LinearOption> options) {
    CudaContext context = device.context();
    long tokens = layer.tokens();
    Shape shapeX = Shape.of(tokens, layer.weights().columns());
    Shape shapeY = Shape.of(tokens, layer.weights().rows());
    // as f16 or as i8, zeros are numbers of both
    long bytesX = bytes(DType.F16, shapeX);
    try (Stream stream = context.stream();
        Event start = context.event();
        Event end = context.event();
        DeviceMemory x = context.allocate(bytesX);
        DeviceMemory scales = context.allocate(Math.max(16, tokens * Float.BYTES));
        DeviceMemory y = context.allocate(bytes(DType.F16, shapeY));
        DeviceMemory workspace = context.allocate(workspaceBytes(layer, options))) {
      x.fill(0, bytesX, (byte) 0);
      scales.fill(0, scales.bytes(), (byte) 0);
      List<DeviceStep.Work> work = new ArrayList<>();
      for (LinearOption option : options) {
        LinearGrid grid = grid(layer, option);
        DType dtype = option.activation() == ActivationType.I8 ? DType.I8 : DType.F16;
        work.add(
            new LinearLaunch(
                    option.kernel(),
                    grid,
                    device.dispatch().weights(layer, option),
                    0,
                    Activation.NONE)
                .bind(
                    device.dispatch().library(),
                    new LinearLaunch.Operands(
                        rows(x.address(), dtype, shapeX),
                        scales.address(),
                        null,
                        rows(y.address(), DType.F16, shapeY),
                        grid.workspaceBytes() == 0 ? 0 : workspace.address())));
      }
      double[][] micros = new double[options.size()][ROUNDS];
      work.forEach(each -> each.into(stream));
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < micros.length; i++) {
          micros[i][round] = time(stream, start, end, work.get(i));
        }
      }
      Map<String, Double> medians = new LinkedHashMap<>();
      for (int i = 0; i < micros.length; i++) {
        Arrays.sort(micros[i]);
        medians.put(options.get(i).name(), micros[i][ROUNDS / 2]);
      }
      return medians;
    }
  }

  private static double time(Stream stream, Event start, Event end, DeviceStep.Work work) {
    start.record(stream);
    for (int i = 0; i < LAUNCHES; i++) {
      work.into(stream);
    }
    end.record(stream);
    end.synchronize();
    return end.microsSince(start) / LAUNCHES;
  }

  private static LinearGrid grid(LinearLayer layer, LinearOption option) {
    return LinearGrid.of(
            option.kernel(), layer.weights().rows(), layer.weights().columns(), layer.tokens())
        .by(option.blocks());
  }

  private static long workspaceBytes(LinearLayer layer, List<LinearOption> options) {
    return options.stream()
        .mapToLong(option -> grid(layer, option).workspaceBytes())
        .reduce(16, Math::max);
  }

  private static Rows rows(long address, DType dtype, Shape shape) {
    int columns = DeviceTensor.columns(shape);
    return new Rows(address, dtype, shape.extent(0), columns, Rows.pitch(dtype, columns));
  }

  private static long bytes(DType dtype, Shape shape) {
    return DeviceTensor.bytes(dtype, shape, Rows.pitch(dtype, DeviceTensor.columns(shape)));
  }
}
