package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.image.Preprocessing;
import dev.filigree.image.PreprocessingJson;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** What users say of images beside what the model does. */
final class ImageDescription {
  @Option(
      names = "--labels",
      paramLabel = "FILE",
      description = "Names of the classes, one a line (default: labels.txt beside the model).")
  private Path labels;

  @Option(
      names = "--preprocessing",
      paramLabel = "FILE",
      description = "What is done to images, as JSON (default: image.json beside the model).")
  private Path preprocessing;

  /** Refuses a description of no images. */
  void requireImages(boolean given) {
    if (!given && (labels != null || preprocessing != null)) {
      throw new UsageException("--labels and --preprocessing belong to --image; pass images");
    }
  }

  /** The file of {@link #labels}, or null. */
  Path labelFile() {
    return labels;
  }

  /** Names of the classes by index; empty if nobody says more than the model. */
  List<String> labels() {
    return labels == null ? List.of() : TextLines.read("--labels", labels);
  }

  /** What is done to images of a model; empty if nobody says. */
  Optional<Preprocessing> preprocessing(Model model) {
    return preprocessing == null
        ? Preprocessing.of(model)
        : Optional.of(PreprocessingJson.read(preprocessing));
  }
}
