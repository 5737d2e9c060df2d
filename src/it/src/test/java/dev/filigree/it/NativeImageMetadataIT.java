package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What the jars tell GraalVM's native-image, against what they hold and what their sources do. No
 * image is built here.
 */
class NativeImageMetadataIT {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  /** Modules of the library; the command and the simulated GPU are not made for images. */
  private static final List<String> MODULES =
      List.of(
          "runtime/core",
          "runtime/compress",
          "runtime/text",
          "runtime/image",
          "runtime/serve",
          "runtime/micrometer",
          "runtime/langchain4j",
          "runtime/djl",
          "kernels/vector",
          "kernels/cuda",
          "native/cpu");

  private static final Set<String> KINDS = Set.of("reflection", "resources", "foreign");

  /** Types of the C side that a descriptor may name. */
  private static final Set<String> C_TYPES =
      Set.of("void", "void*", "jboolean", "jbyte", "jshort", "jint", "jlong", "jfloat", "jdouble");

  private static final Pattern DESCRIPTOR =
      Pattern.compile("FunctionDescriptor\\.of(Void)?\\(([^()]*)\\)");

  private final Path project = Path.of(System.getProperty("filigree.project"));

  private Path metadata(String module) {
    Path folder =
        project.resolve(module).resolve("src/main/resources/META-INF/native-image/dev.filigree");
    if (!Files.exists(folder)) {
      return null;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> found = files.filter(Files::isRegularFile).toList();
      assertEquals(1, found.size(), found.toString());
      assertEquals("reachability-metadata.json", found.getFirst().getFileName().toString());
      return found.getFirst();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private JsonNode read(String module) throws IOException {
    Path file = metadata(module);
    return file == null ? JSON.createObjectNode() : JSON.readTree(Files.readString(file));
  }

  @Test
  void everyFileSaysOnlyWhatTheFormatKnows() throws IOException {
    int files = 0;
    for (String module : MODULES) {
      Path file = metadata(module);
      if (file == null) {
        continue;
      }
      files++;
      String artifact = file.getParent().getFileName().toString();
      assertTrue(
          Files.readString(project.resolve(module).resolve("pom.xml"))
              .contains("<artifactId>" + artifact + "</artifactId>"),
          artifact);
      JsonNode document = read(module);
      document.propertyNames().forEach(kind -> assertTrue(KINDS.contains(kind), kind));
      for (JsonNode resource : document.path("resources")) {
        assertEquals(Set.of("glob"), Set.copyOf(resource.propertyNames()));
      }
      for (JsonNode call : document.path("foreign").path("downcalls")) {
        assertTrue(C_TYPES.contains(call.get("returnType").asString()), call.toString());
        call.get("parameterTypes")
            .forEach(type -> assertTrue(C_TYPES.contains(type.asString()), call.toString()));
      }
    }
    assertEquals(6, files);
  }

  @Test
  void everyResourceIsNamedAndEveryNameIsAResource() throws IOException {
    for (String module : MODULES) {
      Set<String> globs = new TreeSet<>();
      read(module).path("resources").forEach(each -> globs.add(each.get("glob").asString()));
      Set<String> unused = new TreeSet<>(globs);
      // made by a compiler, and only where there is one
      unused.removeIf(glob -> glob.contains("linux-x86_64"));
      for (String resource : resources(module)) {
        List<String> matching = globs.stream().filter(glob -> matches(glob, resource)).toList();
        assertFalse(matching.isEmpty(), module + " does not name " + resource);
        unused.removeAll(matching);
      }
      assertEquals(Set.of(), unused, module);
    }
  }

  private static boolean matches(String glob, String resource) {
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + glob);
    return matcher.matches(Path.of(resource));
  }

  /** What is read by name at run time; services are found by native-image itself. */
  private List<String> resources(String module) throws IOException {
    Path root = project.resolve(module).resolve("src/main/resources");
    if (!Files.exists(root)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> root.relativize(file).toString())
          .filter(file -> !file.startsWith("META-INF"))
          .toList();
    }
  }

  @Test
  void everyTypeExists() throws Exception {
    List<String> types = new ArrayList<>();
    for (String module : MODULES) {
      for (JsonNode entry : read(module).path("reflection")) {
        JsonNode type = entry.get("type");
        if (type.isString()) {
          types.add(type.asString());
          Class<?> found = load(type.asString());
          for (JsonNode method : entry.path("methods")) {
            assertEquals("<init>", method.get("name").asString());
            found.getConstructor();
          }
        } else {
          for (JsonNode face : type.get("proxy")) {
            types.add(face.asString());
            assertTrue(load(face.asString()).isInterface(), face.asString());
          }
        }
      }
    }
    assertEquals(2, types.size(), types.toString());
  }

  private static Class<?> load(String name) throws ClassNotFoundException {
    return Class.forName(name, false, NativeImageMetadataIT.class.getClassLoader());
  }

  @Test
  void everyProviderOfAServiceExists() throws Exception {
    int providers = 0;
    for (String module : MODULES) {
      Path services = project.resolve(module).resolve("src/main/resources/META-INF/services");
      if (!Files.exists(services)) {
        continue;
      }
      try (Stream<Path> files = Files.list(services)) {
        for (Path file : files.toList()) {
          Class<?> service = load(file.getFileName().toString());
          for (String provider : Files.readAllLines(file)) {
            if (!provider.isBlank() && !provider.startsWith("#")) {
              assertTrue(service.isAssignableFrom(load(provider.strip())), provider);
              providers++;
            }
          }
        }
      }
    }
    assertTrue(providers >= 3, providers + " providers");
  }

  @Test
  void everyCallOfNativeCodeIsDescribed() throws IOException {
    Set<String> described = new TreeSet<>();
    for (JsonNode call : read("native/cpu").get("foreign").get("downcalls")) {
      List<String> parameters = new ArrayList<>();
      call.get("parameterTypes").forEach(type -> parameters.add(type.asString()));
      described.add(call.get("returnType").asString() + parameters);
      assertFalse(
          call.get("options").get("critical").get("allowHeapAccess").asBoolean(), call.toString());
    }
    Set<String> called = new TreeSet<>();
    for (String module : MODULES) {
      try (Stream<Path> sources = Files.walk(project.resolve(module).resolve("src/main/java"))) {
        for (Path source : sources.filter(file -> file.toString().endsWith(".java")).toList()) {
          Matcher descriptor = DESCRIPTOR.matcher(Files.readString(source));
          while (descriptor.find()) {
            called.add(call(descriptor.group(1) != null, descriptor.group(2)));
          }
        }
      }
    }
    assertEquals(called, described);
  }

  private static String call(boolean isVoid, String layouts) {
    List<String> types = new ArrayList<>();
    for (String layout : layouts.split(",")) {
      String name = layout.strip().replace("ValueLayout.", "");
      types.add(
          name.equals("ADDRESS") ? "void*" : name.replace("JAVA_", "j").toLowerCase(Locale.ROOT));
    }
    return isVoid ? "void" + types : types.removeFirst() + types;
  }
}
