package dev.filigree.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The conformance suite that ONNX publishes with its source: models with inputs and the outputs
 * they must give. It is looked for where the Debian package {@code libonnx-testdata} puts it, or
 * where the system property {@value #PROPERTY} says; where neither has it and the user may install
 * packages, the package is installed.
 */
public final class OnnxTestData {
  /** System property that names the folder {@code data} of the suite. */
  public static final String PROPERTY = "filigree.onnx.testdata";

  private static final String PACKAGE = "libonnx-testdata";
  private static final Path PACKAGED = Path.of("/usr/share/libonnx-testdata/data");
  private static final Path PACKAGE_DATABASE = Path.of("/var/lib/dpkg/status");
  private static final int INSTALL_SECONDS = 120;

  private OnnxTestData() {}

  /** The suite's folder, or nothing if it is not there and could not be installed. */
  public static Optional<Path> folder() {
    String named = System.getProperty(PROPERTY);
    Path folder = named == null ? PACKAGED : Path.of(named);
    if (named == null && !Files.isDirectory(folder) && Files.isWritable(PACKAGE_DATABASE)) {
      install();
    }
    return Optional.of(folder).filter(Files::isDirectory);
  }

  /** What a reader of the test report can do where the suite is missing. */
  public static String remedy() {
    return "ONNX conformance suite not found: install the Debian package "
        + PACKAGE
        + " or name its data folder with -D"
        + PROPERTY;
  }

  /** The models' folders, in the order of their names. */
  public static List<Path> cases(Path folder) throws IOException {
    try (Stream<Path> groups = Files.walk(folder, 2)) {
      return groups.filter(path -> Files.exists(path.resolve("model.onnx"))).sorted().toList();
    }
  }

  private static void install() {
    String get = "apt-get -qq -o APT::Update::Error-Mode=any";
    String install = get + " install -y --no-install-recommends " + PACKAGE;
    // a fresh container has no package lists yet
    run(install + " || { " + get + " update && " + install + "; }");
  }

  private static void run(String command) {
    try {
      Process process =
          new ProcessBuilder("sh", "-c", command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!process.waitFor(INSTALL_SECONDS, TimeUnit.SECONDS)) {
        process.destroy();
      }
    } catch (IOException noShell) {
      // the suite stays missing, which the caller reports
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
