package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;
import dev.filigree.kernels.cuda.WeightsForm;

/**
 * Predicts how long a kernel of a linear layer takes: the greater of the time to move its bytes
 * from memory and the time its blocks take for their steps along K, in waves of the blocks that fit
 * on the device. A step takes what is slowest of bringing its operands to the multiprocessor, of
 * the products, and of decoding weights; besides it waits once for its barrier.
 *
 * <p>A prior, to choose what is measured and what runs without that. Its numbers fit timings of an
 * H200 by {@code gpu-check} with an error of less than 15 % (root mean square), and what it prefers
 * there is on average less than 3 % slower than the best ({@code LinearModelTest}). An Ampere GPU
 * is taken to need as many clocks.
 */
final class LinearModel {
  /** From the end of a kernel to that of the next that has hardly any work, in a graph. */
  private static final double LAUNCH_MICROS = 1.3;

  /** What a layer's kernel takes besides: its first operands, the epilogue, the last store. */
  private static final double LATENCY_MICROS = 2.3;

  /** Part of the peak that kernels were seen to reach. */
  private static final double BANDWIDTH_SHARE = 0.85;

  /** Of cuBLAS, with few tokens. */
  private static final double LIBRARY_BANDWIDTH_SHARE = 0.65;

  private static final double TENSOR_SHARE = 0.7;

  /** Bytes that reach a multiprocessor from the second-level cache in a clock. */
  private static final double INTAKE_BYTES = 32;

  /** Clocks a step waits besides: for its barrier, and from the last copy to the first product. */
  private static final double STEP_CYCLES = 200;

  /** A row's codebook of 256 entries, which a block reads before anything else. */
  private static final int TABLE_BYTES = 512;

  /** Leaving sums for another block, and finding that all are there. */
  private static final double SHARING_MICROS = 2.1;

  /** How much longer sums of another block take than operands do: nothing is brought ahead. */
  private static final double SUMS_FACTOR = 1.5;

  /** Products of unstructured weights among all that could be made: of one block, of several. */
  private static final double SPARSE_SHARE = 0.04;

  private static final double SPARSE_SHARE_OF_MANY = 0.09;

  /** The same of cuSPARSE, measured on H200 from 16 tokens on. */
  private static final double CUSPARSE_SHARE = 0.0055;

