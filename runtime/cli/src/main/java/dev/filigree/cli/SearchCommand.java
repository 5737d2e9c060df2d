package dev.filigree.cli;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.Calibration;
import dev.filigree.compress.Compression;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Fidelity;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import dev.filigree.compress.search.Budget;
import dev.filigree.compress.search.RecipeSearch;
import dev.filigree.compress.search.Sensitivity;
import dev.filigree.format.AtomicFile;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.plan.LayerPlan;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Chooses a recipe for each layer under a budget. */
@Command(
    name = "search",
    description = {
      "Choose a recipe for each layer under a budget of bytes, latency or" + " fidelity.",
      "What each does to each layer is scanned first; the recipe found is written."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree search minilm --budget bytes=16MB --text-file judge.txt -o small.json",
      "  filigree search minilm --budget fidelity=0.98 --option int4 --option 2:4-int8 \\",
      "                         --text-file judge.txt -o close.json",
      "  filigree compress minilm --recipe small.json",
      "  filigree search resnet.onnx --budget bytes=200KB --image photos -o small.json"
    })
final class SearchCommand implements Callable<Integer> {
  /** Options of a search that names none. */
  private static final List<String> OPTIONS = List.of("int8", "int4", "2:4-int8");

  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Runtime runtime;
  @Mixin private CalibrationOptions calibrated;
  @Mixin private Common.Format format;

  @Option(
      names = "--budget",
      paramLabel = "B",
      required = true,
      converter = BudgetConverter.class,
      description = {
        "bytes=20MB of weights, latency=0.6 of the dense layers' time,",
        "or fidelity=0.98, the least mean cosine at the fewest bytes."
      })
  private Budget budget;

  @Option(
      names = "--option",
      paramLabel = "R",
      converter = Common.RecipeConverter.class,
      description =
          "A recipe that layers may be compressed by; repeatable (default: int8, int4, 2:4-int8).")
  private List<Recipe> recipes = List.of();

  @Mixin private ExaminationOptions judged;

