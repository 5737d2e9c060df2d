package dev.filigree.spi;

import dev.filigree.DeviceException;
import dev.filigree.event.Flight;
import dev.filigree.kernel.scalar.ScalarKernels;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.ConcurrentHashMap;

/** Finds the sets of CPU kernels that are installed and chooses one. */
public final class KernelSets {
  /** Name of the set that is always there. */
  public static final String SCALAR = "scalar";

  /**
   * Of this process, by the name of their provider: a kernel that is stuck is so in all sessions.
   */
  private static final Map<String, GuardedKernels> OPENED = new ConcurrentHashMap<>();

  private KernelSets() {}

  private static Kernels open(KernelProvider provider) {
    if (provider.isPartial()) {
      return provider.open(); // the set it stands on is guarded
    }
    return OPENED.computeIfAbsent(provider.name(), unused -> new GuardedKernels(provider.open()));
  }

  /** The guarded sets that were opened in this process. */
  static List<GuardedKernels> opened() {
    return List.copyOf(OPENED.values());
  }

  /**
   * A set that is installed.
   *
   * @param name of its provider
   * @param probe whether it can run here
   * @param isPartial whether it stands on the best other set
   */
  public record Installed(String name, KernelProvider.Probe probe, boolean isPartial) {}

  private static List<KernelProvider> providers() {
    List<KernelProvider> providers = new ArrayList<>();
    ServiceLoader.load(KernelProvider.class, KernelSets.class.getClassLoader())
        .forEach(providers::add);
    providers.sort(Comparator.comparingInt(KernelProvider::rank).reversed());
    return providers;
  }

  /** All installed sets, the preferred first and the scalar one last. */
  public static List<Installed> installed() {
    List<Installed> sets = new ArrayList<>();
    for (KernelProvider provider : providers()) {
      sets.add(new Installed(provider.name(), provider.probe(), provider.isPartial()));
    }
    sets.add(new Installed(SCALAR, new KernelProvider.Probe.Ready("plain Java"), false));
    return sets;
  }

  /** The best set that can run of those ranked below a provider, for it to stand on. */
  public static Kernels below(KernelProvider provider) {
    for (KernelProvider other : providers()) {
      if (other.rank() < provider.rank() && other.probe() instanceof KernelProvider.Probe.Ready) {
        return open(other);
      }
    }
    return new ScalarKernels();
  }

  /**
   * Opens a set.
   *
   * @param name of the wanted one, or empty for the best that can run
   * @throws DeviceException if the wanted one is not installed or cannot run
   */
  public static Kernels open(String name) {
    if (name.equals(SCALAR)) {
      return new ScalarKernels();
    }
    for (KernelProvider provider : providers()) {
      if (name.isEmpty() || name.equals(provider.name())) {
        switch (provider.probe()) {
          case KernelProvider.Probe.Ready ready -> {
            return open(provider);
          }
          case KernelProvider.Probe.Missing(String why, String fix) -> {
            if (!name.isEmpty()) {
              throw new DeviceException("the " + name + " kernels cannot run: " + why, fix);
            }
            Flight.fallback("not the " + provider.name() + " kernels", why, fix);
          }
        }
      }
    }
    if (!name.isEmpty()) {
      throw new DeviceException(
          "no kernels named '" + name + "' are installed",
          "use one of " + installed().stream().map(Installed::name).toList());
    }
    return new ScalarKernels();
  }
}