  /** Waves up to which it counts that the last is not full. */
  private static final int FEW_WAVES = 3;

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
    double blocksAtOnce = (double) resident(kernel) / gpu.multiprocessors();
    double waves = Math.ceil(grid.blocks() / (double) resident(kernel));
    // the last wave is seldom full, and of many waves hardly matters
    double blocksOfMultiprocessor =
        waves > FEW_WAVES
            ? (double) grid.blocks() / gpu.multiprocessors()
            : waves * Math.min(Math.ceilDiv(grid.blocks(), gpu.multiprocessors()), blocksAtOnce);
    double steps = Math.ceilDiv((long) grid.tiles() * grid.kTiles(), grid.blocks());
    double cycles = steps * (blocksOfMultiprocessor * stepCycles(kernel) + STEP_CYCLES);
    double memoryBytes = weightBytes + activationBytes + 2.0 * rows * tokens;
    if (kernel.weights().orElseThrow().values() == WeightsForm.Values.CODEBOOK256) {
      cycles += (double) kernel.tile().orElseThrow().out() * TABLE_BYTES / INTAKE_BYTES;
    }
    return fromMemory(memoryBytes, cycles) + (grid.isShared() ? sharingMicros(grid) : 0);
  }

  /** Clocks of a multiprocessor for a step of a block. */
  private double stepCycles(KernelEntry kernel) {
    Tile tile = kernel.tile().orElseThrow();
    WeightsForm form = kernel.weights().orElseThrow();
    double weights = (double) tile.out() * tile.k();
    double bytes =
        LinearDispatch.weightBytes(form, weights)
            + (double) tile.tokens() * tile.k() * elementBytes(kernel);
    double products = weights * tile.tokens() / (productsPerCycle(kernel) * TENSOR_SHARE);
    double stored = form.structure() == WeightsForm.Structure.SPARSE24 ? weights / 2 : weights;
    double decoding = elementBytes(kernel) == 1 ? 0 : stored / decodedPerCycle(form.values());
    return Math.max(bytes / INTAKE_BYTES, Math.max(products, decoding));
  }

  /** Weights that a multiprocessor turns into f16 in a clock. */
  private static double decodedPerCycle(WeightsForm.Values values) {
    return switch (values) {
      case F16, BF16 -> Double.POSITIVE_INFINITY;
      case I8 -> 15;
      case I4 -> 13;
      case I8_GROUPS -> 11;
      case CODEBOOK16 -> 7;
      case CODEBOOK256 -> 5;
    };
  }

  /** Microseconds for the sums of a tile's other blocks, which the last one adds. */
  private double sharingMicros(LinearGrid grid) {
    double parts = Math.ceil((double) grid.blocks() / grid.tiles());
    double cycles = SUMS_FACTOR * (parts + 1) * grid.slotBytes() / INTAKE_BYTES;
    return SHARING_MICROS + cycles / clockMegahertz();
  }

  /**
   * Predicted microseconds of an own kernel of unstructured weights. It has no tensor cores to
   * feed, and what one block computes in a clock, a second one nearly doubles.
   *
   * @param kept weights
   * @param weightBytes of all of them
   */
  double sparseMicros(
      KernelEntry kernel, long kept, int rows, int columns, int tokens, double weightBytes) {
    Tile tile = kernel.tile().orElseThrow();
    double blocksOut = Math.ceilDiv(rows, tile.out());
    int blocksTokens = Math.ceilDiv(tokens, tile.tokens());
    double blocks = Math.ceil(blocksOut * blocksTokens / gpu.multiprocessors());
    double products = kept / blocksOut * tile.tokens();
    double cycles =
        products / arithmeticPerCycle() * Math.max(1 / SPARSE_SHARE, blocks / SPARSE_SHARE_OF_MANY);
    double memoryBytes = weightBytes * blocksTokens + 2.0 * tokens * columns + 2.0 * rows * tokens;
    return fromMemory(memoryBytes, cycles);
  }

  /** Predicted microseconds of cuSPARSE with so many kept weights, without an epilogue. */
  double cusparseMicros(long kept, int rows, int columns, int tokens, double weightBytes) {
    double memoryBytes = weightBytes + 2.0 * tokens * columns + 4.0 * rows * tokens;
    double cycles =
        (double) kept * tokens / (gpu.multiprocessors() * arithmeticPerCycle() * CUSPARSE_SHARE);
    return fromMemory(memoryBytes, cycles);
  }

  private double fromMemory(double bytes, double cycles) {
    return LAUNCH_MICROS
        + LATENCY_MICROS
        + Math.max(bytes / (bandwidth() * BANDWIDTH_SHARE), cycles / clockMegahertz());
  }

  /** Predicted microseconds of a product by cuBLAS, in tiles of 128 x 128, without an epilogue. */
  double cublasMicros(int rows, int columns, int tokens) {
    double tiles = (double) Math.ceilDiv(rows, LIBRARY_TILE) * Math.ceilDiv(tokens, LIBRARY_TILE);
    // it shares few tiles among all multiprocessors
    double multiprocessors = gpu.multiprocessors();
    double ofEach =
        tiles < multiprocessors ? tiles / multiprocessors : Math.ceil(tiles / multiprocessors);
    double products = ofEach * LIBRARY_TILE * LIBRARY_TILE * columns;
    double memoryBytes = 2.0 * rows * columns + 2.0 * tokens * columns + 4.0 * rows * tokens;
    return fromMemory(
        memoryBytes * BANDWIDTH_SHARE / LIBRARY_BANDWIDTH_SHARE,
        products / (libraryPerCycle() * TENSOR_SHARE));
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

  private double clockMegahertz() {
    return gpu.clockKilohertz() / 1e3;
  }

  /** Products that a multiprocessor's tensor cores make in a clock, zeros of 2:4 included. */
  private double productsPerCycle(KernelEntry kernel) {
    double byType = kernel.activation().orElseThrow() == ActivationType.I8 ? 2 : 1;
    boolean sparse = kernel.weights().orElseThrow().structure() == WeightsForm.Structure.SPARSE24;
    return densePerCycle() * byType * (sparse ? sparseGain() : 1);
  }

  private double densePerCycle() {
    return switch (gpu.architecture()) {
      case 80 -> 1024;
      // by the instructions that all architectures share; the full rate needs Hopper's own
      case 90 -> 800;
      default -> 512;
    };
  }

  /**
   * How much faster products of 2:4 weights are; on Hopper less than twice by these instructions.
   */
  private double sparseGain() {
    return gpu.architecture() == 90 ? 1.5 : 2;
  }

  private double libraryPerCycle() {
    return gpu.architecture() == 90 ? 2048 : densePerCycle();
  }

  /** Fused products of f32 that a multiprocessor makes in a clock. */
  private double arithmeticPerCycle() {
    return gpu.architecture() == 80 ? 64 : 128;
  }
}
