package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.format.entropy.Coded;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * How fast one core decodes the archive form, by the kind of what is coded: decoded bytes over the
 * processor time of one thread, the median of many runs. Processor time, since others may use the
 * machine.
 *
 * <pre>
 *   ArchiveDecoding [MEGABYTES]
 * </pre>
 */
public final class ArchiveDecoding {
  private static final int RUNS = 31;
  private static final int[] PATTERNS_24 = {3, 5, 6, 9, 10, 12};

  private ArchiveDecoding() {}

  /**
   * What was measured.
   *
   * @param kind of bytes
   * @param bitsPerByte coded bits of a decoded byte
   * @param megabytesPerSecond decoded
   */
  record Result(String kind, double bitsPerByte, double megabytesPerSecond) {}

  public static void main(String[] arguments) {
    int megabytes = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 32;
    System.out.println("kind                        bits/byte   MB/s of one core, decoded");
    for (Result result : measure(megabytes << 20, RUNS)) {
      System.out.printf(
          Locale.ROOT,
          "%-26s %10.2f %10.0f%n",
          result.kind,
          result.bitsPerByte,
          result.megabytesPerSecond);
    }
  }

  static List<Result> measure(int size, int runs) {
    SplittableRandom random = new SplittableRandom(1);
    List<Result> results = new ArrayList<>();
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) (code(random) | code(random) << 4);
    }
    results.add(measure("codebook, 4 bits", bytes, 1, runs));
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) Math.clamp(Math.round(30 * random.nextGaussian()), -128, 127);
    }
    results.add(measure("int8 by row", bytes, 1, runs));
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) (PATTERNS_24[random.nextInt(6)] | PATTERNS_24[random.nextInt(6)] << 4);
    }
    results.add(measure("patterns of 2:4", bytes, 1, runs));
    Arrays.fill(bytes, (byte) 0);
    for (long bit = 0; bit < 8L * size; bit++) {
      if (random.nextInt(100) < 8) {
        bytes[(int) (bit / 8)] |= (byte) (1 << bit % 8);
      }
    }
    results.add(measure("mask of 8 %", bytes, 1, runs));
    return results;
  }

  /** Codes of a codebook that k-means placed: those in the middle are the most frequent. */
  private static int code(SplittableRandom random) {
    return Math.clamp(Math.round(7.5 + 3.2 * random.nextGaussian()), 0, 15);
  }

  private static Result measure(String kind, byte[] bytes, int element, int runs) {
    MemorySegment plain = MemorySegment.ofArray(bytes);
    MemorySegment coded = Coded.encode(plain, element, true);
    if (coded == null) {
      throw new IllegalStateException(kind + " gets no shorter");
    }
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    double[] rates = new double[runs];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment decoded = arena.allocate(bytes.length, Long.BYTES);
      for (int run = 0; run < runs; run++) {
        decoded.fill((byte) 0);
        long start = threads.getCurrentThreadCpuTime();
        Coded.decode(kind, coded, decoded, false);
        rates[run] = 1e3 * bytes.length / (threads.getCurrentThreadCpuTime() - start);
      }
      if (decoded.mismatch(plain) != -1 || decoded.get(DType.BYTE, 0) != bytes[0]) {
        throw new IllegalStateException(kind + " does not come back as it was");
      }
    }
    Arrays.sort(rates);
    return new Result(kind, 8.0 * coded.byteSize() / bytes.length, rates[runs / 2]);
  }
}
