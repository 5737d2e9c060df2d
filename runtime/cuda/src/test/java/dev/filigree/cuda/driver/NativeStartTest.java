package dev.filigree.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.DeviceException;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How virtual machines come to JCuda's libraries, each test in machines of its own. */
public class NativeStartTest {
  @TempDir private Path folder;
  private Path libcuda;

  @BeforeEach
  void requireSimulation() throws IOException {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
    String built = System.getProperty("filigree.simgpu.libraries");
    libcuda = folder.resolve("libcuda.so.1");
    if (built != null) {
      Files.copy(Path.of(built, "libcuda.so.1"), libcuda);
      return;
    }
    try (InputStream in = SimulatedDevice.class.getResourceAsStream("linux-x86_64/libcuda.so.1")) {
      Files.copy(in, libcuda, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private Process start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-D" + NativeFolder.property("cuda") + "=" + folder.resolve("natives"),
                "-cp",
                System.getProperty("java.class.path"),
                Program.class.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static String output(Process process) throws IOException, InterruptedException {
    String output = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), output);
    return output.strip();
  }

  @Test
  void machinesThatStartTogetherAllFindTheDriver() throws IOException, InterruptedException {
    List<Process> machines = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      machines.add(start("count", libcuda.toString()));
    }
    for (Process machine : machines) {
      assertEquals("devices 1", output(machine));
    }
  }

  @Test
  void aTruncatedLibraryIsReplacedAndNotLoaded() throws IOException, InterruptedException {
    assertEquals("devices 1", output(start("count", libcuda.toString())));
    try (Stream<Path> files = Files.walk(folder.resolve("natives"))) {
      Path library = files.filter(Files::isRegularFile).findFirst().orElseThrow();
      Files.write(library, new byte[4096]);
    }
    assertEquals("devices 1", output(start("count", libcuda.toString())));
  }

  @Test
  void aSecondClassLoaderGetsACopyOfItsOwn() throws IOException, InterruptedException {
    assertEquals(
        "devices 1\ndevices 1", output(start("twice", libcuda.toString())).replace("\r", ""));
  }

  @Test
  void withoutADriverEveryAttemptSaysTheSameAndWhatHelps()
      throws IOException, InterruptedException {
    List<String> lines = output(start("missing")).lines().toList();
    assertEquals(2, lines.size(), lines::toString);
    assertEquals(lines.get(0), lines.get(1));
    if (!lines.get(0).startsWith("devices")) {
      assertTrue(lines.get(0).contains("libcuda.so.1"), lines.get(0));
      assertTrue(lines.get(0).contains("install NVIDIA's driver"), lines.get(0));
    }
  }

  /** The program the virtual machines run. */
  public static final class Program {
    private Program() {}

    /** Prints what is found. */
    @SuppressWarnings("restricted") // the simulated driver takes the place of a real one
    public static void main(String[] arguments) throws ReflectiveOperationException, IOException {
      if (arguments.length > 1) {
        System.load(arguments[1]);
      }
      switch (arguments[0]) {
        case "count" -> count();
        case "twice" -> {
          count();
          try (URLClassLoader second =
              new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader())) {
            second
                .loadClass(Program.class.getName())
                .getMethod("main", String[].class)
                .invoke(null, (Object) new String[] {"count"});
          }
        }
        default -> {
          for (int i = 0; i < 2; i++) {
            try {
              count();
            } catch (DeviceException missing) {
              System.out.println(missing.getMessage());
            }
          }
        }
      }
    }

    private static void count() {
      System.out.println("devices " + CudaDriver.open().devices());
    }

    private static URL[] classPath() throws MalformedURLException {
      List<URL> urls = new ArrayList<>();
      for (String entry : System.getProperty("java.class.path").split(":")) {
        urls.add(Path.of(entry).toUri().toURL());
      }
      return urls.toArray(URL[]::new);
    }
  }
}
