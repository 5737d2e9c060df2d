package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Fidelity;
import dev.filigree.compress.ParetoFront;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.Sweep;
import dev.filigree.compress.WeightBytes;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Sweeps recipes over a model. */
@Command(
    name = "report",
    description = {
      "Sweep several recipes over one model: a table, JSON, pictures of fidelity's price.",
      "The pictures set bytes and latency against fidelity; dense, int8 and int4 are always there."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree report minilm --text-file evaluation.txt --output-dir report",
      "  filigree report minilm --calibration texts.txt --text-file evaluation.txt",
      "  filigree report resnet.onnx --image photos --labels labels.txt"
    })
final class ReportCommand implements Callable<Integer> {
  /** Recipes that every report has. */
  private static final List<String> ALWAYS = List.of("dense", "int8", "int4");

  /** Recipes of a report that names none. */
  private static final List<String> PLAIN =
      List.of("fp16", "codebook-4bit", "2:4", "2:4-int8", "2:4-codebook-4bit", "unstructured-50");

  /** What comes to them where there is something to learn from. */
  private static final List<String> LEARNING =
      List.of("int4-gptq", "codebook-4bit-weighted", "2:4-sparsegpt", "2:4-sparsegpt-int8");

  /** Calls measured of each model; half of as many again come before. */
  private static final int LATENCY_CALLS = 10;

  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Runtime runtime;
  @Mixin private CalibrationOptions calibrated;
  @Mixin private Common.Format format;

  @Option(
      names = "--recipe",
      paramLabel = "R",
      split = ",",
      converter = Common.RecipeConverter.class,
      description = "Recipes to sweep; repeatable (default: all that can be applied).")
  private List<Recipe> recipes = List.of();

  @Mixin private ExaminationOptions judged;

  @Option(
      names = "--other-texts",
      paramLabel = "F",
      description = "Texts of another domain to judge by as well, one a line.")
  private Path otherFile;

  @Option(
      names = "--scored-pairs",
      paramLabel = "F",
      description = {
        "Labels: lines of a score, a text and a text with tabs between.",
        "Accuracy is how scores and cosines agree in rank."
      })
  private Path scoredFile;

  @Option(
      names = "--output-dir",
      paramLabel = "D",
      description = "Write report.md, report.json and the pictures there; made if need be.")
  private Path outputFolder;

  @Override
  public Integer call() throws IOException {
    SessionOptions options = runtime.options();
    List<String> others =
        otherFile == null ? List.of() : TextLines.read("--other-texts", otherFile);
    if (!others.isEmpty()) {
      ExaminationOptions.requireUnlearned("--other-texts " + otherFile, others, calibrated.texts());
    }
    ScoredPairs scored = scoredFile == null ? null : ScoredPairs.read("--scored-pairs", scoredFile);
    Examination examination = judged.examination(List.of(), others, scored, calibrated);
    if (outputFolder != null) {
      Common.checkTarget("--output-dir", outputFolder);
    }
    calibrated.tellUnused(sweep(), spec.commandLine().getErr());
    List<ReportRow> rows;
    try (ProgressBars progress = new ProgressBars();
        Model model = Model.open(Models.file(source.model, progress))) {
      rows = fronts(rows(model, options, examination, progress));
      progress.finish();
    }
    if (outputFolder != null) {
      Common.make("--output-dir", outputFolder);
      ReportFiles.write(outputFolder, source.model, rows);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      Output.json(out, ReportFiles.json(source.model, rows));
    } else {
      ReportFiles.table(rows).print(out);
    }
    return Main.DONE;
  }

  private List<Recipe> sweep() {
    Map<String, Recipe> all = new LinkedHashMap<>();
    ALWAYS.forEach(name -> all.put(name, Recipe.named(name)));
    if (recipes.isEmpty()) {
      PLAIN.forEach(name -> all.put(name, Recipe.named(name)));
      if (calibrated.isGiven()) {
        LEARNING.forEach(name -> all.put(name, Recipe.named(name)));
      }
    }
    recipes.forEach(recipe -> all.put(recipe.name(), recipe));
    return List.copyOf(all.values());
  }

