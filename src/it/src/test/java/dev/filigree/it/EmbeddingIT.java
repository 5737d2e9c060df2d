package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** The library inside somebody else's program, on the class path and on the module path. */
class EmbeddingIT {
  private static final String VECTOR_MODULE = "--add-modules=jdk.incubator.vector";
  private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";

  private static final String PROGRAM =
      """
      package user;

      import dev.filigree.Model;
      import dev.filigree.SessionOptions;
      import dev.filigree.text.EncoderOptions;
      import dev.filigree.text.SentenceEncoder;
      import java.nio.file.Path;
      import java.util.List;

      public final class Program {
        public static void main(String[] arguments) {
          SessionOptions options = SessionOptions.defaults().withThreads(1);
          try (Model model = Model.open(Path.of(arguments[0]));
              SentenceEncoder encoder =
                  SentenceEncoder.open(model, options, EncoderOptions.DEFAULTS)) {
            float[][] vectors =
                encoder.embed(
                    List.of("A man is eating food.", "A man is eating a piece of bread."));
            System.out.printf(
                "%.4f %s%n",
                SentenceEncoder.cosine(vectors[0], vectors[1]), encoder.session().kernels());
          }
        }
      }
      """;

  private static final String MODULE =
      """
      module user {
        requires dev.filigree.core;
        requires dev.filigree.text;
      }
      """;

  /** The first block of Java in the README. */
  private static final Pattern EXAMPLE = Pattern.compile("(?ms)^```java\\R(.*?)^```");

  private static final Pattern CLASS = Pattern.compile("(?m)^(?:public )?(?:final )?class (\\w+)");

  private final Product product = Product.get();

