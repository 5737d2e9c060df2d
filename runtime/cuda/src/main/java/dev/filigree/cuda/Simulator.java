package dev.filigree.cuda;

import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.plan.Projections;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.Projection;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpuUnavailableException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * All that touches the simulated GPU's own jar, which may be absent: a class that names one of its
 * types cannot even be looked at without it, and the service loader looks at every provider.
 */
final class Simulator {
  /** Opened here once and never closed: there is no other driver to go back to. */
  private static SimulatedDevice opened;

  private Simulator() {}

  /**
   * Why it cannot be used, or nothing.
   *
   * @throws LinkageError if its jar is not on the class path
   */
  static Optional<String> unavailable() {
    return SimulatedDevice.unavailable();
  }

  /**
   * Opens it, with its counters on, unless the program has.
   *
   * @return what it projects, if it was opened here
   * @throws DeviceException if it cannot be used
   */
  static synchronized Optional<Projections> open(String remedy) {
    if (!SimulatedDevice.isOpen()) {
      try {
        opened = SimulatedDevice.open(DeviceSettings.DEFAULT.withTraffic());
      } catch (SimulatedGpuUnavailableException broken) {
        throw new DeviceException(broken.getMessage(), remedy, broken);
      }
    }
    return Optional.ofNullable(opened).map(Simulator::projections);
  }

  /** The times that a simulated device projects for itself. */
  private static Projections projections(SimulatedDevice device) {
    return work -> {
      int before = device.projections().size();
      work.run();
      List<Projection> all = device.projections();
      String name = CudaDriver.open().properties(0).name();
      List<Projection> own =
          all.subList(before, all.size()).stream()
              .filter(projection -> name.endsWith(" " + projection.device()))
              .toList();
      return own.isEmpty()
          ? OptionalDouble.empty()
          : OptionalDouble.of(own.stream().mapToDouble(each -> each.seconds() * 1e6).sum());
    };
  }
}
