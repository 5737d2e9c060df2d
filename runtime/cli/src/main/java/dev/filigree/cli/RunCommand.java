package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.text.EncoderOptions;
import java.io.PrintWriter;
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

/** Runs a model on texts, images or tensors, or lets it write. */
@Command(
    name = "run",
    description = "Run a model on texts, images, tensors or a prompt, print or save the outputs.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree run minilm --text \"A man is eating food.\" --text \"A man is eating bread.\"",
      "  filigree run minilm --recipe 2:4 --text-file sentences.txt --json",
      "  filigree run resnet.onnx --image cat.jpg dog.png --labels labels.txt",
      "  filigree run checkpoint --prompt \"Once upon a time\" --max-tokens 50 --temperature 0.8",
      "  filigree run model.onnx --input x=x.npy --output-dir out"
    })
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Compressed compressed;
  @Mixin private Common.Format format;
  @Mixin private ImageRun images;
  @Mixin private PromptRun writing;

  @Option(names = "--text", paramLabel = "T", description = "A text to embed; repeatable.")
  private List<String> texts = List.of();

  @Option(names = "--text-file", paramLabel = "F", description = "A file with one text a line.")
  private Path textFile;

  @Option(names = "--truncate", description = "Cut texts that are longer than the model takes.")
  private boolean truncate;

  @Option(
      names = "--input",
      paramLabel = "NAME=FILE.npy",
      parameterConsumer = NamedOption.Files.class,
      description = "A tensor for an input; repeatable.")
  private Map<String, Path> inputs = Map.of();

  @Option(
      names = "--output-dir",
      paramLabel = "D",
      description = "Write the outputs there as .npy files; made if need be.")
  private Path outputFolder;

  @Override
  public Integer call() {
    SessionOptions options = runtime.options();
    List<String> all = texts();
    boolean[] given = {!all.isEmpty(), !inputs.isEmpty(), images.isWanted(), writing.isWanted()};
    int kinds = 0;
    for (boolean kind : given) {
      kinds += kind ? 1 : 0;
    }
    if (kinds != 1) {
      throw new UsageException(
          "run takes either texts (--text, --text-file), images (--image), a prompt (--prompt) or"
              + " tensors (--input NAME=FILE.npy)");
    }
    if (outputFolder != null) {
      if (images.isWanted() || writing.isWanted()) {
        throw new UsageException("--output-dir is for texts and tensors; read --json instead");
      }
      Common.checkTarget("--output-dir", outputFolder);
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    inputs.forEach((name, path) -> tensors.put(name, Npy.read(path)));
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      Path compressedFile = Models.compressed(file, compressed.recipe, options.threads(), progress);
      PrintWriter out = spec.commandLine().getOut();
      if (images.isWanted()) {
        PrintWriter error = spec.commandLine().getErr();
        images.run(source.model, compressedFile, options, format.json, progress, out, error);
      } else if (writing.isWanted()) {
        writing.run(source.model, compressedFile, options, format.json, progress, out);
      } else if (all.isEmpty()) {
        tensors(compressedFile, options, tensors);
      } else {
        texts(file, compressedFile, options, all, progress);
      }
    }
    return Main.DONE;
  }

  private List<String> texts() {
    List<String> all = new ArrayList<>(texts);
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i).isBlank()) {
        throw new UsageException("--text number " + (i + 1) + " is empty; pass a text");
      }
    }
    if (textFile != null) {
      all.addAll(TextLines.read("--text-file", textFile));
    }
    return all;
  }

  private void texts(
      Path file,
      Path compressedFile,
      SessionOptions options,
      List<String> all,
      ProgressBars progress) {
    boolean isCompressed = !compressedFile.equals(file);
    List<Path> files = isCompressed ? List.of(file, compressedFile) : List.of(file);
    PrintWriter out = spec.commandLine().getOut();
    List<Embeddings> results =
        Embeddings.of(
            files,
            options,
            encoding(),
            all,
            progress,
            known -> {
              progress.finish();
              if (!format.json) {
                // what was asked for does not wait for what it took
                TextReport.similarities(
                    out,
                    source.model,
                    all,
                    known.getLast(),
                    isCompressed ? known.getFirst() : null);
              }
            });
    Embeddings result = results.getLast();
    Embeddings dense = isCompressed ? results.getFirst() : null;
    if (outputFolder != null) {
      Common.make("--output-dir", outputFolder);
      Npy.write(outputFolder.resolve("embeddings.npy"), result.tensor());
    }
    progress.finish();
    if (format.json) {
      Output.json(out, TextReport.json(source.model, all, result, dense));
    } else {
      TextReport.costs(out, all, result, dense);
    }
  }

  private EncoderOptions encoding() {
    return truncate ? EncoderOptions.DEFAULTS.withTruncation() : EncoderOptions.DEFAULTS;
  }

  private void tensors(Path file, SessionOptions options, Map<String, Tensor> tensors) {
    try (Model model = Model.open(file);
        Session session = model.session(options)) {
      long start = System.nanoTime();
      Map<String, Tensor> outputs = session.run(tensors);
      double millis = (System.nanoTime() - start) / 1e6;
      Map<String, Path> files = new LinkedHashMap<>();
      if (outputFolder != null) {
        Common.make("--output-dir", outputFolder);
        outputs.forEach(
            (name, tensor) -> {
              Path path = outputFolder.resolve(name.replaceAll("[^A-Za-z0-9._-]", "_") + ".npy");
              Npy.write(path, tensor);
              files.put(name, path);
            });
      }
      report(outputs, files, millis);
    }
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
