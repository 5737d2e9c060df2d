package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.ClassEntry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** What is told to the JIT compiler names the classes that use vectors, and no other. */
class CompilerFilesTest {
  private static final String PACKAGE = "dev/filigree/kernels/vector/";

  @Test
  void directivesNameTheKernels() throws Exception {
    assertEquals(
        kernels(), named("compiler-directives.json", "\"" + PACKAGE + "(\\w+)\\.\\*\"[,\\n]"));
  }

  @Test
  void commandsNameTheKernels() throws Exception {
    assertEquals(
        kernels(),
        named("compile-commands", "CompileThresholdScaling," + PACKAGE + "(\\w+)\\.\\*,"));
  }

  private static SortedSet<String> named(String file, String pattern) throws IOException {
    try (InputStream in = CompilerHints.class.getResourceAsStream(file)) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      String matched = text.contains("inline:") ? text.substring(0, text.indexOf("inline:")) : text;
      return Pattern.compile(pattern)
          .matcher(matched)
          .results()
          .map(result -> result.group(1))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /**
   * Classes of this package with vectors in their bodies; the provider only asks for their width.
   */
  private static SortedSet<String> kernels() throws Exception {
    Path classes =
        Path.of(CompilerHints.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    SortedSet<String> kernels = new TreeSet<>();
    try (Stream<Path> files = Files.list(classes.resolve(PACKAGE))) {
      for (Path file : files.filter(each -> each.toString().endsWith(".class")).toList()) {
        if (usesVectors(Files.readAllBytes(file))) {
          kernels.add(file.getFileName().toString().replace(".class", ""));
        }
      }
    }
    kernels.remove("VectorProvider");
    assertFalse(kernels.isEmpty());
    return kernels;
  }

  private static boolean usesVectors(byte[] content) {
    return StreamSupport.stream(ClassFile.of().parse(content).constantPool().spliterator(), false)
        .anyMatch(
            entry ->
                entry instanceof ClassEntry type
                    && type.asInternalName().startsWith("jdk/incubator/vector/"));
  }
}
