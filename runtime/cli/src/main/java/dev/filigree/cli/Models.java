package dev.filigree.cli;

import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Tensor;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import dev.filigree.format.AtomicFile;
import dev.filigree.graph.Constant;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Finds the model a command line names: a path, or a bundled model; compressed by a recipe if one
 * is asked for.
 */
final class Models {
  /**
   * Bundled models: name on the command line, and their files on the class path, the model first.
   */
  private static final Map<String, List<String>> BUNDLED =
      Map.of(
          "minilm",
          List.of("all-minilm-l6-v2.onnx", "all-minilm-l6-v2-tokenizer.json"),
          "minilm-q",
          List.of("all-minilm-l6-v2-q.onnx", "all-minilm-l6-v2-q-tokenizer.json"));

  private static final long MEGABYTE = 1_000_000;

  private Models() {}

  /** The file of a model: where it lies, or where a bundled one was unpacked. */
  static Path file(String name, Progress progress) {
    List<String> files = BUNDLED.get(name);
    if (files == null) {
      return existing(name);
    }
    Path folder = Cache.folder("models");
    for (String file : files) {
      unpack(file, folder.resolve(file), progress);
    }
    return folder.resolve(files.getFirst());
  }

  private static Path existing(String name) {
    String remedy =
        "pass the path of a .onnx or .filigree file, a checkpoint's folder, or a bundled model: "
            + String.join(", ", new TreeSet<>(BUNDLED.keySet()));
    try {
      Path path = Path.of(name);
      if (name.isEmpty() || !Files.exists(path)) {
        throw new FormatException("the model '" + name + "' does not exist", remedy);
      }
      return path;
    } catch (InvalidPathException wrong) {
      throw new FormatException("the model '" + name + "' is no path", remedy, wrong);
    }
  }

  /**
   * Copies a resource to a file unless it is there already; a file that is there is whole, since it
   * was renamed.
   */
  private static void unpack(String resource, Path file, Progress progress) {
    URL url = Models.class.getResource("/" + resource);
    if (url == null) {
      throw new FormatException(
          "the bundled model file " + resource + " is not on the class path",
          "start the command by its launcher, or pass the path of a model");
    }
    try {
      URLConnection connection = url.openConnection();
      long size = connection.getContentLengthLong();
      if (Files.exists(file) && Files.size(file) == size) {
        connection.getInputStream().close();
        return;
      }
      try (InputStream in = connection.getInputStream()) {
        AtomicFile.write(file, channel -> copy(in, channel, size, resource, progress));
      }
    } catch (IOException failed) {
      throw new FormatException(
          "the bundled model file " + url + " cannot be read (" + failed.getMessage() + ")",
          "build or install the command again",
          failed);
    }
  }

