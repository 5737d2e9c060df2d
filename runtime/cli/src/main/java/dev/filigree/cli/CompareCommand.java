package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Fidelity;
import dev.filigree.compress.LayerErrors;
import dev.filigree.text.EncoderOptions;
import dev.filigree.text.SentenceEncoder;
import dev.filigree.text.TextBatches;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Tells how close a model is to another, per layer and end to end. */
@Command(
    name = "compare",
    description = "Fidelity of B against A, per layer and end to end, on texts.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree compare minilm minilm-int8.filigree --text-file sentences.txt",
      "  filigree compare minilm minilm-int8.filigree --text-file s.txt --min-cosine 0.999"
    })
final class CompareCommand implements Callable<Integer> {
  /** Tokens of a text that the layers are compared on. */
  private static final int LAYER_TOKENS = 64;

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "A", description = "The original model.")
  private String original;

  @Parameters(index = "1", paramLabel = "B", description = "The model to judge.")
  private String other;

  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Format format;

  @Option(names = "--text", paramLabel = "T", description = "A text; repeatable.")
  private List<String> texts = List.of();

  @Option(names = "--text-file", paramLabel = "F", description = "A file with one text a line.")
  private Path textFile;

  @Option(
      names = "--min-cosine",
      paramLabel = "C",
      description = "Exit with 3 if the mean cosine is less.")
  private Double minCosine;

  @Override
  public Integer call() {
    SessionOptions options = runtime.options();
    List<String> all = new ArrayList<>(texts);
    if (textFile != null) {
      all.addAll(TextLines.read("--text-file", textFile));
    }
    if (all.isEmpty()) {
      throw new UsageException("compare needs texts: pass --text T or --text-file F");
    }
    if (minCosine != null && !(minCosine >= -1 && minCosine <= 1)) {
      throw new UsageException("--min-cosine is " + minCosine + "; choose a number from -1 to 1");
    }
    Fidelity fidelity;
    List<LayerErrors.Layer> layers;
    try (ProgressBars progress = new ProgressBars();
        Model a = Model.open(Models.file(original, progress));
        Model b = Model.open(Models.file(other, progress))) {
      Calibration samples = new Calibration(TextBatches.of(a, all, LAYER_TOKENS));
      layers = LayerErrors.of(a, b, samples, options.threads(), progress);
      fidelity = Fidelity.of(embed(a, options, all, progress), embed(b, options, all, progress));
      progress.finish();
    }
    report(fidelity, layers);
    if (minCosine != null && !(fidelity.meanCosine() >= minCosine)) {
      spec.commandLine()
          .getErr()
          .println(
              Output.format(
                  "filigree: the mean cosine %.6f is less than --min-cosine %s",
                  fidelity.meanCosine(), minCosine));
      return Main.UNMET;
    }
    return Main.DONE;
  }

  private static float[][] embed(
      Model model, SessionOptions options, List<String> texts, ProgressBars progress) {
    EncoderOptions encoding = EncoderOptions.DEFAULTS.withTruncation();
    try (SentenceEncoder encoder = SentenceEncoder.open(model, options, encoding)) {
      return encoder.embed(texts, progress);
    }
  }

  private void report(Fidelity fidelity, List<LayerErrors.Layer> layers) {
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      ObjectNode document =
          Output.JSON
              .createObjectNode()
              .put("meanCosine", fidelity.meanCosine())
              .put("minCosine", fidelity.minCosine())
              .put("lowCosine", fidelity.lowCosine())
              .put("spearman", Double.isNaN(fidelity.spearman()) ? null : fidelity.spearman())
              .put("top10Overlap", fidelity.topOverlap());
      ArrayNode list = document.putArray("layers");
      for (LayerErrors.Layer layer : layers) {
        list.addObject().put("name", layer.name()).put("outputError", layer.outputError());
      }
      Output.json(out, document);
      return;
    }
    Output.Table table = new Output.Table("layer", ">output error");
    layers.forEach(layer -> table.row(layer.name(), Output.format("%.4f", layer.outputError())));
    table.print(out);
    out.println();
    out.println(
        Output.format(
            "cosine %.4f on the mean, %.4f at worst; rank correlation %.4f; %.0f %% of the ten"
                + " nearest kept",
            fidelity.meanCosine(),
            fidelity.minCosine(),
            fidelity.spearman(),
            100 * fidelity.topOverlap()));
  }
}
