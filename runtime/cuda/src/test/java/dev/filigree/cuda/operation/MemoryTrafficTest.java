package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.layout.CsrWeights;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.simgpu.Launch;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.SparseCsr;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the kernels ask of memory, by the counters of the simulated device: shared memory without a
 * bank conflict, and no sector of global memory read or written twice or in part.
 */
@SimulatedGpu(traffic = true)
class MemoryTrafficTest extends OperationTest {
  private static final int SECTOR = 32;

  /** Passes over the banks that a warp needs for 16 bytes a lane. */
  private static final int WIDE = 4;

  private static Launch last(SimulatedDevice device) {
    return device.launches().getLast();
  }

  private static long count(Launch launch, String name) {
    return launch.counters().get(name);
  }

  private static long instructions(Launch launch, String name) {
    return launch.warpInstructions().getOrDefault(name, 0L);
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 64, 96, 128})
  void attentionUsesAllBanksAtATime(int width, SimulatedDevice device) {
    Rows rows = upload(normal(new Samples(1), DType.F16, 128, 2L * width));
    Rows y = room(DType.F16, 128, 2L * width);
    Attention.Form form = new Attention.Form(1, 2, width, 128, 128, 0.1f, false);
    run(Attention.attend(kernels, form, rows, rows, rows, Attention.Mask.NONE, y));
    Launch launch = last(device);
    long narrow = instructions(launch, "sharedStore");
    long wide = count(launch, "sharedRequests") - narrow;
    assertEquals(narrow + WIDE * wide, count(launch, "sharedWavefronts"));
    // each block of 64 queries reads its queries, all keys and all values, and writes its result
    long rowBytes = width * 2L;
    long bytes = 2 * 2 * (64 + 128 + 128 + 64) * rowBytes;
    assertEquals(bytes / SECTOR, count(launch, "globalSectors"));
  }

  @Test
  void transpositionsReadAndWriteWholeSectors(SimulatedDevice device) {
    for (DType dtype : new DType[] {DType.U8, DType.F16, DType.F32, DType.I64}) {
      Tensor x = normal(new Samples(1), dtype, 256, 384);
      Rows y = room(dtype, 384, 256);
      View from = view(upload(x), 256, 384).permute(1, 0);
      run(Movement.copy(kernels, from, view(y, 384, 256), 256));
      Launch launch = last(device);
      assertEquals(2 * y.bytes() / SECTOR, count(launch, "globalSectors"), dtype.toString());
      // eight bytes a lane take two passes
      long passes = Math.ceilDiv(dtype.bytes(), 4);
      assertEquals(
          passes * count(launch, "sharedRequests"),
          count(launch, "sharedWavefronts"),
          dtype.toString());
    }
  }

  @Test
  void rowsAreReadAndWrittenOnce(SimulatedDevice device) {
    Tensor x = normal(new Samples(1), DType.F16, 40, 768);
    Rows rows = upload(x);
    Rows y = room(DType.F16, 40, 768);
    run(Normalization.layer(kernels, rows, null, 0, 0, null, new Normalization.Results(y), 1e-5f));
    assertEquals(2 * y.bytes() / SECTOR, count(last(device), "globalSectors"));
    run(
        Elementwise.binary(
            kernels,
            BinaryOperation.ADD,
            view(rows, 40, 768),
            view(rows, 40, 768),
            view(y, 40, 768)));
    assertEquals(3 * y.bytes() / SECTOR, count(last(device), "globalSectors"));
    Rows z = room(DType.F16, Shape.of(40, 512), 0);
    run(Softmax.rows(kernels, upload(normal(new Samples(1), DType.F16, 40, 512)), z, false));
    assertEquals(2 * z.bytes() / SECTOR, count(last(device), "globalSectors"));
  }

  @Test
  void manyTokensMultiplySparseWeightsWithoutConflicts(SimulatedDevice device) {
    Samples samples = new Samples(1);
    SparseCsr weights =
        SparseCsr.pack(
            Dense.of(64, 300, samples.normal(64 * 300)),
            samples.mask(64, 300, 0.1),
            (kept, rows, count) -> FloatValues.of(DType.F32, kept));
    try (Arena arena = Arena.ofShared()) {
      CsrWeights packed = CsrWeights.pack("test", weights, ActivationType.F16, arena);
      SparseLinear.Operands operands =
          new SparseLinear.Operands(
              upload(packed.entries()).address(), upload(packed.rowOffsets()).address());
      Rows x = upload(normal(samples, DType.F16, 64, 300));
      Rows y = room(DType.F16, 64, 64);
      run(
          SparseLinear.multiply(
              kernels, MANIFEST.kernel("linear_csr_f16"), operands, x, LinearEpilogue.NONE, y));
      Launch launch = last(device);
      assertEquals(count(launch, "sharedRequests"), count(launch, "sharedWavefronts"));
    }
  }
}
