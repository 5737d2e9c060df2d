package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import dev.filigree.kernels.cuda.WeightsForm;

/**
 * Predicts how long a kernel of a linear layer takes: the greater of the time to move its bytes and
 * the time to issue its products, in waves of the blocks that fit on the device. A prior, to choose
 * what is measured: it knows nothing of caches, of latency within a block, or of the clock.
 */
final class LinearModel {
  /** Start and end of a launch, measured on A100 by several sources as two to five. */
  private static final double LAUNCH_MICROS = 2.5;

  /** One way through memory: latency of a first access and of the last store. */
  private static final double LATENCY_MICROS = 1.5;

  /** Part of the peak that kernels were seen to reach. */
  private static final double BANDWIDTH_SHARE = 0.85;

  private static final double TENSOR_SHARE = 0.7;

  /** Shared memory of a block that the driver takes for itself from 8.0 on, CUDA C++ guide. */
  private static final int RESERVED_SHARED_BYTES = 1024;

  /** Edge of a tile of the libraries' most common kernels. */
  private static final int LIBRARY_TILE = 128;

  private final GpuProperties gpu;

  LinearModel(GpuProperties gpu) {
    this.gpu = gpu;
  }

  /** Whether the device takes a kernel, and the kernel so many tokens. */
  boolean isRunnable(KernelEntry kernel, int tokens) {
    return kernel.minimumArchitecture() <= gpu.architecture()
        && kernel.sharedBytes() + kernel.staticSharedBytes() <= gpu.sharedBytesPerBlock()
        && tokens >= kernel.tokensFrom()
        && tokens <= kernel.tokensTo();
  }

  /** Blocks of a kernel that fit on the device at a time. */
  int resident(KernelEntry kernel) {
    int shared = kernel.sharedBytes() + kernel.staticSharedBytes() + RESERVED_SHARED_BYTES;
    int byShared = gpu.sharedBytesPerMultiprocessor() / shared;
    int byRegisters =
        gpu.registersPerMultiprocessor() / Math.max(1, kernel.registers() * kernel.threads());
    int byThreads = gpu.threadsPerMultiprocessor() / kernel.threads();
    return Math.max(1, Math.min(byShared, Math.min(byRegisters, byThreads)))
        * gpu.multiprocessors();
  }

  /**
   * Predicted microseconds.
   *
   * @param grid how the blocks share the work
   * @param weightBytes of all weights in the kernel's form
   */
  double micros(KernelEntry kernel, LinearGrid grid, int rows, int tokens, double weightBytes) {
    double columns = (double) grid.kTiles() * kernel.tile().orElseThrow().k();
    return micros(kernel, grid, rows, tokens, weightBytes, tokens * columns * elementBytes(kernel));
  }

  private static int elementBytes(KernelEntry kernel) {
    return kernel.activation().orElseThrow() == ActivationType.I8 ? 1 : 2;
  }

  /**
   * Predicted microseconds of a kernel whose activations are fewer in memory than it multiplies by.
   *
   * @param activationBytes of them
   */
  double micros(
      KernelEntry kernel,
      LinearGrid grid,
      int rows,
      int tokens,
      double weightBytes,
      double activationBytes) {
    Tile tile = kernel.tile().orElseThrow();
    int elementBytes = elementBytes(kernel);
    double columns = (double) grid.kTiles() * tile.k();
    double tilesTokens = Math.ceilDiv(tokens, tile.tokens());
    double tilesOut = Math.ceilDiv(rows, tile.out());
    // operands pass from the second-level cache to the multiprocessors once for each tile
    double l2Bytes = weightBytes * tilesTokens + tilesOut * tokens * columns * elementBytes;
    double memoryBytes = weightBytes + activationBytes + 2.0 * rows * tokens;
    double partialBytes = grid.isShared() ? 2.0 * grid.blocks() * grid.slotBytes() : 0;
    double memoryMicros =
        (memoryBytes + partialBytes) / (bandwidth() * BANDWIDTH_SHARE)
            + l2Bytes / (bandwidth() * l2Ratio());
    double tileSteps = Math.ceilDiv((long) grid.tiles() * grid.kTiles(), grid.blocks());
    double waves = Math.ceil(grid.blocks() / (double) resident(kernel));
    double blocksOfMultiprocessor =
        Math.min(
            Math.ceilDiv(grid.blocks(), gpu.multiprocessors()),
            (double) resident(kernel) / gpu.multiprocessors());
    double products = tileSteps * tile.out() * (double) tile.tokens() * tile.k();
    double cycles =
        waves * blocksOfMultiprocessor * products / (productsPerCycle(kernel) * TENSOR_SHARE);
    return LAUNCH_MICROS + LATENCY_MICROS + Math.max(memoryMicros, cycles / clockMegahertz());
  }

