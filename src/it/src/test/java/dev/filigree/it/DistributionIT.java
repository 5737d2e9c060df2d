package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The zip, unpacked somewhere else, on a machine that has a JDK and no Maven. */
class DistributionIT {
  private static final Path JDK = Path.of(System.getProperty("java.home"));

  private static final Path PROJECT = Path.of(System.getProperty("filigree.project"));

  private static Path home;
  private static Path streams;

  @BeforeAll
  static void unpack() throws IOException, InterruptedException {
    Path folder = Path.of(System.getProperty("filigree.folder")).resolveSibling("distribution");
    Path place = Files.createDirectories(folder.resolve("somewhere für 漢字"));
    streams = Files.createDirectories(folder.resolve("streams"));
    // it drops modes, so that only bash itself makes the launcher run
    Process unzip =
        new ProcessBuilder(
                JDK.resolve("bin/jar").toString(),
                "--extract",
                "--file",
                System.getProperty("filigree.distribution"))
            .directory(place.toFile())
            .inheritIO()
            .start();
    assertEquals(0, unzip.waitFor());
    try (Stream<Path> unpacked = Files.list(place)) {
      home = unpacked.findFirst().orElseThrow();
    }
  }

  private static Program.Result run(Map<String, String> environment, String... arguments) {
    Map<String, String> all = new HashMap<>(environment);
    all.put("FILIGREE_CACHE", streams.resolveSibling("cache").toString());
    all.put("LC_ALL", "C");
    all.putIfAbsent("JAVA_HOME", "");
    List<String> command = new ArrayList<>(List.of("bash", home.resolve("bin/filigree") + ""));
    command.addAll(List.of(arguments));
    return Program.start(streams, streams, all, command).await();
  }

  @Test
  void itRunsWithoutMavenWithTheJdkOfJavaHome() {
    Map<String, String> bare = Map.of("JAVA_HOME", JDK.toString(), "PATH", "/usr/bin:/bin");
    JsonNode answer =
        run(bare, "run", "minilm", "--text", Product.EATING, "--text", Product.BREAD, "--json")
            .json();
    assertEquals(Product.COSINE, answer.get("cosine").get(0).get(1).asDouble(), 1e-4);
  }

  @Test
  void itRunsWithTheJdkOfThePathAndWithTheFastKernels() {
    Map<String, String> onPath = Map.of("PATH", JDK.resolve("bin") + ":/usr/bin:/bin");
    JsonNode doctor = run(onPath, "doctor", "--json").json();
    assertTrue(doctor.toString().contains("vector"), doctor.toString());
    run(onPath, "run", "no such model", "--text", "x").failsWith(1, "no such model");
  }

  @Test
  void itHasTheJarsOfTheCommandAndNoTests() throws IOException {
    try (Stream<Path> jars = Files.list(home.resolve("lib"))) {
      List<String> names =
          jars.map(jar -> jar.getFileName().toString())
              .filter(name -> name.endsWith(".jar"))
              .toList();
      for (String part : List.of("cli", "core", "text", "serve", "kernels-vector", "cuda")) {
        assertTrue(names.stream().anyMatch(name -> name.startsWith("filigree-" + part)), part);
      }
      assertFalse(names.stream().anyMatch(name -> name.contains("tests")), names.toString());
      assertFalse(names.stream().anyMatch(name -> name.contains("junit")), names.toString());
    }
    assertTrue(Files.exists(home.resolve("LICENSE")));
  }

  private static final Pattern COPY = Pattern.compile("(?m)^COPY --from=(\\w+) (\\S+) (\\S+)$");

  private static final Pattern MODULE = Pattern.compile("-pl (\\S+)");

  /** No image is built here: that what the files name exists is all that is checked. */
  @Test
  void whatTheDockerfilesNameExists() throws IOException {
    for (String name : List.of("cpu", "cuda")) {
      String file = Files.readString(PROJECT.resolve("src/docker").resolve(name + ".Dockerfile"));
      assertTrue(file.contains("-f src/docker/" + name + ".Dockerfile"), name);
      Matcher module = MODULE.matcher(file);
      assertTrue(module.find());
      assertTrue(Files.exists(PROJECT.resolve(module.group(1)).resolve("pom.xml")), file);
      assertTrue(file.contains("unzip -q runtime/dist/target/filigree-*.zip"), file);
      Matcher copy = COPY.matcher(file);
      boolean hasProduct = false;
      while (copy.find()) {
        assertEquals("build", copy.group(1));
        hasProduct |= copy.group(3).equals("/opt/filigree");
      }
      assertTrue(hasProduct, file);
      command(file, "ENTRYPOINT")
          .forEach(
              part -> assertTrue(Files.exists(home.resolve(part.replace("/opt/filigree/", "")))));
      List<String> arguments = new ArrayList<>(command(file, "CMD"));
      // options that are misspelt are told before help is shown
      arguments.add("--help");
      Program.Result help =
          run(Map.of("JAVA_HOME", JDK.toString()), arguments.toArray(String[]::new)).succeeds();
      assertTrue(help.out().contains("--token-file"), help.out());
    }
  }

  private static List<String> command(String file, String instruction) {
    String line =
        file.lines().filter(each -> each.startsWith(instruction + " [")).findFirst().orElseThrow();
    List<String> parts = new ArrayList<>();
    JsonMapper.builder()
        .build()
        .readTree(line.substring(instruction.length()))
        .forEach(part -> parts.add(part.asString()));
    return parts;
  }
}
