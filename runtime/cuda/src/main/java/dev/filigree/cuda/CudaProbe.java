package dev.filigree.cuda;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.GpuProperties;
import dev.filigree.cuda.driver.JCudaLibrary;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.LibraryStatus;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Looks for the driver, the devices and the libraries. Never throws, and asks anew each time. */
final class CudaProbe {
  /** Compute capability 8.0 is the first with sparse tensor cores. */
  private static final int LEAST_ARCHITECTURE = 80;

  private CudaProbe() {}

  /** The devices and whether they can be used; one that stands for all if there is none. */
  static List<DeviceStatus> devices() {
    Device first = Device.parse("cuda");
    try {
      CudaDriver driver = CudaDriver.open();
      int count = driver.devices();
      if (count == 0) {
        return List.of(
            DeviceStatus.missing(
                first,
                "the driver finds no GPU",
                "check that nvidia-smi lists one and CUDA_VISIBLE_DEVICES does not hide it"));
      }
      List<DeviceStatus> devices = new ArrayList<>();
      for (int ordinal = 0; ordinal < count; ordinal++) {
        devices.add(device(driver, ordinal));
      }
      return devices;
    } catch (DeviceException missing) {
      return List.of(DeviceStatus.missing(first, missing.problem(), missing.remedy()));
    } catch (LinkageError incomplete) {
      return List.of(
          DeviceStatus.missing(
              first,
              "JCuda is not complete: " + incomplete,
              "put the jars jcuda and jcuda-natives of one version on the class path"));
    }
  }

  private static DeviceStatus device(CudaDriver driver, int ordinal) {
    Device device = new Device(Device.Kind.CUDA, ordinal);
    try {
      GpuProperties gpu = driver.properties(ordinal);
      if (gpu.isSimulated()) {
        return DeviceStatus.missing(
            device, "it is the simulated GPU", "ask for it by name: the device simulated");
      }
      if (gpu.architecture() < LEAST_ARCHITECTURE) {
        return DeviceStatus.missing(
            device,
            gpu.name() + " has compute capability " + gpu.architecture() / 10.0,
            "8.0 (Ampere) or later is needed");
      }
      try (CudaContext context = driver.context(ordinal)) {
        SelfTest.run(context);
      }
      return DeviceStatus.ready(device, describe(gpu));
    } catch (DeviceException broken) {
      return DeviceStatus.missing(device, broken.problem(), broken.remedy());
    }
  }

  /** A device in words. */
  static String describe(GpuProperties gpu) {
    return String.format(
        Locale.ROOT,
        "%s, compute capability %.1f, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d",
        gpu.name(),
        gpu.architecture() / 10.0,
        gpu.multiprocessors(),
        gpu.memoryBytes() / (double) (1 << 30),
        gpu.driverVersion() / 1000,
        gpu.driverVersion() % 1000 / 10);
  }

  /** The libraries and whether they were found. */
  static List<LibraryStatus> libraries() {
    List<LibraryStatus> libraries = new ArrayList<>();
    for (JCudaLibrary library : JCudaLibrary.values()) {
      libraries.add(library(library));
    }
    return libraries;
  }

  private static LibraryStatus library(JCudaLibrary library) {
    try {
      library.requireCuda();
      return new LibraryStatus(
          library.cuda(), true, library.path().map(Path::toString).orElse("loaded"));
    } catch (DeviceException missing) {
      return new LibraryStatus(library.cuda(), false, missing.remedy());
    }
  }
}