  /**
   * Predicted microseconds of a kernel of unstructured weights: it has no tensor cores to feed, and
   * spends about four instructions on each two products.
   *
   * @param instructionShare of a multiprocessor's arithmetic that goes into products
   * @param weightBytes of all kept weights
   */
  double sparseMicros(
      long kept, int rows, int columns, int tokens, double weightBytes, double instructionShare) {
    double memoryBytes = weightBytes + 2.0 * tokens * columns + 2.0 * rows * tokens;
    double cycles =
        (double) kept * tokens / (gpu.multiprocessors() * arithmeticPerCycle() * instructionShare);
    return LAUNCH_MICROS
        + LATENCY_MICROS
        + Math.max(memoryBytes / (bandwidth() * BANDWIDTH_SHARE), cycles / clockMegahertz());
  }

  /** Predicted microseconds of a product by cuBLAS, in tiles of 128 x 128, without an epilogue. */
  double cublasMicros(int rows, int columns, int tokens) {
    double tiles = (double) Math.ceilDiv(rows, LIBRARY_TILE) * Math.ceilDiv(tokens, LIBRARY_TILE);
    double waves = Math.ceil(tiles / gpu.multiprocessors());
    double products = waves * LIBRARY_TILE * LIBRARY_TILE * columns;
    double memoryBytes = 2.0 * rows * columns + 2.0 * tokens * columns + 4.0 * rows * tokens;
    return LAUNCH_MICROS
        + LATENCY_MICROS
        + Math.max(
            memoryBytes / (bandwidth() * BANDWIDTH_SHARE),
            products / (densePerCycle() * TENSOR_SHARE) / clockMegahertz());
  }

  /** Predicted microseconds of the kernel that finishes a library's sums. */
  double epilogueMicros(int rows, int tokens) {
    // sums and residual are read, results written
    double bytes = (double) rows * tokens * (Float.BYTES + 2 * Short.BYTES);
    return LAUNCH_MICROS + bytes / (bandwidth() * BANDWIDTH_SHARE);
  }

  /** Predicted microseconds of the kernel that puts f16 inputs in another order. */
  double gatherMicros(int columns, int tokens) {
    // read and written
    double bytes = 2.0 * columns * tokens * Short.BYTES;
    return LAUNCH_MICROS + bytes / (bandwidth() * BANDWIDTH_SHARE);
  }

  /** Bytes a microsecond. */
  private double bandwidth() {
    // two transfers for each clock of the memory
    return 2.0 * gpu.memoryClockKilohertz() / 1e3 * gpu.memoryBusBits() / 8;
  }

  /** How much faster the second-level cache is than the memory; A100: 64 bytes x 80 a clock. */
  private static double l2Ratio() {
    return 3;
  }

  private double clockMegahertz() {
    return gpu.clockKilohertz() / 1e3;
  }

  /** Products that a multiprocessor's tensor cores make in a clock, zeros of 2:4 included. */
  private double productsPerCycle(KernelEntry kernel) {
    double byType = kernel.activation().orElseThrow() == ActivationType.I8 ? 2 : 1;
    boolean sparse = kernel.weights().orElseThrow().structure() == WeightsForm.Structure.SPARSE24;
    return densePerCycle() * byType * (sparse ? 2 : 1);
  }

  private double densePerCycle() {
    return switch (gpu.architecture()) {
      case 80 -> 1024;
      case 90 -> 2048;
      default -> 512;
    };
  }

  /** Fused products of f32 that a multiprocessor makes in a clock. */
  private double arithmeticPerCycle() {
    return gpu.architecture() == 80 ? 64 : 128;
  }
}
