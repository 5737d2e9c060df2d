package dev.filigree.cuda;

import dev.filigree.Device;
import dev.filigree.simgpu.SimulatedDevice;

/** The device that tests run on: the simulated one, or the GPU of this machine if that is off. */
public final class TestGpu {
  private TestGpu() {}

  /** As a session names it. */
  public static Device device() {
    return Device.parse(SimulatedDevice.isOff() ? "cuda" : "simulated");
  }
}
