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
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The next start works whatever happened to the last one, and whatever changed since. */
class RecoveryIT {
  private static final long PATIENCE_MILLIS = 120_000;

  private final Product product = Product.get();

  /** A source of the product. */
  private Path source() {
    return product.home().resolve("runtime/core/src/main/java/dev/filigree/Progress.java");
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private static void awaitThat(Condition condition) throws IOException, InterruptedException {
    long end = System.currentTimeMillis() + PATIENCE_MILLIS;
    while (!condition.holds()) {
      assertTrue(System.currentTimeMillis() < end, "it never happened");
      Thread.sleep(2);
    }
  }

  @Test
  void aCompressionThatWasKilledLeavesNoFileOfThatName() throws Exception {
    Path folder = product.folder("killed");
    Path out = folder.resolve("out.filigree");
    String[] command = {"compress", "minilm", "--recipe", "fp16", "-o", out.toString()};
    Program program = product.start(command);
    // in the middle of writing
    awaitThat(() -> !isEmpty(folder));
    program.kill();
    assertFalse(Files.exists(out), "killed too late to test anything");
    product.run(command).succeeds();
    product.run("inspect", out.toString()).succeeds();
  }

  private static boolean isEmpty(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.findAny().isEmpty();
    }
  }

  @Test
  void aBuildThatWasKilledIsMadeAgain() throws Exception {
    Path target = product.home().resolve("runtime/cli/target");
    Path jar = product.home().resolve("runtime/core/target/filigree-core-0.1.0-SNAPSHOT.jar");
    String text = Files.readString(source());
    Files.writeString(source(), text + "\n// changed\n");
    Program program = product.start("doctor");
    awaitThat(() -> Files.exists(target.resolve("building")) && Files.exists(jar));
    program.kill();
    assertFalse(Files.exists(target.resolve("lib/filigree-cli-0.1.0-SNAPSHOT.jar")));
    // half of a file, as a machine that lost its power leaves it
    Path half = product.home().resolve("runtime/core/target/classes/dev/filigree/Model.class");
    for (Path file : List.of(jar, half)) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(channel.size() / 2);
      }
    }
    Files.writeString(source(), text);
    Program.Result result = product.run("inspect", "minilm");
    assertTrue(result.succeeds().err().contains("filigree: building"), result.err());
    assertTrue(result.out().contains("encoder.layer.0"), result.out());
  }

  /** Without Maven on the path a stale command says so, and one that is fresh runs. */
  private Program.Result withoutMaven() {
    return product.shell(
        Map.of(),
        """
        tools=$(mktemp -d)
        for tool in bash env find cksum sort cat readlink flock mkdir rm awk sed; do
          ln -s "$(command -v $tool)" "$tools/$tool"
        done
        PATH=$tools "$filigree" doctor
        code=$?
        rm -r "$tools"
        exit $code
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
    String project = Files.readString(pom);
    Files.writeString(pom, project + "\n");
    withoutMaven().failsWith(1, needed);
    Files.writeString(pom, project);

    Path moved = source().resolveSibling("Moved.java");
    Files.move(source(), moved);
    withoutMaven().failsWith(1, needed);
    Files.delete(moved);
    withoutMaven().failsWith(1, needed);
    Files.write(source(), bytes);

    Path test = product.home().resolve("runtime/core/src/test/java/New.java");
    Files.createDirectories(test.getParent());
    Files.writeString(test, "class New {}");
    withoutMaven().succeeds();
    Files.delete(test);
  }

  @Test
  void aSourceThatDoesNotCompileIsShownByItsLine() throws IOException {
    String text = Files.readString(source());
    try {
      Files.writeString(source(), text + "\nclass Broken {\n");
      Program.Result result =
          product.run("doctor").failsWith(1, "Progress.java", "the build failed");
      assertFalse(result.err().contains("Help 1") || result.err().contains("-e switch"));
    } finally {
      Files.writeString(source(), text);
    }
    product.run("doctor").succeeds();
  }

  @Test
  void aJdkThatIsNoneIsNamed() {
    Program.Result result =
        product.shell(Map.of("FILIGREE_JAVA_HOME", "/nowhere"), "\"$filigree\" doctor");
    result.failsWith(1, "FILIGREE_JAVA_HOME=/nowhere", "JDK 25");
    assertEquals(1, result.err().lines().count());
  }
}
