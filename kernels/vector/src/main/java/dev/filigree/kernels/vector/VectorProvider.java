package dev.filigree.kernels.vector;

import com.sun.management.HotSpotDiagnosticMXBean;
import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;

/**
 * Brings the Vector API kernels where the module {@code jdk.incubator.vector} and a compiler that
 * understands it are there. No vector class is linked before the probe has found them.
 */
public final class VectorProvider implements KernelProvider {
  private static final String MODULE = "jdk.incubator.vector";

  /** Vectors shorter than this gain nothing over what the compiler makes of plain loops. */
  private static final int MIN_BITS = 128;

  /** The tier of the optimising compiler. */
  private static final String C2 = "4";

  /** For {@link java.util.ServiceLoader}. */
  public VectorProvider() {}

  @Override
  public String name() {
    return "vector";
  }

  @Override
  public int rank() {
    return 10;
  }

  @Override
  public Probe probe() {
    ModuleLayer layer = VectorProvider.class.getModule().getLayer();
    if ((layer == null ? ModuleLayer.boot() : layer).findModule(MODULE).isEmpty()) {
      return new Probe.Missing(
          "module " + MODULE + " is not loaded", "start Java with --add-modules=" + MODULE);
    }
    String compiler = missingCompiler();
    if (compiler != null) {
      return new Probe.Missing(
          "this JVM runs without its optimising compiler (" + compiler + ")",
          "remove -Xint or -XX:TieredStopAtLevel from the Java options");
    }
    if (!mayAddressAllMemory()) {
      return new Probe.Missing(
          "this JVM denies native access, and with it the memory the kernels work on",
          "start Java with --enable-native-access=ALL-UNNAMED, or =dev.filigree.kernels.vector on"
              + " the module path");
    }
    int bits = Lanes.bits();
    if (bits < MIN_BITS) {
      return new Probe.Missing(
          "the processor's vectors have " + bits + " bits", "use a processor with SSE2 or NEON");
    }
    // wider vectors come with it on every processor
    if (bits == MIN_BITS && option("UseFMA", "true").equals("false")) {
      return new Probe.Missing(
          "this JVM has no fused multiply-add and would compute each one in software",
          "remove -XX:UseAVX from the Java options, or use a processor with AVX2 or NEON");
    }
    return new Probe.Ready(bits + "-bit");
  }

  /**
   * What tells that there is no C2, or null: every vector is then an object on the heap, a hundred
   * times slower than scalar code.
   */
  private static String missingCompiler() {
    String vm = System.getProperty("java.vm.info", "");
    if (vm.contains("interpreted") || vm.contains("emulated-client")) {
      return vm;
    }
    // the launcher passes no such flag, and starts faster without the question
    String level = CompilerHints.arePassedAsFlag() ? C2 : option("TieredStopAtLevel", C2);
    return level.compareTo(C2) < 0 ? "TieredStopAtLevel=" + level : null;
  }

  /** Whether {@link Lanes#ALL} can be had. */
  @SuppressWarnings("restricted")
  private static boolean mayAddressAllMemory() {
    try {
      return MemorySegment.NULL.reinterpret(1).byteSize() == 1;
    } catch (IllegalCallerException denied) {
      return false;
    }
  }

  /** An option of the JVM, or what is assumed of a JVM that does not know it. */
  private static String option(String name, String assumed) {
    try {
      return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
          .getVMOption(name)
          .getValue();
    } catch (IllegalArgumentException unknown) {
      return assumed;
    }
  }

  @Override
  public Kernels open() {
    CompilerHints.install();
    return new VectorKernels();
  }
}
