package dev.filigree.cuda;

import dev.filigree.DType;
import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.driver.Stream;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.weights.FragmentMetadata;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One sparse tensor-core product of small whole numbers, whose result is exact: what a device must
 * get right before anything else runs on it. It finds drivers that cannot compile the kernels and
 * devices whose sparse metadata mean something else.
 */
final class SelfTest {
  private static final int ROWS = 16;
  private static final int COLUMNS = 8;
  private static final int DEPTH = 32;
  private static final int LANES = 32;
  private static final int GROUPS = DEPTH / 4;

  /** The legal choices of two of four, as nibbles of metadata. */
  private static final int[] NIBBLES = {0x4, 0x8, 0x9, 0xC, 0xD, 0xE};

  private SelfTest() {}

  /**
   * Runs it.
   *
   * @throws DeviceException if the device refuses it or computes something else
   */
  static void run(CudaContext context) {
    KernelManifest manifest = KernelManifest.load();
    try (KernelLibrary library = new KernelLibrary(context);
        Stream stream = context.stream();
        Arena arena = Arena.ofConfined();
        DeviceMemory w = upload(context, values(arena));
        DeviceMemory meta = upload(context, metadata(arena));
        DeviceMemory x = upload(context, activations(arena));
        DeviceMemory y = context.allocate(ROWS * COLUMNS * Float.BYTES)) {
      Kernel kernel = library.kernel(manifest.kernel("self_test"));
      kernel.launch(
          stream,
          1,
          kernel.arguments().pointer("w", w).pointer("meta", meta).pointer("x", x).pointer("y", y));
      stream.synchronize();
      MemorySegment result = arena.allocate(y.bytes());
      y.download(0, result);
      check(context, result);
    }
  }

  private static DeviceMemory upload(CudaContext context, MemorySegment values) {
    DeviceMemory memory = context.allocate(values.byteSize());
    try {
      memory.upload(values, 0);
      return memory;
    } catch (RuntimeException | Error failed) {
      memory.close();
      throw failed;
    }
  }

  private static int nibble(int row, int group) {
    return NIBBLES[(row * 5 + group) % NIBBLES.length];
  }

  /** Stored value {@code kept} of two of a group. */
  private static float weight(int row, int group, int kept) {
    return (row + 3 * group + 7 * kept) % 11 - 5;
  }

  private static float activation(int column, int k) {
    return (5 * column + k) % 13 - 6;
  }

  private static float expected(int row, int column) {
    float sum = 0;
    for (int group = 0; group < GROUPS; group++) {
      int nibble = nibble(row, group);
      sum += weight(row, group, 0) * activation(column, 4 * group + (nibble & 3));
      sum += weight(row, group, 1) * activation(column, 4 * group + (nibble >> 2));
    }
    return sum;
  }

  /** Fragments of A of {@code mma.sp.m16n8k32}: PTX ISA, 9.7.14.6.2.1. */
  private static MemorySegment values(Arena arena) {
    MemorySegment values = arena.allocate(LANES * 16L, 16);
    for (int lane = 0; lane < LANES; lane++) {
      for (int i = 0; i < 8; i++) {
        int row = lane / 4 + i / 2 % 2 * 8;
        int stored = lane % 4 * 2 + i % 2 + i / 4 * 8;
        put(values, lane * 8 + i, weight(row, stored / 2, stored % 2));
      }
    }
    return values;
  }

  private static MemorySegment metadata(Arena arena) {
    int[] words = FragmentMetadata.F16_K32.lanes(SelfTest::nibbleOfTile);
    MemorySegment metadata = arena.allocate((long) words.length * Integer.BYTES, 16);
    MemorySegment.copy(words, 0, metadata, DType.INT, 0, words.length);
    return metadata;
  }

  /** A word of a lane serves two tiles; the second is not looked at. */
  private static int nibbleOfTile(int row, int chunk) {
    return nibble(row % ROWS, chunk);
  }

  private static MemorySegment activations(Arena arena) {
    MemorySegment activations = arena.allocate(COLUMNS * DEPTH * 2L, 16);
    for (int i = 0; i < COLUMNS * DEPTH; i++) {
      put(activations, i, activation(i / DEPTH, i % DEPTH));
    }
    return activations;
  }

  private static void put(MemorySegment halves, int at, float value) {
    halves.set(DType.SHORT, (long) at * Short.BYTES, Float.floatToFloat16(value));
  }

  private static void check(CudaContext context, MemorySegment result) {
    for (int row = 0; row < ROWS; row++) {
      for (int column = 0; column < COLUMNS; column++) {
        float computed = result.get(DType.FLOAT, (long) (row * COLUMNS + column) * Float.BYTES);
        if (computed != expected(row, column)) {
          throw new DeviceException(
              context
                  + " fails the self-test: element "
                  + row
                  + ", "
                  + column
                  + " of a 2:4 product is "
                  + computed
                  + " instead of "
                  + expected(row, column),
              "install a newer driver, or use the device cpu");
        }
      }
    }
  }
}
