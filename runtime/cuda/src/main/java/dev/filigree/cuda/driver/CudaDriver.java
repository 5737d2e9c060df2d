package dev.filigree.cuda.driver;

import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;

/** The CUDA driver, initialised. Stateless: opening it again costs little. Thread-safe. */
public final class CudaDriver {
  private CudaDriver() {}

  /**
   * Loads and initialises the driver.
   *
   * @throws dev.filigree.DeviceException if there is no driver or no device
   */
  public static CudaDriver open() {
    JCudaLibrary.DRIVER.load();
    Calls.check("this machine", "initialise the CUDA driver", () -> JCudaDriver.cuInit(0));
    return new CudaDriver();
  }

  /** CUDA version the driver supports, 1000 x major + 10 x minor. */
  public int version() {
    int[] version = new int[1];
    Calls.check(
        "this machine",
        "ask for the driver's version",
        () -> JCudaDriver.cuDriverGetVersion(version));
    return version[0];
  }

  /** Number of devices. */
  public int devices() {
    int[] count = new int[1];
    Calls.check("this machine", "count the devices", () -> JCudaDriver.cuDeviceGetCount(count));
    return count[0];
  }

  /**
   * What a device is.
   *
   * @param ordinal from 0
   * @throws DriverException if there is no such device
   */
  public GpuProperties properties(int ordinal) {
    return GpuProperties.of(device(ordinal), ordinal, label(ordinal));
  }

  /**
   * A context on a device.
   *
   * @param ordinal from 0
   * @throws DriverException if there is no such device, or no memory for a context
   */
  public CudaContext context(int ordinal) {
    return new CudaContext(properties(ordinal), device(ordinal));
  }

  private static CUdevice device(int ordinal) {
    CUdevice device = new CUdevice();
    Calls.check(label(ordinal), "find the device", () -> JCudaDriver.cuDeviceGet(device, ordinal));
    return device;
  }

  private static String label(int ordinal) {
    return "cuda:" + ordinal;
  }
}