  private static void copy(
      InputStream in, FileChannel out, long size, String name, Progress progress)
      throws IOException {
    byte[] buffer = new byte[1 << 20];
    long done = 0;
    for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
      ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, read);
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      done += read;
      progress.at("unpacking " + name + " (MB)", done / MEGABYTE, size / MEGABYTE);
    }
  }

  /**
   * The file of a model compressed by a recipe; the model itself if the recipe leaves it as it is.
   * It is made once and kept in the cache, under a key of the model's path, size and time of
   * change, and the recipe.
   */
  static Path compressed(Path model, Recipe recipe, int threads, Progress progress) {
    if (recipe.isEmpty()) {
      return model;
    }
    if (recipe.needsCalibration()) {
      throw new UsageException(
          "--recipe "
              + recipe.name()
              + " learns from samples: apply it with 'filigree compress "
              + model
              + " --recipe ...' and --calibration, --calibration-image or --calibration-input, and"
              + " pass the file that writes");
    }
    Path file = Cache.folder("compressed").resolve(key(model, recipe) + ".filigree");
    if (!Files.exists(file)) {
      try (Model opened = Model.open(model)) {
        Compressor.compress(opened, recipe, threads, progress).write(file);
      }
    }
    return file;
  }

  /** An ONNX file of a model: its own, or one made once and kept in the cache. */
  static Path onnx(Path file, Model model, Progress progress) {
    if (file.toString().endsWith(".onnx")) {
      return file;
    }
    progress.at("writing " + model.name() + " as ONNX", 0, 1);
    Path onnx = Cache.folder("compressed").resolve(key(file, Recipe.named("dense")) + ".onnx");
    if (!Files.exists(onnx)) {
      model.writeOnnx(onnx);
    }
    progress.at("writing " + model.name() + " as ONNX", 1, 1);
    return onnx;
  }

  private static String key(Path model, Recipe recipe) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      Path absolute = model.toRealPath();
      for (String part :
          List.of(
              Version.number(),
              absolute.toString(),
              Long.toString(bytes(absolute)),
              lastChange(absolute).toString(),
              RecipeJson.write(recipe))) {
        digest.update(part.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
      }
      String hash = HexFormat.of().formatHex(digest.digest(), 0, 12);
      String name = absolute.getFileName().toString().replaceFirst("\\.[^.]*$", "");
      return name + "-" + fileName(recipe) + "-" + hash;
    } catch (IOException failed) {
      throw new FormatException(
          model + " cannot be read (" + failed.getMessage() + ")", "check its permissions", failed);
    } catch (NoSuchAlgorithmException everyJvmHasIt) {
      throw new IllegalStateException(everyJvmHasIt);
    }
  }

  /** Bytes of a file, or of all files of a checkpoint's folder. */
  static long bytes(Path model) throws IOException {
    long bytes = 0;
    for (Path file : files(model)) {
      bytes += Files.size(file);
    }
    return bytes;
  }

  private static FileTime lastChange(Path model) throws IOException {
    FileTime last = Files.getLastModifiedTime(model);
    for (Path file : files(model)) {
      FileTime time = Files.getLastModifiedTime(file);
      last = time.compareTo(last) > 0 ? time : last;
    }
    return last;
  }

  private static List<Path> files(Path model) throws IOException {
    if (!Files.isDirectory(model)) {
      return List.of(model);
    }
    try (Stream<Path> inside = Files.list(model)) {
      return inside.filter(Files::isRegularFile).toList();
    }
  }

  /**
   * Reads a model that was written from another one and compares every weight.
   *
   * @throws FormatException if one differs; the written file is deleted
   */
  static void checkSame(Model expected, Path written) throws IOException {
    try (Model found = Model.open(written)) {
      for (Map.Entry<String, Constant> constant : expected.constants().entrySet()) {
        Tensor wanted = constant.getValue().toTensor().contiguous();
        Constant read = found.constants().get(constant.getKey());
        Tensor actual = read == null ? null : read.toTensor().contiguous();
        boolean same =
            actual != null
                && actual.dtype() == wanted.dtype()
                && actual.shape().equals(wanted.shape())
                && wanted
                        .data()
                        .asSlice(0, wanted.bytes())
                        .mismatch(actual.data().asSlice(0, actual.bytes()))
                    == -1;
        if (!same) {
          Files.delete(written);
          throw new FormatException(
              "constant '"
                  + constant.getKey()
                  + "' does not read back from "
                  + written
                  + " as it was written",
              "report this: the conversion would have lost something");
        }
      }
    }
  }

  /** Name of the recipe a model was compressed with. */
  static String recipe(Model model) {
    String recipe = model.metadata().get(Compression.RECIPE);
    return recipe == null
        ? Recipe.named("dense").name()
        : RecipeJson.parse("the recipe in " + model.path(), recipe).name();
  }

  /** A recipe's name as part of a file name. */
  static String fileName(Recipe recipe) {
    return recipe.name().replaceAll("[^A-Za-z0-9._-]", "-");
  }
}
