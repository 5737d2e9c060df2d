package dev.filigree.cuda.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.simgpu.Launch;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the main loops ask of memory, counted; and what that comes to on an A100, projected. */
@SimulatedGpu(traffic = true, checks = false)
class LinearTrafficTest {
  /** 16 bytes of each of 32 lanes, in sectors of 32 and in wavefronts of 128. */
  private static final int SECTORS = 16;

  private static final int WAVEFRONTS = 4;

  /** A100 with dense f16, in multiply-adds a second; the sparse peak counts twice as many. */
  private static final double PEAK = 108 * 1024 * 1.41e9;

  static Stream<KernelEntry> kernels() {
    return LinearLaunch.kernels().stream();
  }

  private static LinearCase plain(KernelEntry kernel, int rows, int columns, int tokens) {
    return new LinearCases(5)
        .plain(
            kernel.weights().orElseThrow(),
            kernel.activation().orElseThrow(),
            rows,
            columns,
            tokens);
  }

  private static Launch launched(
      SimulatedDevice device, KernelEntry kernel, LinearCase layer, int blocks) {
    device.clear();
    try (LinearLaunch launch = new LinearLaunch()) {
      launch.run(kernel.entry(), layer, blocks, 0);
      return device.launches().getLast();
    }
  }

  /** Two depths of K differ by main loop only. */
  @ParameterizedTest
  @MethodSource("kernels")
  void mainLoopsWasteNoSectorAndNoWavefront(KernelEntry kernel, SimulatedDevice device) {
    Tile tile = kernel.tile().orElseThrow();
    Launch less =
        launched(device, kernel, plain(kernel, tile.out(), 4 * tile.k(), tile.tokens()), 0);
    Launch more =
        launched(device, kernel, plain(kernel, tile.out(), 8 * tile.k(), tile.tokens()), 0);
    long copies = instructions(more, less, "asyncCopy");
    long requests = counters(more, less, "globalRequests");
    assertEquals(SECTORS * requests, counters(more, less, "globalSectors"), "sectors");
    assertTrue(copies >= requests, "all requests are copies");
    long matrices = instructions(more, less, "matrixLoad");
    long sharedRequests = counters(more, less, "sharedRequests");
    // metadata of 16-bit fragments is 8 bytes a lane: once a step, as is a matrix a column tile
    boolean halfLoads =
        kernel.weights().orElseThrow().structure() == Structure.SPARSE24
            && kernel.activation().orElseThrow() != ActivationType.I8;
    long metadata = halfLoads ? matrices / columnTiles(kernel) : 0;
    // a step has a look-up for each code of a lane, and lanes in different banks take one wavefront
    long lookUps = tableLookUps(kernel) * matrices / columnTiles(kernel);
    double ideal =
        WAVEFRONTS * (double) (sharedRequests - lookUps) - WAVEFRONTS / 2.0 * metadata + lookUps;
    double wavefronts = counters(more, less, "sharedWavefronts");
    assertTrue(
        wavefronts <= 1.05 * ideal,
        kernel.entry() + ": " + wavefronts + " wavefronts instead of " + ideal);
  }

  /** Codes of a lane in a step: of 64 rows and 32 columns, dealt to 32 lanes. */
  private static long tableLookUps(KernelEntry kernel) {
    WeightsForm form = kernel.weights().orElseThrow();
    boolean sparse = form.structure() == Structure.SPARSE24;
    return form.values() != WeightsForm.Values.CODEBOOK256 ? 0 : sparse ? 32 : 64;
  }

  /** Column tiles of a warp; warps have a panel of 64 outputs each and share tokens evenly. */
  private static int columnTiles(KernelEntry kernel) {
    Tile tile = kernel.tile().orElseThrow();
    int warps = kernel.threads() / 32;
    int perPanel = warps / (tile.out() / 64);
    return tile.tokens() <= 16 ? tile.tokens() / 8 : tile.tokens() / 8 / perPanel;
  }

  private static long counters(Launch more, Launch less, String name) {
    return more.counters().get(name) - less.counters().get(name);
  }

  private static long instructions(Launch more, Launch less, String name) {
    return more.warpInstructions().getOrDefault(name, 0L)
        - less.warpInstructions().getOrDefault(name, 0L);
  }

