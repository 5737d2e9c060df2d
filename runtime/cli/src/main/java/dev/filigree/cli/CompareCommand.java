package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Fidelity;
import dev.filigree.compress.LayerErrors;
import java.io.PrintWriter;
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
    description = "Fidelity of B against A, per layer and end to end.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree compare minilm minilm-int8.filigree --text-file sentences.txt",
      "  filigree compare minilm minilm-int8.filigree --text-file s.txt --min-cosine 0.999",
      "  filigree compare resnet.onnx resnet-int8.filigree --image photos --labels labels.txt"
    })
final class CompareCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "A", description = "The original model.")
  private String original;

  @Parameters(index = "1", paramLabel = "B", description = "The model to judge.")
  private String other;

  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Format format;

  @Option(names = "--text", paramLabel = "T", description = "A text to judge by; repeatable.")
  private List<String> texts = List.of();

  @Mixin private ExaminationOptions judged;

  @Option(
      names = "--min-cosine",
      paramLabel = "C",
      description = "Exit with 3 if the mean cosine is less.")
  private Double minCosine;

  @Override
  public Integer call() {
    SessionOptions options = runtime.options();
    Examination examination = judged.examination(texts, List.of(), null, null);
    if (minCosine != null && !(minCosine >= -1 && minCosine <= 1)) {
      throw new UsageException("--min-cosine is " + minCosine + "; choose a number from -1 to 1");
    }
    Fidelity fidelity;
    List<LayerErrors.Layer> layers;
    Classes classes;
    try (ProgressBars progress = new ProgressBars();
        Model a = Model.open(Models.file(original, progress));
        Model b = Model.open(Models.file(other, progress))) {
      layers = LayerErrors.of(a, b, examination.samples(a), options.threads(), progress);
      try (Examination.Examinee first = examination.open(a, options);
          Examination.Examinee second = examination.open(b, options)) {
        float[][] expected = first.answers(progress);
        float[][] answers = second.answers(progress);
        fidelity = Fidelity.of(expected, answers);
        classes =
            new Classes(
                Examination.agreement(second, expected, answers),
                first.accuracy(expected),
                second.accuracy(answers));
      }
      progress.finish();
    }
    report(fidelity, classes, layers);
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

  /**
   * What became of the classes.
   *
   * @param agreement share of the samples with the class that A gives; NaN without classes
   * @param before accuracy of A; NaN without labels
   * @param after accuracy of B
   */
  private record Classes(double agreement, double before, double after) {}

  private void report(Fidelity fidelity, Classes classes, List<LayerErrors.Layer> layers) {
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      ObjectNode document =
          Output.JSON
              .createObjectNode()
              .put("meanCosine", fidelity.meanCosine())
              .put("minCosine", fidelity.minCosine())
              .put("lowCosine", fidelity.lowCosine())
              .put("spearman", Output.known(fidelity.spearman()))
              .put("top10Overlap", Output.known(fidelity.topOverlap()));
      if (!Double.isNaN(classes.agreement)) {
        document.put("sameClass", classes.agreement);
      }
      if (!Double.isNaN(classes.after)) {
        document.put("accuracy", classes.after).put("originalAccuracy", classes.before);
      }
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
            "cosine %.4f on the mean, %.4f at worst%s%s",
            fidelity.meanCosine(),
            fidelity.minCosine(),
            Output.known("; rank correlation %.4f", fidelity.spearman()),
            Output.known("; %.0f %% of the ten nearest kept", 100 * fidelity.topOverlap())));
    if (!Double.isNaN(classes.agreement)) {
      out.println(Output.format("%.1f %% get the same class", 100 * classes.agreement));
    }
    if (!Double.isNaN(classes.after)) {
      out.println(
          Output.format(
              "%.1f %% are right, instead of %.1f %%", 100 * classes.after, 100 * classes.before));
    }
  }
}