  private String jars(String... names) {
    return product.jars().stream()
        .filter(
            jar ->
                names.length == 0
                    || Stream.of(names).anyMatch(jar.getFileName().toString()::startsWith))
        .map(Path::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static Path compile(Path folder, List<String> options, Path... sources)
      throws IOException {
    Path classes = Files.createDirectories(folder.resolve("classes"));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      List<String> all = new ArrayList<>(List.of("-d", classes.toString()));
      all.addAll(options);
      boolean compiled =
          compiler
              .getTask(messages, files, null, all, null, files.getJavaFileObjects(sources))
              .call();
      assertTrue(compiled, messages.toString());
    }
    return classes;
  }

  @Test
  void onTheClassPathItRunsWithAndWithoutVectors() throws IOException {
    Path folder = product.folder("class path");
    Path source = Files.writeString(folder.resolve("Program.java"), PROGRAM);
    Path classes = compile(folder, List.of("-cp", jars("filigree-")), source);
    String classPath = classes + File.pathSeparator + jars();
    String model = product.model().toString();
    String scalar =
        product
            .java(List.of(NATIVE_ACCESS, "-cp", classPath, "user.Program", model))
            .succeeds()
            .out();
    assertEquals("0.7553 scalar", scalar.strip());
    String vector =
        product
            .java(List.of(VECTOR_MODULE, NATIVE_ACCESS, "-cp", classPath, "user.Program", model))
            .succeeds()
            .out();
    assertTrue(vector.matches("0\\.7553 vector \\d+-bit\\R"), vector);
  }

  /** What an application server does: libraries with native code above, an application in each. */
  private static final String SERVER =
      """
      import java.io.File;
      import java.net.URL;
      import java.net.URLClassLoader;
      import java.nio.file.Path;
      import java.util.stream.Stream;

      public final class Server {
        public static void main(String[] arguments) throws Exception {
          try (URLClassLoader shared =
                  new URLClassLoader(urls(arguments[0]), ClassLoader.getPlatformClassLoader());
              URLClassLoader first = new URLClassLoader(urls(arguments[1]), shared);
              URLClassLoader second = new URLClassLoader(urls(arguments[1]), shared)) {
            for (URLClassLoader application : new URLClassLoader[] {first, second, first}) {
              Thread.currentThread().setContextClassLoader(application);
              application
                  .loadClass("user.Program")
                  .getMethod("main", String[].class)
                  .invoke(null, (Object) new String[] {arguments[2]});
            }
          }
        }

        private static URL[] urls(String path) throws Exception {
          return Stream.of(path.split(File.pathSeparator))
              .map(entry -> Path.of(entry).toUri())
              .map(
                  uri -> {
                    try {
                      return uri.toURL();
                    } catch (java.net.MalformedURLException impossible) {
                      throw new IllegalStateException(impossible);
                    }
                  })
              .toArray(URL[]::new);
        }
      }
      """;

  @Test
  void twoApplicationsOfAServerShareNothingButTheTokenizersNativeCode() throws IOException {
    Path folder = product.folder("server");
    Path program = Files.writeString(folder.resolve("Program.java"), PROGRAM);
    Path server = Files.writeString(folder.resolve("Server.java"), SERVER);
    Path classes = compile(folder, List.of("-cp", jars("filigree-")), program);
    Path serverClasses = compile(product.folder("server classes"), List.of(), server);
    String shared = jars("tokenizers", "api-", "jna", "gson", "slf4j-", "commons-", "error_prone");
    String application = classes + File.pathSeparator + jars("filigree-", "jackson-");
    String out =
        product
            .java(
                List.of(
                    VECTOR_MODULE,
                    NATIVE_ACCESS,
                    "-cp",
                    serverClasses.toString(),
                    "Server",
                    shared,
                    application,
                    product.model().toString()))
            .succeeds()
            .out();
    assertTrue(out.matches("(0\\.7553 vector \\d+-bit\\R){3}"), out);
  }

  @Test
  void theSimulatedGpuMayBeAbsent() throws IOException {
    Path folder = product.folder("no simulated gpu");
    Path source = Files.writeString(folder.resolve("Program.java"), PROGRAM);
    Path classes = compile(folder, List.of("-cp", jars("filigree-")), source);
    String without =
        product.jars().stream()
            .filter(jar -> !jar.getFileName().toString().startsWith("filigree-simgpu"))
            .map(Path::toString)
            .collect(Collectors.joining(File.pathSeparator));
    String out =
        product
            .java(
                List.of(
                    NATIVE_ACCESS,
                    "-cp",
                    classes + File.pathSeparator + without,
                    "user.Program",
                    product.model().toString()))
            .succeeds()
            .out();
    assertEquals("0.7553 scalar", out.strip());
  }

  @Test
  void onTheModulePathItFindsItsVectorKernelsByItself() throws IOException {
    Path folder = product.folder("module path");
    Path source = Files.writeString(folder.resolve("Program.java"), PROGRAM);
    Path descriptor = Files.writeString(folder.resolve("module-info.java"), MODULE);
    String modules =
        jars(
            "filigree-core",
            "filigree-text",
            "filigree-kernels-vector",
            "jackson-",
            "tokenizers",
            "api-",
            "jna",
            "gson",
            "slf4j-api",
            "commons-compress",
            "commons-io",
            "commons-codec",
            "error_prone");
    Path classes = compile(folder, List.of("--module-path", modules), source, descriptor);
    String out =
        product
            .java(
                List.of(
                    "--module-path",
                    classes + File.pathSeparator + modules,
                    "-m",
                    "user/user.Program",
                    product.model().toString()))
            .succeeds()
            .out();
    assertTrue(out.matches("0\\.7553 vector \\d+-bit\\R"), out);
  }

  @Test
  void theExampleOfTheReadmeCompilesAndRuns() throws IOException {
    Matcher example = EXAMPLE.matcher(Files.readString(product.home().resolve("README.md")));
    assertTrue(example.find(), "README.md has no block of Java");
    Matcher name = CLASS.matcher(example.group(1));
    assertTrue(name.find(), "the example declares no class");
    Path folder = product.folder("readme");
    Path source = Files.writeString(folder.resolve(name.group(1) + ".java"), example.group(1));
    Path classes = compile(folder, List.of("-cp", jars("filigree-")), source);
    Program.Result result =
        product.java(
            List.of(
                VECTOR_MODULE,
                NATIVE_ACCESS,
                "-cp",
                classes + File.pathSeparator + jars(),
                name.group(1),
                product.model().toString()));
    assertTrue(result.succeeds().out().contains("0.7553"), result.out());
  }
}
