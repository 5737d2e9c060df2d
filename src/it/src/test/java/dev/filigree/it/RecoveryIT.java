package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The next start works whatever happened to the last one, and whatever changed since. */
class RecoveryIT {
  private static final long PATIENCE_SECONDS = 300;
  private static final int MOST_TRIES = 20;

  private final Product product = Product.get();

  /** A source of the product. */
  private Path source() {
    return product.home().resolve("runtime/core/src/main/java/dev/filigree/Progress.java");
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  /** Waits for what a program is about to do. */
  private static void awaitThat(Program program, Condition condition)
      throws IOException, InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!condition.holds()) {
      if (!program.isRunning() && !condition.holds()) {
        throw new AssertionError("it never happened: " + program.await());
      }
      assertTrue(System.nanoTime() < end, "it never happened");
      Thread.sleep(1);
    }
  }

  private static List<Path> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  @Test
  void aCompressionThatWasKilledLeavesNoFileOfThatName() throws Exception {
    Path folder = product.folder("killed");
    Path out = folder.resolve("out.filigree");
    String[] command = {"compress", "minilm", "--recipe", "dense", "-o", out.toString()};
    // a quick disk may have all before the signal comes: then this try tested nothing
    int tries = 0;
    do {
      assertTrue(++tries <= MOST_TRIES, "always killed too late");
      for (Path file : list(folder)) {
        Files.delete(file);
      }
      Program program = product.start(command);
      awaitThat(program, () -> !list(folder).isEmpty());
      program.kill();
    } while (Files.exists(out));
    List<Path> left = list(folder);
    assertEquals(1, left.size(), left.toString());
    assertTrue(left.getFirst().toString().endsWith(".part"), left.toString());

    product.run(command).succeeds();
    product.run("inspect", out.toString()).succeeds();
  }

  /** A start with no Maven on the path: a stale command says so, and one that is fresh runs. */
  private Program.Result withoutMaven() throws IOException {
    Path tools = product.folder("tools");
    return product.shell(
        Map.of("tools", tools.toString()),
        """
        for tool in bash env find cksum sort cat readlink flock mkdir rm awk sed; do
          ln -sf "$(command -v $tool)" "$tools/$tool"
        done
        PATH=$tools exec "$filigree" doctor
        """);
  }

  @Test
  void whatChangedIsNoticedAndWhatOnlyLooksNewerIsNot() throws IOException {
    String needed = "Maven (mvn) is needed";
    withoutMaven().succeeds();

    byte[] bytes = Files.readAllBytes(source());
    Files.write(source(), bytes);
    withoutMaven().succeeds();

    Path pom = product.home().resolve("pom.xml");
    byte[] project = Files.readAllBytes(pom);
    Path moved = source().resolveSibling("Moved.java");
    Path test = product.home().resolve("runtime/core/src/test/java/New.java");
    try {
      Files.writeString(pom, "\n", StandardOpenOption.APPEND);
      withoutMaven().failsWith(1, needed);
      Files.write(pom, project);

      Files.move(source(), moved);
      withoutMaven().failsWith(1, needed);
      Files.delete(moved);
      withoutMaven().failsWith(1, needed);
      Files.write(source(), bytes);

      Files.createDirectories(test.getParent());
      Files.writeString(test, "class New {}");
      withoutMaven().succeeds();
    } finally {
      Files.write(pom, project);
      Files.write(source(), bytes);
      Files.deleteIfExists(moved);
      Files.deleteIfExists(test);
    }
  }

  @Test
  void aBuildThatFailedOrWasKilledIsMadeAgain() throws Exception {
    Path core = product.home().resolve("runtime/core/target");
    Path jar = core.resolve("filigree-core-0.1.0-SNAPSHOT.jar");
    Path command = product.home().resolve("runtime/cli/target/lib/filigree-cli-0.1.0-SNAPSHOT.jar");
    String text = Files.readString(source());
    try {
      Files.writeString(source(), text + "\nclass Broken {\n");
      Program.Result failed =
          product.run("doctor").failsWith(1, "Progress.java:[", "the build failed");
      assertFalse(failed.err().contains("Help 1") || failed.err().contains("-e switch"));

      Files.writeString(source(), text + "\n// changed\n");
      Files.deleteIfExists(jar);
      Program program = product.start("doctor");
      // the first of the modules is built, the others are not
      awaitThat(program, () -> Files.exists(jar));
      program.kill();
      assertFalse(Files.exists(command), "killed too late to test anything");
    } finally {
      Files.writeString(source(), text);
    }
    // halves of files, as a machine that lost its power leaves them
    for (Path file : List.of(jar, core.resolve("classes/dev/filigree/Model.class"))) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(channel.size() / 2);
      }
    }
    Program.Result result = product.run("inspect", "minilm");
    assertTrue(result.succeeds().err().contains("filigree: building"), result.err());
    assertTrue(result.out().contains("encoder.layer.0"), result.out());
  }

  @Test
  void aJdkThatIsNoneIsNamed() {
    Program.Result result =
        product.shell(Map.of("FILIGREE_JAVA_HOME", "/nowhere"), "\"$filigree\" doctor");
    result.failsWith(1, "FILIGREE_JAVA_HOME=/nowhere", "JDK 25");
    assertEquals(1, result.err().lines().count());
  }
}
