package dev.filigree.simgpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several virtual machines that unpack the same libraries at the same time. */
class ParallelStartTest {
  @Test
  void virtualMachinesStartingTogetherAllFindTheDevice(@TempDir Path folder)
      throws IOException, InterruptedException {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
    String libraries = System.getProperty(NativeLibraries.LIBRARY_PROPERTY);
    String where =
        libraries == null ? "-Dany=any" : "-D" + NativeLibraries.LIBRARY_PROPERTY + "=" + libraries;
    List<Process> machines = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      machines.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "--enable-native-access=ALL-UNNAMED",
                  "-XX:+UseSerialGC",
                  "-Xmx256m",
                  "-Dfiligree.simgpu.folder=" + folder,
                  where,
                  "-cp",
                  System.getProperty("java.class.path"),
                  CountDevices.class.getName())
              .redirectErrorStream(true)
              .start());
    }
    for (Process machine : machines) {
      String output = new String(machine.getInputStream().readAllBytes());
      assertEquals(0, machine.waitFor(), output);
      assertEquals("devices 1, findings 0", output.strip());
    }
  }

  /** The program the virtual machines run. */
  static final class CountDevices {
    private CountDevices() {}

    /** Prints the number of devices. */
    public static void main(String[] arguments) {
      try (SimulatedDevice device = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
        int[] count = new int[1];
        JCudaDriver.setExceptionsEnabled(true);
        JCudaDriver.cuInit(0);
        JCudaDriver.cuDeviceGetCount(count);
        System.out.println("devices " + count[0] + ", findings " + device.findings().size());
      }
    }
  }
}
