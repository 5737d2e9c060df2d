package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.cuda.operation.Elementwise;
import dev.filigree.cuda.operation.Gather;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.Movement;
import dev.filigree.cuda.operation.Normalization;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.cuda.operation.Softmax;
import dev.filigree.cuda.operation.View;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;

/**
 * Layers with more elements than 32 bits count. What no test can compute is planned; that kernels
 * find their elements is shown by few rows that lie as far apart as those of such a layer.
 */
@SimulatedGpu
class LargeShapeTest {
  private static final int TOKENS = 17;
  private static final int COLUMNS = 128;
  private static final int OUTPUTS = 72;

  /** What kernels may read of a row: whole steps along K. */
  private static final int READ = 1024;

  /** The last row begins 2^32 elements behind the first. */
  private static final int FAR = 1 << 28;

  private static Graph layer(int columns, int outputs) {
    Node linear = Linear.node("layer", List.of("x", "w", ""), "y", true, "w", false);
    return new Graph(
        "large",
        13,
        List.of(new ValueInfo("x", DType.F32, List.of(Dim.symbol("tokens"), Dim.of(columns)))),
        List.of(new ValueInfo("y", DType.F32, null)),
        List.of(linear),
        Map.of("w", new Constant.Plain(Tensor.zeros(DType.F32, Shape.of(outputs, columns)))));
  }

  private static List<LayerPlan> plan(int columns, int outputs, long tokens) {
    try (DeviceRunner runner =
        new DeviceRunner(
            layer(columns, outputs),
            SessionOptions.defaults().withActivationBytes(1L << 40),
            CudaDriver.open().context(0))) {
      return runner.layers(Map.of("x", Shape.of(tokens, columns)));
    }
  }

  @Test
  void aLayerWithMoreResultsThan32BitsCountIsPlanned() {
    LayerPlan layer = plan(8, 65_536, 65_600).getFirst();
    assertTrue(layer.kernel().startsWith("linear_dense_f16"), layer.toString());
    for (LayerPlan.Candidate candidate : layer.candidates()) {
      // 8.6 GB of results at no more than 8 TB/s, and within reason
      assertTrue(
          candidate.predictedMicros() > 1_000 && candidate.predictedMicros() < 1e6,
          candidate.toString());
    }
  }

  @Test
  void whatKernelsCannotCountIsRefusedByName() {
    UnsupportedException input =
        assertThrows(UnsupportedException.class, () -> plan(8, 8, 3_000_000_000L));
    assertTrue(input.getMessage().contains("input 'x'"), input.getMessage());
    assertTrue(input.getMessage().contains("smaller batches"), input.getMessage());
    // tiles times steps along K
    UnsupportedException steps =
        assertThrows(UnsupportedException.class, () -> plan(1 << 16, 1 << 10, 2_147_483_000L));
    assertTrue(steps.getMessage().contains("'layer'"), steps.getMessage());
  }

  private static MemorySegment row(int token, DType dtype) {
    float[] values = new Samples(token + 1).normal(COLUMNS);
    Tensor row = Tensor.zeros(dtype, Shape.of(READ));
    for (int i = 0; i < COLUMNS; i++) {
      row.setDouble(i, dtype == DType.I8 ? Math.rint(9 * values[i]) : values[i]);
    }
    return row.data();
  }

  /** Rows in memory; nothing else of it is touched, so that the simulation has it for nothing. */
  private static Rows place(DeviceMemory memory, DType dtype, int pitch) {
    for (int token = 0; token < TOKENS; token++) {
      memory.upload(row(token, dtype), (long) token * pitch * dtype.bytes());
    }
    return new Rows(memory.address(), dtype, TOKENS, COLUMNS, pitch);
  }

