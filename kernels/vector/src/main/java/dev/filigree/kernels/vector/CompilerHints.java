package dev.filigree.kernels.vector;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Tells the JIT compiler to skip the first tier for the kernels and to compile them before they run
 * on. C1 gives up on methods with this many vector operations ("out of virtual registers in LIR
 * generator"), and a method it gave up on may never reach C2: it then runs a hundred times slower
 * for the life of the process. The launcher passes the same directives as a JVM flag and says so by
 * a system property.
 */
final class CompilerHints {
  /** Set by whoever passes the directives on the command line. */
  private static final String ALREADY = "dev.filigree.compilerDirectives";

  private static final String DIRECTIVES = "compiler-directives.json";

  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private static boolean installed;

  private CompilerHints() {}

  /** Whether the directives were passed on the command line. */
  static boolean arePassedAsFlag() {
    return System.getProperty(ALREADY) != null;
  }

  /** Installs the directives once per process. */
  static synchronized void install() {
    if (installed || arePassedAsFlag()) {
      return;
    }
    installed = true;
    Path file = null;
    try (InputStream directives = CompilerHints.class.getResourceAsStream(DIRECTIVES)) {
      file = Files.createTempFile("filigree-directives", ".json");
      Files.copy(directives, file, StandardCopyOption.REPLACE_EXISTING);
      ManagementFactory.getPlatformMBeanServer()
          .invoke(
              new ObjectName("com.sun.management:type=DiagnosticCommand"),
              "compilerDirectivesAdd",
              new Object[] {new String[] {file.toString()}},
              new String[] {String[].class.getName()});
    } catch (IOException | JMException | RuntimeException refused) {
      LOG.log(
          System.Logger.Level.WARNING,
          "no compiler directives for the vector kernels ({0}); they may start slowly",
          refused.getMessage());
    } finally {
      delete(file);
    }
  }

  private static void delete(Path file) {
    if (file != null) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException stillThere) {
        LOG.log(System.Logger.Level.DEBUG, "temporary file {0} stays", file);
      }
    }
  }
}
