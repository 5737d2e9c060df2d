package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.layout.ConvolutionWeights;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.layout.PackedWeights;
import dev.filigree.cuda.operation.Convolution.Geometry;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the main loops of convolutions ask of memory, counted, as those of linear layers are. */
@SimulatedGpu(traffic = true, checks = false)
class ConvolutionTrafficTest extends OperationTest {
  /** 16 bytes of each of 32 lanes, in sectors of 32 and in wavefronts of 128. */
  private static final int SECTORS = 16;

  private static final int WAVEFRONTS = 4;
  private static final int WIDTH = 16;

  static Stream<KernelEntry> kernels() {
    return MANIFEST.of("convolution").stream();
  }

  /** A tile by a window of two neighbours, inside the image. */
  private dev.filigree.simgpu.Launch launched(
      SimulatedDevice device, KernelEntry kernel, int channels) {
    Tile tile = kernel.tile().orElseThrow();
    WeightsForm form = kernel.weights().orElseThrow();
    int height = tile.tokens() / WIDTH;
    Extent one = new Extent(1, 1);
    Geometry geometry =
        new Geometry(
            new Window(new Extent(1, 2), one, new Extent(0, 0), one),
            new Extent(height, WIDTH + 1),
            new Extent(height, WIDTH));
    Samples samples = new Samples(3);
    Dense dense =
        new Dense(Tensor.of(samples.normal(tile.out() * 2 * channels), tile.out(), 2L * channels));
    Mask half = Mask.of(tile.out(), 2 * channels, (r, c) -> (r + c) % 2 == 0);
    Weights weights =
        form.structure() == WeightsForm.Structure.DENSE
            ? dense
            : Sparse24.pack(
                dense,
                half,
                (kept, r, n) -> new FloatValues(DType.F32, MemorySegment.ofArray(kept)));
    boolean rounded = kernel.activation().orElseThrow() == ActivationType.I8;
    Rows x =
        upload(normal(samples, rounded ? DType.I8 : DType.F16, 1, height, WIDTH + 1, channels));
    Rows y = room(DType.F16, Shape.of(tile.tokens(), tile.out()), 0);
    Map<String, Long> parts = new HashMap<>();
    try (Arena arena = Arena.ofShared()) {
      PackedWeights packed =
          PackedWeights.pack(
              "test",
              ConvolutionWeights.patches(weights, 2, x.pitch(), form.values()),
              form,
              kernel.activation().orElseThrow(),
              arena);
      packed.parts().forEach((name, part) -> parts.put(name, upload(part).address()));
    }
    long scales = rounded ? upload(new float[tile.tokens()]).address() : 0;
    device.clear();
    run(
        Convolution.patches(
            kernels,
            kernel,
            LinearGrid.of(kernel, tile.out(), 2 * channels, tile.tokens()),
            geometry,
            parts,
            scales,
            x,
            LinearEpilogue.NONE,
            y,
            0));
    return device.launches().getLast();
  }

  /** Two numbers of channels differ by main loop only. */
  @ParameterizedTest
  @MethodSource("kernels")
  void mainLoopsWasteNoSectorAndNoWavefront(KernelEntry kernel, SimulatedDevice device) {
    Tile tile = kernel.tile().orElseThrow();
    var less = launched(device, kernel, 2 * tile.k());
    var more = launched(device, kernel, 4 * tile.k());
    long requests = counters(more, less, "globalRequests");
    assertEquals(SECTORS * requests, counters(more, less, "globalSectors"), "sectors");
    assertTrue(instructions(more, less, "asyncCopy") >= requests, "all requests are copies");
    long matrices = instructions(more, less, "matrixLoad");
    // metadata of 16-bit fragments is 8 bytes a lane: once a step, as is a matrix a column tile
    boolean halfLoads =
        kernel.weights().orElseThrow().structure() == WeightsForm.Structure.SPARSE24
            && kernel.activation().orElseThrow() != ActivationType.I8;
    long metadata = halfLoads ? matrices / columnTiles(kernel) : 0;
    double ideal =
        WAVEFRONTS * (double) counters(more, less, "sharedRequests") - WAVEFRONTS / 2.0 * metadata;
    double wavefronts = counters(more, less, "sharedWavefronts");
    assertTrue(
        wavefronts <= 1.05 * ideal,
        kernel.entry() + ": " + wavefronts + " wavefronts instead of " + ideal);
  }

  /** Column tiles of a warp; warps have a panel of 64 outputs each and share tokens evenly. */
  private static int columnTiles(KernelEntry kernel) {
    Tile tile = kernel.tile().orElseThrow();
    int perPanel = kernel.threads() / 32 / (tile.out() / 64);
    return tile.tokens() <= 16 ? tile.tokens() / 8 : tile.tokens() / 8 / perPanel;
  }

  private static long counters(
      dev.filigree.simgpu.Launch more, dev.filigree.simgpu.Launch less, String name) {
    return more.counters().get(name) - less.counters().get(name);
  }

  private static long instructions(
      dev.filigree.simgpu.Launch more, dev.filigree.simgpu.Launch less, String name) {
    return more.warpInstructions().getOrDefault(name, 0L)
        - less.warpInstructions().getOrDefault(name, 0L);
  }
}
