package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Recipe;
import dev.filigree.image.ImageInputs;
import dev.filigree.image.Preprocessing;
import dev.filigree.text.TextBatches;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** The texts, images or arrays that a recipe learns from. */
final class CalibrationOptions {
  @Option(
      names = "--calibration",
      paramLabel = "FILE",
      description = "Texts that recipes learn from, one a line.")
  private Path file;

  @Option(
      names = "--calibration-image",
      paramLabel = "FILE",
      arity = "1..*",
      description = "Images to learn from, or folders that are searched for some.")
  private List<Path> images = List.of();

  @Option(
      names = "--calibration-input",
      paramLabel = "NAME=FILE.npy",
      parameterConsumer = NamedOption.Files.class,
      description = "Arrays to learn from, samples along the first axis; one for each input.")
  private Map<String, Path> arrays = Map.of();

  @Option(
      names = "--calibration-samples",
      paramLabel = "N",
      defaultValue = "2000",
      description = "Lines, images or samples to use at most (default: 2000).")
  private int samples;

  @Option(
      names = "--calibration-tokens",
      paramLabel = "N",
      defaultValue = "64",
      description = "Tokens of a text to use at most (default: 64).")
  private int tokens;

  /** Whether there is something to learn from. */
  boolean isGiven() {
    return file != null || !images.isEmpty() || !arrays.isEmpty();
  }

  /**
   * Says on standard error that there is something to learn from and nothing that learns; silence
   * would let the result pass for a calibrated one.
   */
  void tellUnused(List<Recipe> recipes, PrintWriter err) {
    if (isGiven() && recipes.stream().noneMatch(Recipe::needsCalibration)) {
      err.println(
          "filigree: "
              + option()
              + " is not used: "
              + (recipes.size() == 1
                  ? "recipe " + recipes.getFirst().name() + " does not learn"
                  : "no recipe learns")
              + " from samples");
    }
  }

  private String option() {
    return file != null
        ? "--calibration"
        : images.isEmpty() ? "--calibration-input" : "--calibration-image";
  }

  /** The texts, or none. */
  List<String> texts() {
    check();
    if (file == null) {
      return List.of();
    }
    List<String> texts = TextLines.read("--calibration", file);
    return texts.subList(0, Math.min(samples, texts.size()));
  }

  /** The image files, or none. */
  List<Path> images() {
    List<Path> files = ImageFiles.of("--calibration-image", images);
    return files.subList(0, Math.min(samples, files.size()));
  }

  private void check() {
    Common.checkPositive("--calibration-samples", samples);
    Common.checkPositive("--calibration-tokens", tokens);
    int kinds = (file == null ? 0 : 1) + (images.isEmpty() ? 0 : 1) + (arrays.isEmpty() ? 0 : 1);
    if (kinds > 1) {
      throw new UsageException(
          "a recipe learns either from texts (--calibration), from images (--calibration-image) or"
              + " from arrays (--calibration-input); pass one kind");
    }
    if (file != null && file.toString().endsWith(".npy")) {
      throw new UsageException(
          "--calibration "
              + file
              + " is an array, not texts; pass --calibration-input NAME="
              + file
              + " with the name of the input that reads it");
    }
  }

  /** Samples of a model, or null if there is nothing to learn from. */
  Calibration samples(Model model) {
    List<String> texts = texts();
    if (!texts.isEmpty()) {
      return new Calibration(TextBatches.of(model, texts, tokens));
    }
    if (!images.isEmpty()) {
      return new Calibration(ImageInputs.of(model, Preprocessing.of(model)).batches(images()));
    }
    return arrays.isEmpty()
        ? null
        : new Calibration(ArrayBatches.of("--calibration-input", arrays, samples, model));
  }
}
