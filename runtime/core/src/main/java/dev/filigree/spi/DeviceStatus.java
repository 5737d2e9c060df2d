package dev.filigree.spi;

import dev.filigree.Device;

/**
 * Whether a device can be used.
 *
 * @param device its name
 * @param ready whether it can
 * @param why what it is, or what it lacks
 * @param fix what would make it ready; empty if it is
 */
public record DeviceStatus(Device device, boolean ready, String why, String fix) {
  /** A device that can be used. */
  public static DeviceStatus ready(Device device, String what) {
    return new DeviceStatus(device, true, what, "");
  }

  /** A device that cannot be used. */
  public static DeviceStatus missing(Device device, String why, String fix) {
    return new DeviceStatus(device, false, why, fix);
  }
}
