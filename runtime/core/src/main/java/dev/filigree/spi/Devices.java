package dev.filigree.spi;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.event.Flight;
import dev.filigree.plan.CpuProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;

/** Finds the devices there are and chooses one. */
public final class Devices {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private Devices() {}

  /**
   * A device and who brings it.
   *
   * @param device never {@code auto}
   */
  public record Chosen(Device device, DeviceProvider provider) {}

  /** The providers that are installed, the CPU's first. */
  public static List<DeviceProvider> providers() {
    List<DeviceProvider> providers = new ArrayList<>(List.of(new CpuProvider()));
    ServiceLoader.load(DeviceProvider.class, Devices.class.getClassLoader())
        .forEach(providers::add);
    return providers;
  }

  /**
   * The device to use.
   *
   * @param wanted {@code auto} takes the first CUDA device that is ready, or else the CPU
   * @throws DeviceException if a device was named that is not there or not ready
   */
  public static Chosen choose(Device wanted) {
    List<DeviceProvider> providers = providers();
    if (wanted.kind() == Device.Kind.AUTO) {
      return automatic(providers);
    }
    for (DeviceProvider provider : providers) {
      if (provider.kind() == wanted.kind()) {
        require(wanted, provider.devices());
        return new Chosen(wanted, provider);
      }
    }
    throw new DeviceException(
        "device " + wanted + " is not available: nothing that brings it is on the class path",
        "add the module dev.filigree:filigree-cuda, or use the device cpu");
  }

  private static Chosen automatic(List<DeviceProvider> providers) {
    for (DeviceProvider provider : providers) {
      if (provider.kind() != Device.Kind.CUDA) {
        continue;
      }
      List<DeviceStatus> all = provider.devices();
      for (DeviceStatus status : all) {
        if (status.ready()) {
          return new Chosen(status.device(), provider);
        }
      }
      DeviceStatus first = all.getFirst();
      LOG.log(
          System.Logger.Level.INFO,
          "CUDA is not used: {0}; to use it, {1}",
          first.why(),
          first.fix());
      Flight.fallback("cpu instead of CUDA", first.why(), first.fix());
    }
    return new Chosen(Device.cpu(), providers.getFirst());
  }

  private static void require(Device wanted, List<DeviceStatus> all) {
    DeviceStatus other = all.getFirst();
    for (DeviceStatus status : all) {
      if (status.device().equals(wanted)) {
        if (status.ready()) {
          return;
        }
        other = status;
        break;
      }
    }
    if (other.ready()) {
      throw new DeviceException(
          "device " + wanted + " is not available: there are only " + names(all),
          "name one of these");
    }
    throw new DeviceException(
        "device " + wanted + " is not available: " + other.why(),
        other.fix() + ", or use the device cpu");
  }

  private static String names(List<DeviceStatus> all) {
    return String.join(", ", all.stream().map(status -> status.device().toString()).toList());
  }
}
