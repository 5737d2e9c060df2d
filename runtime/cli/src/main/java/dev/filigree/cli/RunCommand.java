package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.Tensor;
import dev.filigree.compress.Recipe;
import dev.filigree.text.EncoderOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Runs a model on texts or tensors. */
@Command(
    name = "run",
    description = "Run a model on texts or tensors, print or save the outputs.",
    mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Target target;
  @Mixin private Common.Compressed compressed;
  @Mixin private Common.Format format;

  @Option(names = "--text", paramLabel = "T", description = "A text to embed; repeatable.")
  private List<String> texts = List.of();

  @Option(names = "--text-file", paramLabel = "F", description = "A file with one text a line.")
  private Path textFile;

  @Option(names = "--truncate", description = "Cut texts that are longer than the model takes.")
  private boolean truncate;

  @Option(
      names = "--input",
      paramLabel = "NAME=FILE.npy",
      description = "A tensor for an input; repeatable.")
  private Map<String, Path> inputs = Map.of();

  @Option(
      names = "--output-dir",
      paramLabel = "D",
      description = "Write the outputs there as .npy files.")
  private Path outputFolder;

  @Override
  public Integer call() throws IOException {
    List<String> all = texts();
    if (all.isEmpty() == inputs.isEmpty()) {
      throw new UsageException(
          "run takes either texts (--text, --text-file) or tensors (--input NAME=FILE.npy)");
    }
    try (ProgressBars progress = new ProgressBars()) {
      if (all.isEmpty()) {
        tensors(progress);
      } else {
        texts(all, progress);
      }
    }
    return Main.DONE;
  }

  private List<String> texts() throws IOException {
    List<String> all = new ArrayList<>(texts);
    if (textFile != null) {
      if (!Files.isReadable(textFile)) {
        throw new UsageException("--text-file " + textFile + " cannot be read");
      }
      Files.readAllLines(textFile).stream().filter(line -> !line.isBlank()).forEach(all::add);
      if (all.isEmpty()) {
        throw new UsageException("--text-file " + textFile + " holds no text");
      }
    }
    return all;
  }

  private void texts(List<String> all, ProgressBars progress) {
    Path file = Models.file(target.model, progress);
    Recipe recipe = compressed.recipe;
    List<Path> files = new ArrayList<>(List.of(file));
    if (!recipe.isEmpty()) {
      files.add(Models.compressed(file, recipe, target.workers(), progress));
    }
    List<Embeddings> results = Embeddings.of(files, target.options(), encoding(), all, progress);
    Embeddings result = results.getLast();
    Embeddings dense = results.size() > 1 ? results.getFirst() : null;
    progress.finish();
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      Output.json(out, TextReport.json(target.model, recipe, all, result, dense));
    } else {
      TextReport.print(out, target.model, recipe, all, result, dense);
    }
    if (outputFolder != null) {
      Npy.write(folder().resolve("embeddings.npy"), result.tensor());
    }
  }

  private EncoderOptions encoding() {
    return truncate ? EncoderOptions.DEFAULTS.withTruncation() : EncoderOptions.DEFAULTS;
  }

  private void tensors(ProgressBars progress) {
    Path file = Models.file(target.model, progress);
    if (!compressed.recipe.isEmpty()) {
      file = Models.compressed(file, compressed.recipe, target.workers(), progress);
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    inputs.forEach((name, path) -> tensors.put(name, Npy.read(path)));
    try (Model model = Model.open(file);
        Session session = model.session(target.options())) {
      long start = System.nanoTime();
      Map<String, Tensor> outputs = session.run(tensors);
      double millis = (System.nanoTime() - start) / 1e6;
      Map<String, Path> files = new LinkedHashMap<>();
      if (outputFolder != null) {
        Path folder = folder();
        outputs.forEach(
            (name, tensor) -> {
              Path path = folder.resolve(name.replaceAll("[^A-Za-z0-9._-]", "_") + ".npy");
              Npy.write(path, tensor);
              files.put(name, path);
            });
      }
      report(outputs, files, millis);
    }
  }

  private Path folder() {
    if (!Files.isDirectory(outputFolder)) {
      throw new UsageException("--output-dir " + outputFolder + " is no folder");
    }
    return outputFolder;
  }

  private void report(Map<String, Tensor> outputs, Map<String, Path> files, double millis) {
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      ObjectNode document = Output.JSON.createObjectNode();
      ArrayNode list = document.putArray("outputs");
      outputs.forEach(
          (name, tensor) -> {
            ObjectNode entry = list.addObject().put("name", name);
            ArrayNode shape = entry.putArray("shape");
            for (long extent : tensor.shape().extents()) {
              shape.add(extent);
            }
            entry.put("dtype", tensor.dtype().toString());
            entry.put("file", files.containsKey(name) ? files.get(name).toString() : null);
          });
      document.put("elapsedMillis", millis);
      Output.json(out, document);
      return;
    }
    Output.Table table = new Output.Table("output", "type", "first values", "file");
    outputs.forEach(
        (name, tensor) ->
            table.row(
                name,
                tensor.toString(),
                firstValues(tensor),
                files.containsKey(name) ? files.get(name).toString() : ""));
    table.print(out);
    out.println(Output.format("%.1f ms", millis));
  }

  private static String firstValues(Tensor tensor) {
    StringBuilder values = new StringBuilder();
    long shown = Math.min(6, tensor.elements());
    for (long i = 0; i < shown; i++) {
      values
          .append(i == 0 ? "" : " ")
          .append(
              tensor.dtype().isFloating()
                  ? Output.format("%.5g", tensor.getDouble(i))
                  : Long.toString(tensor.getLong(i)));
    }
    return values + (shown < tensor.elements() ? " …" : "");
  }
}
