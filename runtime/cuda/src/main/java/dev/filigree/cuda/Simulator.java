package dev.filigree.cuda;

import dev.filigree.DeviceException;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpuUnavailableException;
import java.util.Optional;

/**
 * All that touches the simulated GPU's own jar, which may be absent: a class that names one of its
 * types cannot even be looked at without it, and the service loader looks at every provider.
 */
final class Simulator {
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
   * Opens it unless it is open.
   *
   * @throws DeviceException if it cannot be used
   */
  static void open(String remedy) {
    if (!SimulatedDevice.isOpen()) {
      try {
        // stays open as long as the process: there is no other driver to go back to
        SimulatedDevice.open(DeviceSettings.DEFAULT);
      } catch (SimulatedGpuUnavailableException broken) {
        throw new DeviceException(broken.getMessage(), remedy, broken);
      }
    }
  }
}
