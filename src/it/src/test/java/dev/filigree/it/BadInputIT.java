package dev.filigree.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What is wrong with the real model's files, or with the system; the many wrong arguments are
 * tested beside the command itself.
 */
class BadInputIT {
  private final Product product = Product.get();

  private static List<String> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aTruncatedModelIsRefusedAndNothingIsWritten() throws IOException {
    Path folder = product.folder("truncated");
    byte[] model = Files.readAllBytes(product.model());
    Path half = folder.resolve("half.onnx");
    Files.write(half, Arrays.copyOf(model, model.length / 2));
    Path out = folder.resolve("out.filigree");
    product
        .run("compress", half.toString(), "--recipe", "2:4", "-o", out.toString())
        .failsWith(1, half.toString());
    assertEquals(List.of("half.onnx"), files(folder));
  }

  @Test
  void missingDevicesAndWrongOptionsHaveTheirExitCodes() {
    product
        .run("run", "minilm", "--text", "a", "--device", "cuda")
        .failsWith(1, "device cuda:0 is not available", "use the device cpu");
    product.run("run", "minilm", "--text", "a", "--threads", "0").failsWith(2, "--threads is 0");
    product.run("run", "minilm", "--texts", "a").failsWith(2, "--texts", "run --help");
  }

  @Test
  void anUnreadableModelIsNamed() throws IOException {
    Path file = Files.createFile(product.folder("unreadable").resolve("secret.onnx"));
    Files.write(file, new byte[] {1, 2, 3});
    assumeTrue(file.toFile().setReadable(false, false));
    assumeFalse(Files.isReadable(file), "this user reads everything");
    product.run("inspect", file.toString()).failsWith(1, file.toString(), "permissions");
  }

  @Test
  void aFullDiskLeavesNothingBehind() throws IOException {
    Path disk = product.folder("small disk");
    Path out = disk.resolve("out.filigree");
    String mount = "mount -t tmpfs -o size=1m tmpfs \"$disk\"";
    // in a namespace of its own the disk goes when the shell ends, however it ends
    Map<String, String> named = Map.of("disk", disk.toString(), "out", out.toString());
    String namespace = "unshare --mount --propagation private";
    if (product.shell(named, namespace + " bash -c '" + mount + "'").code() != 0) {
      namespace += " --map-root-user";
    }
    Program.Result mounted = product.shell(named, namespace + " bash -c '" + mount + "'");
    assumeTrue(mounted.code() == 0, "no right to mount a small disk: " + mounted.err());
    // what is left on the disk is listed on standard output
    product
        .shell(
            named,
            namespace
                + " bash -c '"
                + mount
                + " && \"$filigree\" compress minilm --recipe 2:4 -o \"$out\"; code=$?;"
                + " ls -A \"$disk\"; exit $code'")
        .failsWith(1, out.toString(), "space");
  }

  @Test
  void aCacheThatCannotBeMadeIsNamedWithTheVariableThatMovesIt() throws IOException {
    Path file = Files.createFile(product.folder("cache").resolve("file"));
    product
        .shell(
            Map.of("FILIGREE_CACHE", file.resolve("cache").toString()),
            "\"$filigree\" inspect minilm")
        .failsWith(1, file.toString(), "FILIGREE_CACHE");
  }

  @Test
  void verboseShowsTheStackTrace() {
    Program.Result result = product.run("inspect", "gone.onnx", "--verbose");
    assertEquals(1, result.code());
    assertTrue(result.err().contains("\tat dev.filigree"), result.err());
  }
}
