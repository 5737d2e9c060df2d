package dev.filigree.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The texts, images or arrays that models are judged by. */
final class ExaminationOptions {
  @Option(
      names = "--text-file",
      paramLabel = "F",
      description = "Texts to judge by, one a line; none of the calibration's.")
  private Path textFile;

  @Option(
      names = "--image",
      paramLabel = "FILE",
      arity = "1..*",
      description = {
        "Images to judge by, or folders that are searched for some.",
        "Where their folders are called after classes, accuracy is told."
      })
  private List<Path> images = List.of();

  @Mixin private ImageDescription description;

  @Option(
      names = "--input",
      paramLabel = "NAME=FILE.npy",
      parameterConsumer = NamedOption.Files.class,
      description = "Arrays to judge by, samples along the first axis; one for each input.")
  private Map<String, Path> arrays = Map.of();

  /**
   * The examination that was asked for.
   *
   * @param texts given in another way
   * @param others texts of another domain
   * @param scored pairs, or null
   * @param calibrated what was learned from, which must not be asked again; or null
   */
  Examination examination(
      List<String> texts, List<String> others, ScoredPairs scored, CalibrationOptions calibrated) {
    List<String> all = new ArrayList<>(texts);
    if (textFile != null) {
      all.addAll(TextLines.read("--text-file", textFile));
    }
    int kinds = (all.isEmpty() ? 0 : 1) + (images.isEmpty() ? 0 : 1) + (arrays.isEmpty() ? 0 : 1);
    if (kinds != 1) {
      throw new UsageException(
          "models are judged by texts (--text-file F), by images (--image FILES) or by arrays"
              + " (--input NAME=FILE.npy); pass one kind");
    }
    if (all.isEmpty() && (!others.isEmpty() || scored != null)) {
      throw new UsageException("--other-texts and --scored-pairs belong to --text-file");
    }
    description.requireImages(!images.isEmpty());
    if (!arrays.isEmpty()) {
      return new ArrayExamination(arrays);
    }
    if (images.isEmpty()) {
      if (calibrated != null) {
        requireUnlearned("--text-file " + textFile, all, calibrated.texts());
      }
      return new TextExamination(all, others, scored);
    }
    List<Path> files = ImageFiles.of("--image", images);
    if (calibrated != null) {
      requireUnlearned("--image", real(files), real(calibrated.images()));
    }
    return new ImageExamination(files, description.labels(), description);
  }

  private static List<String> real(List<Path> files) {
    List<String> real = new ArrayList<>();
    for (Path file : files) {
      try {
        real.add(file.toRealPath().toString());
      } catch (IOException unreadable) {
        // reading it will say why
        real.add(file.toString());
      }
    }
    return real;
  }

  /** What was learned by heart must not be asked in the examination. */
  static void requireUnlearned(String option, List<String> asked, List<String> learned) {
    Set<String> known = new HashSet<>();
    learned.forEach(sample -> known.add(sample.strip()));
    for (String sample : asked) {
      if (known.contains(sample.strip())) {
        throw new UsageException(
            option + " has '" + Output.cut(sample, 60) + "' of the calibration; judge by others");
      }
    }
  }
}
