package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The ways to run a linear layer that are no kernels on tensor cores, against sums in double
 * precision, and which ways the dispatch offers. Results may be off by one unit in the last place
 * of f16 or, in f32, by an f32 rounding for each term.
 */
@SimulatedGpu
class LinearOptionTest {
  private static Weights weights(Samples samples, int rows, int columns, double density) {
    float[] values = samples.normal(rows * columns);
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.float16ToFloat(Float.floatToFloat16(values[i]));
    }
    Dense dense = Dense.of(rows, columns, values);
    if (density == 1) {
      return dense;
    }
    Mask mask = samples.mask(rows, columns, density);
    return SparseCsr.pack(dense, mask, (kept, r, count) -> FloatValues.of(DType.F32, kept));
  }

  private static Tensor rounded(Samples samples, DType dtype, int rows, int columns) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(rows, columns));
    float[] values = samples.normal(rows * columns);
    for (int i = 0; i < values.length; i++) {
      tensor.setDouble(i, values[i]);
    }
    return tensor;
  }

  @ParameterizedTest
  @CsvSource({
    "cublas, 1, 1, 1, 1, false",
    "cublas, 3, 70, 33, 1, true",
    "cublas, 17, 65, 96, 1, false",
    "cublas, 129, 24, 300, 1, true",
    "cublas, 5, 64, 40, 0.3, true",
    "cusparse, 1, 9, 40, 0.5, false",
    "cusparse, 7, 70, 33, 0.1, true",
    "cusparse, 33, 65, 257, 0.05, true",
    "cusparse, 129, 16, 64, 0, false",
    "linear_csr_f16_few, 7, 70, 33, 0.1, true",
    "linear_csr_f16, 33, 65, 257, 0.2, true",
    "linear_csr_f16, 20, 8, 300, 0.2, false"
  })
  void computesWhatTheLayerSays(
      String wanted, int tokens, int rows, int columns, double density, boolean wide) {
    Samples samples = new Samples(tokens * 31L + columns);
    Weights weights = weights(samples, rows, columns, density);
    Tensor x = rounded(samples, DType.F16, tokens, columns);
    DType type = wide ? DType.F32 : DType.F16;
    Tensor residual = rounded(samples, type, tokens, rows);
    float[] bias = samples.normal(rows);
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), wanted);
        Stream stream = device.context().stream();
        Memories owned = new Memories(new ArrayList<>())) {
      LinearLayer layer = new LinearLayer("test", weights, tokens, false);
      LinearOption option = device.dispatch().options(layer).getFirst();
      assertTrue(option.name().startsWith(wanted), option.name());
      DeviceWeights laid = device.dispatch().weights(layer, option);
      long workspaceBytes = option.workspaceBytes(device, laid);
      Rows y = rows(device, owned, Tensor.zeros(type, Shape.of(tokens, rows)));
      DeviceMemory workspace = memory(device, owned, Math.max(16, workspaceBytes));
      // a number that no result has by chance
      workspace.fill(0, workspace.bytes(), (byte) 0x5a);
      SharedSums shared = LayerBench.sums(List.of(option));
      DeviceMemory sums = memory(device, owned, Math.max(16, shared.bytes()));
      sums.fill(0, sums.bytes(), (byte) 0x5a);
      sums.fill(0, shared.arrivalBytes(), (byte) 0);
      option
          .bind(
              device,
              laid,
              new LinearOption.Operands(
                  rows(device, owned, x),
                  0,
                  device.constants().vector("bias", Tensor.of(bias, rows)),
                  Activation.HARD_SWISH,
                  rows(device, owned, residual),
                  y,
                  workspace.address(),
                  shared.address(sums.address(), option)))
          .into(stream);
      stream.synchronize();
      check(weights, x, bias, residual, results(owned.all.getFirst(), y, tokens, rows));
    }
  }

  /** Memory that ends before its context. */
  private record Memories(List<DeviceMemory> all) implements AutoCloseable {
    @Override
    public void close() {
      all.forEach(DeviceMemory::close);
    }
  }

  private static void check(
      Weights weights, Tensor x, float[] bias, Tensor residual, Tensor results) {
    int tokens = (int) x.shape().extent(0);
    float[] w = new float[weights.columns()];
    for (int row = 0; row < weights.rows(); row++) {
      weights.unpackRow(row, w, 0);
      for (int token = 0; token < tokens; token++) {
        int at = token * weights.rows() + row;
        double sum = bias[row] + residual.getDouble(at);
        double magnitude = Math.abs(sum) + 1;
        for (int k = 0; k < w.length; k++) {
          double product = w[k] * x.getDouble((long) token * w.length + k);
          sum += product;
          magnitude += Math.abs(product);
        }
        double expected = Activation.HARD_SWISH.apply(sum);
        double rounding =
            results.dtype() == DType.F16 ? Math.scalb(Math.max(1e-4, Math.abs(expected)), -10) : 0;
        assertEquals(
            expected,
            results.getDouble(at),
            rounding + Math.scalb(magnitude, -22) * Math.sqrt(w.length),
            "token " + token + ", output " + row);
      }
    }
  }

  private static DeviceMemory memory(DeviceState device, Memories owned, long bytes) {
    DeviceMemory memory = device.context().allocate(bytes);
    owned.all.add(memory);
    return memory;
  }

  private static Rows rows(DeviceState device, Memories owned, Tensor tensor) {
    int columns = DeviceTensor.columns(tensor.shape());
    int pitch = Rows.pitch(tensor.dtype(), columns);
    long bytes = DeviceTensor.bytes(tensor.dtype(), tensor.shape(), pitch);
    DeviceMemory memory = memory(device, owned, bytes);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate(bytes);
      HostRows.write(tensor, 0, tensor.elements(), copy, tensor.dtype(), columns, pitch);
      memory.upload(copy, 0);
    }
    return new Rows(memory.address(), tensor.dtype(), tensor.shape().extent(0), columns, pitch);
  }

  private static Tensor results(DeviceMemory memory, Rows y, int tokens, int rows) {
    Tensor results = Tensor.zeros(y.dtype(), Shape.of(tokens, rows));
    MemorySegment copy = MemorySegment.ofArray(new byte[(int) memory.bytes()]);
    memory.download(0, copy);
    HostRows.read(copy, y.dtype(), rows, y.pitch(), results, 0, results.elements());
    return results;
  }

  private static List<String> names(LinearLayer layer, String wanted) {
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), wanted)) {
      return device.dispatch().options(layer).stream().map(LinearOption::name).toList();
    }
  }

  @Test
  void unstructuredWeightsMayRunSparseOrDenseByOwnKernelsOrByLibraries() {
    Weights weights = weights(new Samples(1), 512, 512, 0.1);
    List<String> names = names(new LinearLayer("layer", weights, 32, true), "");
    assertTrue(names.contains("linear_csr_f16") || names.contains("cusparse"), names.toString());
    assertTrue(names.contains("cublas"), names.toString());
    assertTrue(names.stream().anyMatch(n -> n.startsWith("linear_dense_f16")), names.toString());
  }

  @Test
  void aKernelThatALayerCannotHaveIsRefusedWithThoseItCan() {
    Weights weights = weights(new Samples(2), 64, 64, 1);
    InputException refused =
        assertThrows(
            InputException.class,
            () -> names(new LinearLayer("encoder.7", weights, 4, true), "linear_csr"));
    assertTrue(refused.getMessage().contains("encoder.7"), refused.getMessage());
    assertTrue(refused.getMessage().contains("linear_dense_f16_64x8"), refused.getMessage());
  }

  private static List<String> largeTiles() {
    Weights weights = weights(new Samples(3), 2048, 64, 1);
    return names(new LinearLayer("layer", weights, 2048, true), "linear_dense_f16");
  }

  @Test
  void tilesThatFitTheDeviceAreOffered() {
    List<String> names = largeTiles();
    assertTrue(names.contains("linear_dense_f16_256x128"), names.toString());
  }

  /** It has compute capability 8.6: 99 KB of shared memory for a block. */
  @Test
  @SimulatedGpu(model = "rtx3090")
  void tilesThatNeedMoreSharedMemoryThanABlockMayHaveAreNot() {
    int bytes = KernelManifest.load().kernel("linear_dense_f16_256x128").sharedBytes();
    assertTrue(bytes > 99 << 10, bytes + " bytes");
    List<String> names = largeTiles();
    assertTrue(names.contains("linear_dense_f16_128x128"), names.toString());
    assertFalse(names.contains("linear_dense_f16_256x128"), names.toString());
  }
}
