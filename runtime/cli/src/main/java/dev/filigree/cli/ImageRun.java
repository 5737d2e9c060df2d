package dev.filigree.cli;

import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.image.Classification;
import dev.filigree.image.ImageClassifier;
import dev.filigree.image.PreprocessingJson;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Options and work of {@code run --image}: classifies image files. */
final class ImageRun {
  /** Classes shown of an image. */
  private static final int TOP = 5;

  @Option(
      names = "--image",
      paramLabel = "FILE",
      arity = "1..*",
      description = "Images to classify, or folders that are searched for some.")
  private List<Path> paths = List.of();

  @Mixin private ImageDescription description;

  /** Whether images were given; refuses options that mean nothing without. */
  boolean isWanted() {
    description.requireImages(!paths.isEmpty());
    return !paths.isEmpty();
  }

  /**
   * Classifies and prints.
   *
   * @param name of the model as the user wrote it
   * @param file of the model, compressed if a recipe was asked for
   * @param error hears what had to be guessed
   */
  void run(
      String name,
      Path file,
      SessionOptions options,
      boolean json,
      ProgressBars progress,
      PrintWriter out,
      PrintWriter error) {
    List<Path> files = ImageFiles.of("--image", paths);
    List<String> named = description.labels();
    try (Model model = Model.open(file);
        ImageClassifier classifier =
            ImageClassifier.open(model, options, description.preprocessing(model))) {
      long start = System.nanoTime();
      List<Classification> results = classifier.classify(files, progress);
      double millis = (System.nanoTime() - start) / 1e6;
      List<String> names = named.isEmpty() ? classifier.labels() : named;
      checkLabels(names, results.getFirst());
      progress.finish();
      if (classifier.isGuessed()) {
        error.println(
            "note: "
                + name
                + " has no "
                + Model.IMAGE
                + " beside it; used what classifiers usually want: "
                + classifier.preprocessing());
        error.flush();
      }
      Report report = new Report(files, results, names);
      if (json) {
        Output.json(out, report.json(name, model, classifier, millis));
      } else {
        report.print(out, name, model, classifier, millis);
      }
    }
  }

  private void checkLabels(List<String> names, Classification any) {
    int classes = any.probabilities().length;
    if (!names.isEmpty() && names.size() != classes) {
      throw new FormatException(
          "--labels "
              + description.labelFile()
              + " names "
              + names.size()
              + " classes but the model has "
              + classes,
          "write one name a line, in the order of the classes");
    }
  }

  /** What came out, for people and for programs. */
  private record Report(List<Path> files, List<Classification> results, List<String> names) {
    ObjectNode json(String name, Model model, ImageClassifier classifier, double millis) {
      ObjectNode document = Output.JSON.createObjectNode();
      document.put("model", name);
      document.put("device", classifier.session().device().toString());
      document.put("recipe", Models.recipe(model));
      document.set(
          "preprocessing",
          Output.JSON.readTree(PreprocessingJson.write(classifier.preprocessing())));
      ArrayNode images = document.putArray("images");
      for (int i = 0; i < files.size(); i++) {
        List<Integer> top = results.get(i).top(TOP);
        ObjectNode image = images.addObject().put("path", files.get(i).toString());
        guess(image, i, top.getFirst());
        ArrayNode guesses = image.putArray("top");
        for (int index : top) {
          guess(guesses.addObject(), i, index);
        }
      }
      document.put("elapsedMillis", millis);
      return document;
    }

    private void guess(ObjectNode into, int image, int index) {
      into.put("class", index);
      if (!names.isEmpty()) {
        into.put("label", names.get(index));
      }
      into.put("score", results.get(image).probability(index));
    }

    void print(
        PrintWriter out, String name, Model model, ImageClassifier classifier, double millis) {
      out.println(
          Output.format(
              "%s, %s, on %s (%s, %d threads)",
              name,
              Models.recipe(model),
              classifier.session().device(),
              classifier.session().kernels(),
              classifier.session().options().threads()));
      for (int i = 0; i < files.size(); i++) {
        out.println();
        out.println(files.get(i));
        Output.Table table = new Output.Table(">score", ">class", "label");
        for (int index : results.get(i).top(TOP)) {
          table.row(
              Output.format("%.4f", results.get(i).probability(index)),
              Integer.toString(index),
              names.isEmpty() ? "" : names.get(index));
        }
        table.print(out);
      }
      out.println();
      out.println(Output.format("%d images, %.1f ms", files.size(), millis));
    }
  }
}
