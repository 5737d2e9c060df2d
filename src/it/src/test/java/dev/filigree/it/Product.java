package dev.filigree.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A copy of the project that its launcher builds, in a folder whose name has a space and Unicode.
 * It is started through a symbolic link from another folder, in a locale without Unicode.
 */
final class Product {
  static final String EATING = "A man is eating food.";
  static final String BREAD = "A man is eating a piece of bread.";

  /** What sentence-transformers says of the two. */
  static final double COSINE = 0.7553;

  /** Folders that are not part of the sources. */
  private static final Set<String> NOT_COPIED = Set.of("target", ".git", ".idea", ".vscode");

  private static Product product;
  private static AssertionError unusable;

  private final Path home;
  private final Path launcher;
  private final Path folder;
  private final Path cache;
  private final Path streams;
  private final List<Program.Result> firstStarts;

  private Product(Path folder) throws IOException {
    this.folder = folder;
    home = folder.resolve("a copy für 漢字");
    cache = folder.resolve("cache");
    streams = Files.createDirectories(folder.resolve("streams"));
    copy(Path.of(System.getProperty("filigree.project")).toRealPath(), home);
    launcher =
        Files.createSymbolicLink(folder.resolve("link to filigree"), home.resolve("filigree"));
    // two at once, with nothing built and an empty cache
    List<Program> both = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      both.add(start("run", "minilm", "--text", EATING, "--text", BREAD, "--json"));
    }
    firstStarts = both.stream().map(Program::await).toList();
  }

  /** The product, built by the first who asks. */
  static synchronized Product get() {
    if (unusable != null) {
      throw unusable;
    }
    if (product == null) {
      // inside the build's folder, so that what a killed test leaves goes with the next run
      Path folder = Path.of(System.getProperty("filigree.folder")).toAbsolutePath().normalize();
      try {
        delete(folder);
        Files.createDirectories(folder);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(folder)));
        Product built = new Product(folder);
        built.firstStarts.forEach(Program.Result::succeeds);
        product = built;
      } catch (IOException failed) {
        throw new UncheckedIOException(failed);
      } catch (AssertionError failed) {
        // no test could do anything, and each would build again
        unusable = failed;
        throw failed;
      }
    }
    return product;
  }

  private static void end(Path folder) {
    Program.killAll();
    try {
      delete(folder);
    } catch (IOException | UncheckedIOException leftBehind) {
      System.err.println("left behind: " + folder + " (" + leftBehind + ")");
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            if (!directory.equals(from)
                && NOT_COPIED.contains(directory.getFileName().toString())) {
              return FileVisitResult.SKIP_SUBTREE;
            }
            Files.createDirectories(to.resolve(from.relativize(directory).toString()));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            if (!file.getFileName().toString().equals(".git")) {
              Files.copy(
                  file,
                  to.resolve(from.relativize(file).toString()),
                  StandardCopyOption.COPY_ATTRIBUTES);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  /** What the two first starts did. */
  List<Program.Result> firstStarts() {
    return firstStarts;
  }

  /** The copy of the project. */
  Path home() {
    return home;
  }

  Path cache() {
    return cache;
  }

  /** The link through which it is started. */
  Path launcher() {
    return launcher;
  }

  /** A folder of that name for a test's files. */
  Path folder(String name) throws IOException {
    return Files.createDirectories(folder.resolve(name));
  }

  Map<String, String> environment() {
    Map<String, String> environment = new HashMap<>();
    environment.put("FILIGREE_CACHE", cache.toString());
    environment.put("LC_ALL", "C");
    return environment;
  }

  Program start(String... arguments) {
    List<String> command = new ArrayList<>(List.of(launcher.toString()));
    command.addAll(List.of(arguments));
    return Program.start(folder, streams, environment(), command);
  }

  Program.Result run(String... arguments) {
    return start(arguments).await();
  }

  /** Runs a line of the shell, in which {@code "$filigree"} is the launcher. */
  Program.Result shell(Map<String, String> more, String line) {
    Map<String, String> environment = environment();
    environment.put("filigree", launcher.toString());
    environment.putAll(more);
    return Program.start(folder, streams, environment, List.of("bash", "-c", line)).await();
  }

  /** Runs a Java program without the launcher, with the JDK of this test. */
  Program.Result java(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(arguments);
    Map<String, String> environment = environment();
    environment.put("LC_ALL", "C.UTF-8");
    return Program.start(folder, streams, environment, command).await();
  }

  /** The jars of the product. */
  List<Path> jars() {
    try (Stream<Path> files = Files.list(home.resolve("runtime/cli/target/lib"))) {
      return files.filter(file -> file.toString().endsWith(".jar")).sorted().toList();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** The bundled model, unpacked in the cache. */
  Path model() {
    return cache.resolve("models/all-minilm-l6-v2.onnx");
  }
}
