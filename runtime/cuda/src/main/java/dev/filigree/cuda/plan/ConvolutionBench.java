package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;
import java.util.ArrayList;
import java.util.List;

/** Binds the candidates of a convolution to memory of a bench. */
final class ConvolutionBench {
  private ConvolutionBench() {}

  static LayerBench of(
      DeviceState device, ConvolutionLayer layer, List<ConvolutionOption> options) {
    LayerBench bench = new LayerBench(device);
    try {
      bind(bench, layer, options);
      return bench;
    } catch (RuntimeException | Error failed) {
      bench.close();
      throw failed;
    }
  }

  private static void bind(
      LayerBench bench, ConvolutionLayer layer, List<ConvolutionOption> options) {
    DeviceState device = bench.device();
    int outputs = layer.weights().rows();
    DeviceMemory x = bench.numbers(rows(0, DType.F16, layer.pixels(), layer.channels()).bytes());
    DeviceMemory scales = bench.ones(layer.tokens());
    Rows y = rows(0, DType.F16, layer.tokens(), outputs);
    DeviceMemory results = bench.memory(y.bytes());
    List<DeviceWeights> weights = new ArrayList<>();
    for (ConvolutionOption option : options) {
      weights.add(device.convolutions().weights(layer, option));
    }
    SharedSums shared = LayerBench.sums(options);
    long sums = bench.zeros(shared.bytes()).address();
    for (int i = 0; i < options.size(); i++) {
      ConvolutionOption option = options.get(i);
      boolean rounded = option.activation() == ActivationType.I8;
      bench.add(
          option,
          weights.get(i),
          placed ->
              option.bind(
                  device,
                  placed,
                  new ConvolutionOption.Operands(
                      layer.geometry(),
                      rows(
                          x.address(),
                          rounded ? DType.I8 : DType.F16,
                          layer.pixels(),
                          layer.channels()),
                      rounded ? scales.address() : 0,
                      LinearEpilogue.NONE,
                      rows(results.address(), DType.F16, layer.tokens(), outputs),
                      shared.address(sums, option))));
    }
  }

  private static Rows rows(long address, DType dtype, long count, int columns) {
    return new Rows(address, dtype, count, columns, Rows.pitch(dtype, columns));
  }
}