  @Test
  void rowsThatLieFarApartAreFoundByEveryLinearKernel() {
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), "");
        DeviceMemory far = device.context().allocate((long) TOKENS * FAR * DType.F16.bytes());
        DeviceMemory near = device.context().allocate((long) TOKENS * READ * 2);
        DeviceMemory scales = device.context().allocate(TOKENS * Float.BYTES);
        DeviceMemory y = device.context().allocate(TOKENS * OUTPUTS * 2);
        DeviceMemory workspace = device.context().allocate(1 << 26);
        DeviceMemory sums = device.context().allocate(1 << 26)) {
      float[] ones = new float[TOKENS];
      Arrays.fill(ones, 1);
      scales.upload(MemorySegment.ofArray(ones), 0);
      int kernels = 0;
      for (DType dtype : List.of(DType.F16, DType.I8)) {
        Rows[] inputs = {place(near, dtype, READ), place(far, dtype, FAR)};
        for (Weights weights : LinearSamples.of(OUTPUTS, COLUMNS)) {
          LinearLayer layer = new LinearLayer("far", weights, TOKENS, true);
          for (LinearOption option : device.dispatch().all(layer)) {
            if (dtype == DType.I8 != (option.activation() == ActivationType.I8)) {
              continue;
            }
            DeviceWeights laid = device.dispatch().weights(layer, option);
            byte[][] found = new byte[2][];
            for (int i = 0; i < 2; i++) {
              found[i] = outputs(device, option, laid, inputs[i], scales, y, workspace, sums);
            }
            assertArrayEquals(found[0], found[1], option.name() + ", " + weights.format());
            kernels++;
          }
        }
      }
      assertTrue(kernels > 20, kernels + " kernels");
    }
  }

  private static byte[] outputs(
      DeviceState device,
      LinearOption option,
      DeviceWeights weights,
      Rows x,
      DeviceMemory scales,
      DeviceMemory y,
      DeviceMemory workspace,
      DeviceMemory sums) {
    SharedSums shared = LayerBench.sums(List.of(option));
    assertTrue(shared.bytes() <= sums.bytes(), option.name());
    sums.fill(0, shared.arrivalBytes(), (byte) 0);
    boolean alone = option.workspaceBytes(device, weights) == 0;
    assertTrue(option.workspaceBytes(device, weights) <= workspace.bytes(), option.name());
    LinearOption.Operands operands =
        new LinearOption.Operands(
            x,
            scales.address(),
            0,
            Activation.NONE,
            null,
            new Rows(y.address(), DType.F16, TOKENS, OUTPUTS, OUTPUTS),
            alone ? 0 : workspace.address(),
            shared.address(sums.address(), option));
    try (Stream stream = device.context().stream()) {
      option.bind(device, weights, operands).into(stream);
      stream.synchronize();
    }
    byte[] results = new byte[(int) y.bytes()];
    y.download(0, MemorySegment.ofArray(results));
    return results;
  }

  /** A kernel that reads rows of f16, and writes as many of f32 or f16. */
  private record Case(String name, DType result, BiFunction<Rows, Rows, Launch> launch) {}

  private static View view(Rows rows) {
    return View.of(
        rows.address(), rows.dtype(), Shape.of(rows.rows(), rows.columns()), rows.pitch());
  }

  @Test
  void rowsThatLieFarApartAreFoundByOtherKernels() {
    try (DeviceState device = new DeviceState(CudaDriver.open().context(0), "");
        DeviceMemory far = device.context().allocate((long) TOKENS * FAR * DType.F16.bytes());
        DeviceMemory near = device.context().allocate((long) TOKENS * READ * 2);
        DeviceMemory small = device.context().allocate(1 << 12);
        DeviceMemory y = device.context().allocate(TOKENS * COLUMNS * 4)) {
      small.fill(0, small.bytes(), (byte) 0);
      // indices of all rows, the last one first
      int[] indices = new int[TOKENS];
      for (int i = 0; i < TOKENS; i++) {
        indices[i] = TOKENS - 1 - i;
      }
      small.upload(MemorySegment.ofArray(indices), 0);
      long zeros = small.address() + 1024;
      OperationKernels kernels = device.kernels();
      List<Case> cases =
          List.of(
              new Case("cast", DType.F32, (x, to) -> Elementwise.cast(kernels, x, to)),
              new Case(
                  "copy",
                  DType.F16,
                  (x, to) -> Movement.copy(kernels, view(x), view(to), to.pitch())),
              new Case("softmax", DType.F16, (x, to) -> Softmax.rows(kernels, x, to, false)),
              new Case(
                  "normalization",
                  DType.F16,
                  (x, to) ->
                      Normalization.layer(
                          kernels,
                          x,
                          null,
                          zeros,
                          zeros + 1024,
                          null,
                          new Normalization.Results(to),
                          1e-5f)),
              new Case(
                  "gather",
                  DType.F16,
                  (x, to) ->
                      Gather.slices(
                          kernels,
                          view(x),
                          0,
                          small.address(),
                          DType.I32,
                          Shape.of(TOKENS),
                          to.address(),
                          to.pitch(),
                          small.address() + 2048)));
      Rows[] inputs = {place(near, DType.F16, READ), place(far, DType.F16, FAR)};
      for (Case each : cases) {
        byte[][] found = new byte[2][(int) y.bytes()];
        for (int i = 0; i < 2; i++) {
          y.fill(0, y.bytes(), (byte) 0);
          Rows to = new Rows(y.address(), each.result, TOKENS, COLUMNS, COLUMNS);
          try (Stream stream = device.context().stream()) {
            each.launch.apply(inputs[i], to).into(stream);
            stream.synchronize();
          }
          y.download(0, MemorySegment.ofArray(found[i]));
        }
        assertArrayEquals(found[0], found[1], each.name);
      }
    }
  }
}