  @Option(
      names = "--evaluations",
      paramLabel = "N",
      defaultValue = "100",
      description = "Choices to judge as whole models after the start (default: 100).")
  private int evaluations;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      defaultValue = "recipe.json",
      description = "The recipe to write (default: recipe.json).")
  private Path output;

  @Override
  public Integer call() {
    SessionOptions options = runtime.options();
    Examination examination = judged.examination(List.of(), List.of(), null, calibrated);
    Common.checkPositive("--evaluations", evaluations);
    if (!output.toString().endsWith(".json")) {
      throw new UsageException("--output " + output + " must end in .json");
    }
    Common.checkWritable("--output", output);
    List<Recipe> sweep = recipes.isEmpty() ? OPTIONS.stream().map(Recipe::named).toList() : recipes;
    checkRecipes();
    calibrated.tellUnused(sweep, spec.commandLine().getErr());
    try (ProgressBars progress = new ProgressBars();
        Model model = Model.open(Models.file(source.model, progress));
        Examination.Examinee dense = examination.open(model, options)) {
      budget.check(model, sweep);
      float[][] expected = dense.answers(progress);
      Sensitivity.Judge judge =
          candidate -> fidelity(candidate, options, examination, expected).meanCosine();
      boolean timed = budget.kind() == Budget.Kind.LATENCY;
      Calibration samples =
          sweep.stream().anyMatch(Recipe::needsCalibration) ? calibrated.samples(model) : null;
      Sensitivity scan =
          Sensitivity.scan(
              model,
              sweep,
              samples,
              judge,
              timed ? candidate -> micros(candidate, options, progress) : null,
              options.threads(),
              progress);
      RecipeSearch.Found found = RecipeSearch.search(scan, budget, judge, evaluations, progress);
      String name = output.getFileName().toString().replaceFirst("\\.json$", "");
      Recipe recipe = scan.recipe(found.choice(), name);
      write(RecipeJson.write(recipe));
      // learned options saw dense layers before them; what counts is the recipe as it will be run
      Compression compression =
          Compressor.compress(model, recipe, samples, options.threads(), progress);
      Fidelity fidelity;
      try (Model compressed = compression.toModel()) {
        fidelity = fidelity(compressed, options, examination, expected);
      }
      progress.finish();
      report(scan, found, compression, fidelity);
    }
    return Main.DONE;
  }

  /** Refuses to write over a recipe that is an option. */
  private void checkRecipes() {
    OptionSpec given = spec.commandLine().getParseResult().matchedOption("--option");
    for (String recipe : given == null ? List.<String>of() : given.originalStringValues()) {
      if (recipe.endsWith(".json")) {
        Common.checkOther("--output", output, Path.of(recipe));
      }
    }
  }

  private static Fidelity fidelity(
      Model candidate, SessionOptions options, Examination examination, float[][] expected) {
    try (Examination.Examinee examinee = examination.open(candidate, options)) {
      return Fidelity.of(expected, examinee.answers(Progress.NONE));
    }
  }

  /**
   * What each layer takes by the name of its weights, as the session measures it when it chooses
   * kernels.
   */
  private static Map<String, Double> micros(
      Model candidate, SessionOptions options, ProgressBars progress) {
    Map<String, Double> micros = new HashMap<>();
    try (Session session = candidate.session(options)) {
      Map<String, Tensor> inputs =
          SampleInputs.sizes(candidate, List.of(), List.of(), Map.of())
              .getFirst()
              .inputs(candidate);
      session.warmUp(inputs, progress);
      Map<String, Shape> extents = new HashMap<>();
      inputs.forEach((name, tensor) -> extents.put(name, tensor.shape()));
      for (LayerPlan layer : session.plan(extents)) {
        for (LayerPlan.Candidate kernel : layer.candidates()) {
          if (kernel.kernel().equals(layer.kernel())) {
            // one that had no rival, or is too short for a clock, counts as predicted
            boolean measured = !Double.isNaN(kernel.measuredMicros());
            micros.put(layer.name(), measured ? kernel.measuredMicros() : kernel.predictedMicros());
          }
        }
      }
    }
    Map<String, String> nodes = new HashMap<>();
    for (Node node : candidate.graph().nodes()) {
      if (node.isFused(Convolution.TYPE)) {
        nodes.put(Convolution.source(node), node.name());
      }
    }
    for (WeightMatrix matrix : candidate.convolutions()) {
      Double ofNode = micros.get(nodes.get(matrix.constant()));
      if (ofNode != null) {
        micros.put(matrix.name(), ofNode);
      }
    }
    if (micros.isEmpty()) {
      throw new InputException(
          "no layer of " + candidate.path() + " was timed",
          "search under a budget of bytes or fidelity");
    }
    return micros;
  }

  private void write(String recipe) {
    AtomicFile.write(
        output,
        channel -> {
          ByteBuffer bytes = ByteBuffer.wrap((recipe + "\n").getBytes(StandardCharsets.UTF_8));
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
        });
  }

  private void report(
      Sensitivity scan, RecipeSearch.Found found, Compression compression, Fidelity fidelity) {
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      Output.json(out, json(scan, found, compression, fidelity));
      return;
    }
    Output.Table table =
        new Output.Table("layer", "recipe", ">bytes", ">error", ">1 - cosine, it alone", ">time");
    for (int layer = 0; layer < scan.layers(); layer++) {
      int option = found.choice()[layer];
      Sensitivity.Cell cell = scan.cells()[layer][option];
      table.row(
          scan.name(layer),
          cell.changed() ? scan.options().get(option).name() : "dense",
          Output.bytes(cell.bytes()),
          Output.format("%.4f", cell.error()),
          Output.format("%.6f", cell.loss()),
          Double.isNaN(cell.micros()) ? "" : Output.format("%.0f µs", cell.micros()));
    }
    table.print(out);
    out.println();
    out.println(
        output
            + ": "
            + Output.bytes(compression.bytesAfter())
            + " of weights instead of "
            + Output.bytes(compression.bytesBefore())
            + ", mean cosine "
            + Output.format("%.4f", fidelity.meanCosine())
            + ", worst "
            + Output.format("%.4f", fidelity.minCosine())
            + "; the search went from "
            + Output.format("%.4f", found.startCosine())
            + " to "
            + Output.format("%.4f", found.cosine())
            + " in "
            + found.evaluations()
            + " evaluations");
  }

  private ObjectNode json(
      Sensitivity scan, RecipeSearch.Found found, Compression compression, Fidelity fidelity) {
    ObjectNode document =
        Output.JSON
            .createObjectNode()
            .put("model", source.model)
            .put("output", output.toString())
            .put("bytesBefore", compression.bytesBefore())
            .put("bytesAfter", compression.bytesAfter())
            .put("cost", found.cost())
            .put("startCosine", found.startCosine())
            .put("searchCosine", found.cosine())
            .put("meanCosine", fidelity.meanCosine())
            .put("minCosine", fidelity.minCosine())
            .put("evaluations", found.evaluations());
    ArrayNode layers = document.putArray("layers");
    for (int layer = 0; layer < scan.layers(); layer++) {
      int chosen = found.choice()[layer];
      ObjectNode entry =
          layers
              .addObject()
              .put("name", scan.name(layer))
              .put("recipe", scan.options().get(chosen).name());
      ArrayNode options = entry.putArray("options");
      for (int option = 0; option < scan.options().size(); option++) {
        Sensitivity.Cell cell = scan.cells()[layer][option];
        options
            .addObject()
            .put("recipe", scan.options().get(option).name())
            .put("bytes", cell.bytes())
            .put("error", cell.error())
            .put("loss", cell.loss())
            .put("micros", Output.known(cell.micros()));
      }
    }
    return document;
  }

  /** Reads a budget. */
  static final class BudgetConverter implements ITypeConverter<Budget> {
    @Override
    public Budget convert(String value) {
      try {
        return Budget.parse(value);
      } catch (InputException wrong) {
        throw new TypeConversionException(wrong.getMessage());
      }
    }
  }
}