  /** One of the 512 blocks of 4096 x 4096 x 4096; the busiest multiprocessor has five. */
  @Test
  void aLargeSparseLayerIsProjectedAboveTwoThirdsOfThePeak(SimulatedDevice device) {
    KernelEntry kernel = LinearLaunch.MANIFEST.kernel("linear_sparse24_f16_256x128");
    Launch launch = launched(device, kernel, plain(kernel, 256, 4096, 128), 0);
    int blocks = 4096 / 256 * (4096 / 128);
    double bytes = 4096.0 * 4096 * (9.0 / 8 + 2 + 2);
    Projected projected = Projected.last(device).scaled(kernel, launch, blocks, bytes);
    double ofPeak = 4096.0 * 4096 * 4096 / 2 / PEAK / projected.total();
    System.out.printf(
        "4096^3 f16 2:4: %.1f us projected, %.0f %% of the sparse peak %s%n",
        projected.total() * 1e6, ofPeak * 100, projected.seconds());
    assertTrue(ofPeak >= 0.65, "" + ofPeak);
    // the tensor cores need at least nine tenths of the time of the scarcest resource
    assertTrue(projected.of("tensor") >= 0.9 * projected.busy(), projected.toString());
  }

  /**
   * 3072 x 768 with 512 tokens, the best kernel of each kind, without the time of the launch: in a
   * graph it is hidden behind the kernel before.
   */
  @Test
  void anEncodersLayerIsProjectedFasterThanDense(SimulatedDevice device) {
    double best = Double.MAX_VALUE;
    double bestDense = Double.MAX_VALUE;
    for (KernelEntry kernel : kernels().toList()) {
      Tile tile = kernel.tile().orElseThrow();
      boolean sparse = kernel.entry().startsWith("linear_sparse24_f16_");
      if (tile.tokens() < 64 || !sparse && !kernel.entry().startsWith("linear_dense_f16_")) {
        continue;
      }
      Launch launch = launched(device, kernel, plain(kernel, tile.out(), 768, tile.tokens()), 0);
      int blocks = 3072 / tile.out() * (512 / tile.tokens());
      double bytes = 3072.0 * 768 * (sparse ? 9.0 / 8 : 2) + 512.0 * 2 * (768 + 3072);
      Projected projected = Projected.last(device).scaled(kernel, launch, blocks, bytes);
      System.out.printf(
          "3072x768, 512 tokens, %s: %.2f us projected %s%n",
          kernel.entry(), projected.busy() * 1e6, projected.seconds());
      if (sparse) {
        best = Math.min(best, projected.busy());
      } else {
        bestDense = Math.min(bestDense, projected.busy());
      }
    }
    System.out.printf("projected ratio %.2f%n", bestDense / best);
    assertTrue(bestDense / best >= 1.3, bestDense + " / " + best);
  }

  /**
   * Four or eight bits of every second weight, two of metadata for each, 32 for groups of 32. The
   * codebook of eight bits is one for all.
   */
  @ParameterizedTest
  @CsvSource({
    "linear_sparse24_codebook16_f16_64x8, 3",
    "linear_sparse24_codebook256_f16_64x8, 5",
    "linear_sparse24_i8groups_f16_64x8, 6"
  })
  void oneTokenOfAPackedLayerIsProjectedAtTheBandwidthOfMemory(
      String entry, int bits, SimulatedDevice device) {
    KernelEntry kernel = LinearLaunch.MANIFEST.kernel(entry);
    LinearCase layer = plain(kernel, 4096, 4096, 1);
    int blocks = (int) (Projected.resident(kernel) * Projected.MULTIPROCESSORS);
    Launch launch = launched(device, kernel, layer, blocks);
    double bytes =
        launch.counters().get("uniqueBytesRead") + launch.counters().get("uniqueBytesWritten");
    Projected projected = Projected.last(device).scaled(kernel, launch, blocks, bytes);
    double weights = 4096.0 * 4096 * bits / 8;
    double ofBandwidth = weights / Projected.DRAM_BYTES_PER_SECOND / projected.busy();
    System.out.printf(
        "4096x4096, 1 token, %s: %.2f us projected, %.0f %% of the bandwidth, %s%n",
        entry, projected.busy() * 1e6, ofBandwidth * 100, projected.seconds());
    assertTrue(ofBandwidth >= 0.85, "" + ofBandwidth);
  }
}