  private List<ReportRow> rows(
      Model model, SessionOptions options, Examination examination, ProgressBars progress)
      throws IOException {
    List<Recipe> sweep = sweep();
    Calibration samples =
        sweep.stream().anyMatch(Recipe::needsCalibration) ? calibrated.samples(model) : null;
    Sweep shared = new Sweep(model, samples, options.threads());
    List<ReportRow> rows = new ArrayList<>();
    try (Examination.Examinee dense = examination.open(model, options)) {
      float[][] expected = dense.answers(progress);
      float[][] expectedOthers = dense.otherAnswers(progress);
      for (Recipe recipe : sweep) {
        long start = System.nanoTime();
        long busy = Machine.processorNanos();
        Compression compression = shared.compress(recipe, progress);
        double millis = (System.nanoTime() - start) / 1e6;
        double processor = (Machine.processorNanos() - busy) / 1e6;
        try (Model compressed = compression.toModel();
            Examination.Examinee examinee = examination.open(compressed, options)) {
          float[][] answers = examinee.answers(progress);
          float[][] others = examinee.otherAnswers(progress);
          ReportRow.Judgement judgement =
              new ReportRow.Judgement(
                  Fidelity.of(expected, answers),
                  others == null ? null : Fidelity.of(expectedOthers, others),
                  examinee.accuracy(answers),
                  Examination.agreement(examinee, expected, answers));
          double[] latency = latency(dense, examinee);
          if (recipe.isEmpty()) {
            // two sessions of one model differ by chance
            latency[1] = 1;
          }
          rows.add(row(compression, judgement, latency, millis, processor));
        }
        progress.at("recipes", rows.size(), sweep.size());
      }
    }
    return rows;
  }

  /**
   * Latency of a model and its ratio to the dense one, called in turns so that other users of the
   * machine hit both alike.
   */
  private static double[] latency(Examination.Examinee dense, Examination.Examinee examinee) {
    double[] own = new double[LATENCY_CALLS];
    double[] ratios = new double[LATENCY_CALLS];
    for (int i = -LATENCY_CALLS / 2; i < LATENCY_CALLS; i++) {
      double base = millis(dense);
      double millis = millis(examinee);
      if (i >= 0) {
        own[i] = millis;
        ratios[i] = millis / base;
      }
    }
    Arrays.sort(own);
    Arrays.sort(ratios);
    return new double[] {own[LATENCY_CALLS / 2], ratios[LATENCY_CALLS / 2]};
  }

  private static double millis(Examination.Examinee examinee) {
    long start = System.nanoTime();
    examinee.answerSome();
    return (System.nanoTime() - start) / 1e6;
  }

  private static ReportRow row(
      Compression compression,
      ReportRow.Judgement judgement,
      double[] latency,
      double millis,
      double processorMillis)
      throws IOException {
    Compression.Layer worst =
        compression.layers().stream()
            .filter(Compression.Layer::changed)
            .max(Comparator.comparingDouble(ReportCommand::error))
            .orElse(null);
    return new ReportRow(
        compression.recipe().name(),
        compression.bitsPerWeight(),
        fileBytes(compression),
        compression.layers().stream()
            .map(layer -> WeightBytes.of(layer.weights()))
            .reduce(new WeightBytes(0, 0, 0, 0), WeightBytes::plus),
        judgement,
        worst == null ? "" : worst.matrix().name(),
        worst == null ? 0 : error(worst),
        latency[0],
        latency[1],
        millis,
        processorMillis,
        false,
        false);
  }

  private static double error(Compression.Layer layer) {
    return Double.isNaN(layer.outputError()) ? layer.weightError() : layer.outputError();
  }

  /** The size of the file, by writing it. */
  private static long fileBytes(Compression compression) throws IOException {
    Path file = Files.createTempFile(Cache.folder("report"), "model", ".filigree");
    try {
      compression.write(file);
      return Files.size(file);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  private static List<ReportRow> fronts(List<ReportRow> rows) {
    boolean[] smallest =
        ParetoFront.of(
            rows.stream()
                .map(r -> new ParetoFront.Option(r.fileBytes(), r.fidelity().meanCosine()))
                .toList());
    boolean[] fastest =
        ParetoFront.of(
            rows.stream()
                .map(r -> new ParetoFront.Option(r.latencyRatio(), r.fidelity().meanCosine()))
                .toList());
    List<ReportRow> marked = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      marked.add(rows.get(i).onFronts(smallest[i], fastest[i]));
    }
    return marked;
  }
}
