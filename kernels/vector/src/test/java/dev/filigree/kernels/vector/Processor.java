package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the processor can do, as the operating system says. */
final class Processor {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  private Processor() {}

  /** Skips a test that is about options of x86 JVMs. */
  static void assumeX86() {
    assumeTrue(System.getProperty("os.arch").equals("amd64"), "only x86 JVMs have this option");
  }

  /** Skips a test of vectors that the processor does not have. */
  static void assumeVectorsOf(int bits) throws IOException {
    assumeX86();
    String flag = bits == 512 ? "avx512f" : "avx2";
    assumeTrue(
        Files.exists(CPU_INFO) && Files.readString(CPU_INFO).contains(flag),
        "this processor has no vectors of " + bits + " bits, they are not tested");
  }
}
