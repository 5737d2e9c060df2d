package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.spi.DeviceStatus;
import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What happens on a machine with a GPU and its driver, rehearsed in a virtual machine of its own:
 * the system's loader finds the simulated driver, and the device does not call itself simulated.
 */
public class RehearsalTest {
  private static final List<String> LIBRARIES =
      List.of("libcuda.so.1", "libcublas.so.12", "libcusparse.so.12");

  @TempDir private Path folder;

  @BeforeEach
  void unpackTheDriver() throws IOException {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
    String built = System.getProperty("filigree.simgpu.libraries");
    for (String library : LIBRARIES) {
      try (InputStream in =
          built == null
              ? SimulatedDevice.class.getResourceAsStream("linux-x86_64/" + library)
              : Files.newInputStream(Path.of(built, library))) {
        Files.copy(in, folder.resolve(library));
      }
    }
  }

  private List<String> rehearse(String faults) throws IOException, InterruptedException {
    ProcessBuilder machine =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-Dfiligree.simgpu=off",
            "-D" + NativeFolder.property("cuda") + "=" + folder.resolve("natives"),
            "-cp",
            System.getProperty("java.class.path"),
            Program.class.getName(),
            folder.toString());
    machine.environment().put("LD_LIBRARY_PATH", folder.toString());
    machine.environment().put("FILIGREE_SIMGPU_REHEARSAL", "on");
    machine.environment().put("FILIGREE_SIMGPU_FAULTS", faults);
    Path errors = folder.resolve("errors.txt");
    Process process = machine.redirectError(errors.toFile()).start();
    String output = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), () -> output + text(errors));
    return output.lines().toList();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException unreadable) {
      return unreadable.toString();
    }
  }

  @Test
  void theDeviceIsTakenMeasuredOnceAndRight() throws IOException, InterruptedException {
    List<String> first = rehearse("");
    assertTrue(
        first.getFirst().startsWith("ready cuda:0, Rehearsal on a Simulated NVIDIA A100"),
        first.toString());
    assertEquals(
        List.of("measured before false", "measured after true", "right true"),
        first.subList(1, first.size()));
    try (Stream<Path> files = Files.list(folder.resolve("natives"))) {
      assertEquals(
          1,
          files.filter(each -> each.getFileName().toString().startsWith("measured-")).count(),
          "what was measured is kept");
    }
    assertEquals("measured before true", rehearse("").get(1), "a machine measures once");
  }

  @Test
  void aDeviceThatFailsItsSelfTestIsNotTaken() throws IOException, InterruptedException {
    assertEquals(
        List.of(
            "missing cuda:0: wait for the stream failed on Rehearsal on a Simulated NVIDIA A100"
                + " (cuda:0): CUDA_ERROR_LAUNCH_FAILED"),
        rehearse("launch=1"));
  }

  /** The program the virtual machine runs. */
  public static final class Program {
    private static final float TOLERANCE = 4e-2f;

    private Program() {}

    /** Prints what becomes of the device. */
    public static void main(String[] arguments) {
      List<DeviceStatus> devices = new CudaProvider().devices();
      for (DeviceStatus status : devices) {
        String found = status.ready() ? "ready %s, %s" : "missing %s: %s";
        System.out.println(found.formatted(status.device(), status.why()));
      }
      if (!devices.getFirst().ready()) {
        return;
      }
      Map<String, Tensor> inputs = SmallModel.inputs(1, 8, 3);
      try (Model model = SmallModel.open(Path.of(arguments[0]));
          Session cpu = model.session(SessionOptions.defaults().withDevice(Device.cpu()));
          Session device =
              model.session(SessionOptions.defaults().withDevice(Device.parse("auto")))) {
        System.out.println("measured before " + isMeasured(device));
        device.warmUp(inputs, Progress.NONE);
        System.out.println("measured after " + isMeasured(device));
        float[] expected = cpu.run(inputs).get("y").toFloats();
        float[] found = device.run(inputs).get("y").toFloats();
        boolean right = device.device().equals(Device.parse("cuda"));
        for (int i = 0; i < expected.length; i++) {
          right &= Math.abs(expected[i] - found[i]) < TOLERANCE;
        }
        System.out.println("right " + right);
      }
    }

    private static boolean isMeasured(Session device) {
      LayerPlan linear = device.plan(Map.of("x", Shape.of(1, 8, SmallModel.IN))).getFirst();
      return linear.candidates().stream()
          .anyMatch(
              candidate -> candidate.measuredMicros() > 0 && linear.reason().contains("measured"));
    }
  }
}
