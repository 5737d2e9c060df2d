package dev.filigree.cli;

import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.KernelSets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** What the machine is that something was measured on. */
final class Machine {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  private Machine() {}

  /** Name of the processor where the system tells it, else its architecture. */
  static String processor() {
    try {
      List<String> lines = Files.readAllLines(CPU_INFO);
      for (String line : lines) {
        if (line.startsWith("model name")) {
          return line.substring(line.indexOf(':') + 1).strip();
        }
      }
    } catch (IOException noSuchFile) {
      return System.getProperty("os.arch");
    }
    return System.getProperty("os.arch");
  }

  /** Name and version of the Java virtual machine. */
  static String java() {
    return System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version");
  }

  /** What native kernels run with; empty where there are none. */
  static String nativeKernels() {
    for (KernelSets.Installed set : KernelSets.installed()) {
      if (set.isPartial() && set.probe() instanceof KernelProvider.Probe.Ready(String detail)) {
        return detail;
      }
    }
    return "";
  }

  /** Time that all threads of this process have had processors for; 0 where that is not known. */
  static long processorNanos() {
    return ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO).toNanos();
  }

  static String summary() {
    return processor()
        + ", "
        + Runtime.getRuntime().availableProcessors()
        + " processors, "
        + java()
        + ", "
        + KernelSets.open("").name()
        + " kernels"
        + (nativeKernels().isEmpty() ? "" : ", native " + nativeKernels());
  }

  static void describe(ObjectNode machine) {
    machine
        .put("processor", processor())
        .put("processors", Runtime.getRuntime().availableProcessors())
        .put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"))
        .put("java", java())
        .put("kernels", KernelSets.open("").name())
        .put("native", nativeKernels());
  }
}
