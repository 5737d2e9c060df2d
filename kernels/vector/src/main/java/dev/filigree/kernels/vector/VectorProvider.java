package dev.filigree.kernels.vector;

import com.sun.management.HotSpotDiagnosticMXBean;
import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.Kernels;
import java.lang.management.ManagementFactory;

/**
 * Brings the Vector API kernels where the module {@code jdk.incubator.vector} and a compiler that
 * understands it are there. No vector class is linked before the probe has found them.
 */
public final class VectorProvider implements KernelProvider {
  private static final String MODULE = "jdk.incubator.vector";

  /** Vectors shorter than this gain nothing over what the compiler makes of plain loops. */
  private static final int MIN_BITS = 128;

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
    // without C2 every vector is an object on the heap, a hundred times slower than scalar code
    String vm = System.getProperty("java.vm.info", "");
    if (vm.contains("interpreted") || vm.contains("emulated-client")) {
      return new Probe.Missing(
          "this JVM runs without its optimising compiler (" + vm + ")",
          "remove -Xint or -XX:TieredStopAtLevel from the Java options");
    }
    int bits = Lanes.bits();
    if (bits < MIN_BITS) {
      return new Probe.Missing(
          "the processor's vectors have " + bits + " bits", "use a processor with SSE2 or NEON");
    }
    if (bits == MIN_BITS && !hasFusedMultiplyAdd()) {
      return new Probe.Missing(
          "this JVM has no fused multiply-add and would compute each one in software",
          "remove -XX:UseAVX from the Java options, or use a processor with AVX2 or NEON");
    }
    return new Probe.Ready(bits + "-bit");
  }

  /**
   * Whether the JVM compiles a fused multiply-add to an instruction; wider vectors come with it on
   * every processor.
   */
  private static boolean hasFusedMultiplyAdd() {
    HotSpotDiagnosticMXBean vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    try {
      return vm == null || Boolean.parseBoolean(vm.getVMOption("UseFMA").getValue());
    } catch (IllegalArgumentException unknownOption) {
      return true;
    }
  }

  @Override
  public Kernels open() {
    CompilerHints.install();
    return new VectorKernels();
  }
}
