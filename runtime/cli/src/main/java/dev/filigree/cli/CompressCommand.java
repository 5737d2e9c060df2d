package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Prediction;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Writes a compressed model. */
@Command(
    name = "compress",
    description = "Apply a recipe, write a compressed model, print what it cost and saved.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree compress minilm --recipe 2:4 -o minilm-2of4.filigree",
      "  filigree compress minilm --recipe codebook-4bit --archive",
      "  filigree compress minilm --recipe 2:4-sparsegpt --calibration texts.txt",
      "  filigree compress model.onnx --recipe recipe.json --dry-run --json"
    })
final class CompressCommand implements Callable<Integer> {
  /** Share of the weights that stay as they are beyond which that is told. */
  private static final double MANY = 0.2;

  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Compressed compressed;
  @Mixin private CalibrationOptions calibrated;
  @Mixin private Common.Archived archived;
  @Mixin private Common.Format format;

  @Option(
      names = "--dry-run",
      description = "Print what would be done and the bytes to expect, and do nothing.")
  private boolean dryRun;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description = "The file to write (default: MODEL-RECIPE.filigree in this folder).")
  private Path output;

  @Override
  public Integer call() throws IOException {
    SessionOptions options = runtime.options();
    checkDevice();
    if (output != null) {
      check(output);
    }
    calibrated.tellUnused(List.of(compressed.recipe), spec.commandLine().getErr());
    long start = System.nanoTime();
    try (ProgressBars progress = new ProgressBars()) {
      Path input = Models.file(source.model, progress);
      try (Model model = Model.open(input)) {
        if (dryRun) {
          predict(Prediction.of(model, compressed.recipe), input);
          return Main.DONE;
        }
        Path file = output == null ? defaultOutput(model) : output;
        check(file);
        Common.checkOther("--output", file, input);
        Compression compression =
            Compressor.compress(
                model,
                compressed.recipe,
                compressed.recipe.needsCalibration() ? calibrated.samples(model) : null,
                options.threads(),
                progress);
        compression.write(file, archived.archive);
        progress.finish();
        double millis = (System.nanoTime() - start) / 1e6;
        report(compression, input, file, millis);
      }
    }
    return Main.DONE;
  }

  private void checkDevice() {
    Device.Kind kind = runtime.device.kind();
    if (kind != Device.Kind.AUTO && kind != Device.Kind.CPU) {
      throw new UsageException(
          "--device " + runtime.device + ": models are compressed on the CPU; use auto or cpu");
    }
  }

  private static void check(Path file) {
    if (!file.toString().endsWith(".filigree")) {
      throw new UsageException("--output " + file + " must end in .filigree");
    }
    Common.checkWritable("--output", file);
  }

  private Path defaultOutput(Model model) {
    return Path.of(model.name() + "-" + Models.fileName(compressed.recipe) + ".filigree");
  }

  private void report(Compression compression, Path input, Path file, double millis)
      throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    long before = Models.bytes(input);
    long after = Files.size(file);
    if (format.json) {
      ObjectNode document =
          Output.JSON
              .createObjectNode()
              .put("input", input.toString())
              .put("output", file.toString())
              .put("recipe", compression.recipe().name())
              .put("bytesBefore", before)
              .put("bytesAfter", after)
              .put("bitsPerWeight", compression.bitsPerWeight());
      ArrayNode layers = document.putArray("layers");
      for (Compression.Layer layer : compression.layers()) {
        Weights weights = layer.weights();
        layers
            .addObject()
            .put("name", layer.matrix().name())
            .put("rows", weights.rows())
            .put("columns", weights.columns())
            .put("format", weights.format())
            .put("density", weights.density())
            .put("bitsPerWeight", weights.bitsPerWeight())
            .put("weightError", layer.weightError())
            // needs activations, which a recipe without calibration has not seen
            .put("outputError", Output.known(layer.outputError()))
            // of codebooks, over the least that any could have
            .put("clusterCost", Output.known(layer.clusterCost()))
            .put("refused", layer.refused())
            .put("damping", layer.calibrated() == null ? null : layer.calibrated().damping());
      }
      ArrayNode permuted = document.putArray("permuted");
      for (Compression.Permuted layer : compression.permuted()) {
        permuted
            .addObject()
            .put("name", layer.name())
            .put("keptBefore", layer.keptBefore())
            .put("kept", layer.kept());
      }
      notes(compression).forEach(document.putArray("notes")::add);
      document.put("elapsedMillis", millis);
      Output.json(out, document);
      return;
    }
    Output.Table table =
        new Output.Table(
            "layer", "shape", "format", ">kept", ">bits/weight", ">weight error", ">output error");
    for (Compression.Layer layer : compression.layers()) {
      Weights weights = layer.weights();
      table.row(
          layer.matrix().name(),
          weights.rows() + " x " + weights.columns(),
          weights.format(),
          Output.format("%.0f %%", 100 * weights.density()),
          Output.format("%.2f", weights.bitsPerWeight()),
          layer.changed() ? Output.format("%.4f", layer.weightError()) : "",
          Double.isNaN(layer.outputError()) ? "" : Output.format("%.4f", layer.outputError()));
    }
    table.print(out);
    out.println();
    compression.layers().stream()
        .filter(layer -> layer.clusterCost() > 1)
        .max(Comparator.comparingDouble(Compression.Layer::clusterCost))
        .ifPresent(
            layer ->
                out.println(
                    "clusters cost up to "
                        + Output.format("%.4f", layer.clusterCost())
                        + " times the optimum, in "
                        + layer.matrix().name()
                        + "; the solver exact reaches it"));
    refusals(compression).forEach(out::println);
    notes(compression).forEach(out::println);
    for (Compression.Permuted layer : compression.permuted()) {
      out.println(
          layer.name()
              + ": inputs in another order, groups keep "
              + Output.format("%.1f %%", 100 * layer.kept())
              + " of the magnitude instead of "
              + Output.format("%.1f %%", 100 * layer.keptBefore()));
    }
    out.println(
        file
            + ": "
            + Output.bytes(after)
            + ", "
            + Output.format("%.0f %%", 100.0 * after / before)
            + " of "
            + Output.bytes(before)
            + "; "
            + Output.format("%.2f", compression.bitsPerWeight())
            + " bits per weight; "
            + Output.format("%.1f s", millis / 1e3));
  }

  /** Which layers a stage passes over, a line for each reason. */
  private static List<String> refusals(Compression compression) {
    Map<String, List<String>> layers = new LinkedHashMap<>();
    for (Compression.Layer layer : compression.layers()) {
      if (layer.refused() != null) {
        String consequence = layer.changed() ? ": a stage passes it over, " : ": stays as it is, ";
        layers
            .computeIfAbsent(consequence + layer.refused(), key -> new ArrayList<>())
            .add(layer.matrix().name());
      }
    }
    return layers.entrySet().stream()
        .map(
            entry ->
                entry.getValue().getFirst()
                    + CalibrationNotes.others(entry.getValue().size() - 1)
                    + entry.getKey())
        .toList();
  }

  private static List<String> notes(Compression compression) {
    List<String> notes = new ArrayList<>(CalibrationNotes.of(compression));
    Set<String> reached = new HashSet<>();
    compression.layers().forEach(layer -> reached.add(layer.matrix().constant()));
    Map<String, Long> others = new HashMap<>();
    compression
        .model()
        .constants()
        .forEach(
            (name, constant) -> {
              if (!reached.contains(name)) {
                others.put(name, constant.bytes());
              }
            });
    long bytes = others.values().stream().mapToLong(Long::longValue).sum();
    if (!compression.recipe().isEmpty() && bytes > MANY * compression.model().weightBytes()) {
      String largest = Collections.max(others.entrySet(), Map.Entry.comparingByValue()).getKey();
      notes.add(
          Output.bytes(bytes)
              + " of "
              + Output.bytes(compression.model().weightBytes())
              + " of weights are in no layer that recipes reach and stay as they are, the largest"
              + " in "
              + largest);
    }
    return notes;
  }

  private void predict(Prediction prediction, Path input) {
    PrintWriter out = spec.commandLine().getOut();
    long before = prediction.matrices().stream().mapToLong(m -> m.matrix().weights().bytes()).sum();
    if (format.json) {
      ObjectNode document =
          Output.JSON
              .createObjectNode()
              .put("input", input.toString())
              .put("recipe", compressed.recipe.name())
              .put("weightBytesBefore", before)
              .put("weightBytesAfter", prediction.bytes());
      ArrayNode layers = document.putArray("layers");
      for (Prediction.Matrix matrix : prediction.matrices()) {
        layers
            .addObject()
            .put("name", matrix.matrix().name())
            .put("rows", matrix.matrix().weights().rows())
            .put("columns", matrix.matrix().weights().columns())
            .put("steps", matrix.steps())
            .put("bytes", matrix.bytes());
      }
      Output.json(out, document);
      return;
    }
    Output.Table table = new Output.Table("layer", "shape", ">bytes", "steps");
    for (Prediction.Matrix matrix : prediction.matrices()) {
      table.row(
          matrix.matrix().name(),
          matrix.matrix().weights().rows() + " x " + matrix.matrix().weights().columns(),
          Output.bytes(matrix.bytes()),
          matrix.steps());
    }
    table.print(out);
    out.println();
    out.println(
        "weights of "
            + input
            + ": "
            + Output.bytes(prediction.bytes())
            + " instead of "
            + Output.bytes(before)
            + "; nothing was written");
  }
}
