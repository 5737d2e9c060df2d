package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Precision;
import dev.filigree.SessionOptions;
import dev.filigree.compress.Recipe;
import dev.filigree.plan.LayerTime;
import dev.filigree.spi.Devices;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ObjectNode;

/** Measures latency and throughput. */
@Command(
    name = "bench",
    description = {
      "Measure latency and throughput over batch sizes, lengths and threads.",
      "Recipes, precisions and other runtimes run in alternation with the model as it is.",
      "With --device simulated, times on A100, A10 and RTX 3090 are projected, not measured."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree bench minilm --recipe 2:4,2:4-int8 --length 16,128",
      "  filigree bench minilm --against onnxruntime --precision exact,bf16",
      "  filigree bench model.onnx --shape x=1x3x224x224 --threads 1,2 --json"
    })
final class BenchCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private Common.Source source;

  @Option(
      names = "--device",
      paramLabel = "D",
      defaultValue = "auto",
      converter = Common.DeviceConverter.class,
      description = "auto, cpu, cuda, cuda:N or simulated (default: auto).")
  private Device device;

  @Option(
      names = "--threads",
      split = ",",
      paramLabel = "N",
      description = "Numbers of threads (default: all processors).")
  private List<Integer> threads = List.of(Runtime.getRuntime().availableProcessors());

  @Option(names = "--kernels", paramLabel = "SET", description = Common.KERNELS)
  private String kernels = "";

  @Option(names = "--batch", split = ",", paramLabel = "N", description = "Batch sizes (1).")
  private List<Integer> batches = List.of();

  @Option(
      names = "--length",
      split = ",",
      paramLabel = "N",
      description = "Lengths (128, or what the model takes).")
  private List<Integer> lengths = List.of();

  @Option(
      names = "--shape",
      paramLabel = "NAME=AxB",
      parameterConsumer = NamedOption.Texts.class,
      description = "Shape of an input; repeatable.")
  private Map<String, String> shapes = Map.of();

  @Option(
      names = "--runs",
      paramLabel = "N",
      description = "Counted runs of each configuration (default: 50, fewer if they are slow).")
  private int runs = 50;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      description = "Time for each configuration, after which no more runs start (default: 10).")
  private double seconds = 10;

  @Option(
      names = "--recipe",
      split = ",",
      paramLabel = "R",
      converter = Common.RecipeConverter.class,
      description = "Recipes to measure beside the dense model, in alternation with it.")
  private List<Recipe> recipes = List.of();

  @Option(
      names = "--profile",
      paramLabel = "FILE",
      description = "Write what each kernel took, as a trace for Perfetto or Chrome.")
  private Path profile;

  @Option(
      names = "--precision",
      split = ",",
      paramLabel = "P",
      converter = Common.PrecisionConverter.class,
      description = "exact, bf16, int8: how far layers may round their inputs (exact).")
  private List<Precision> precisions = List.of(Precision.EXACT);

  @Option(
      names = "--against",
      split = ",",
      paramLabel = "RUNTIME",
      description = "onnxruntime, djl-pytorch: measured in alternation; the first is the baseline.")
  private List<String> against = List.of();

  @Option(
      names = "--picture",
      paramLabel = "FILE",
      description = "Draw the ratios as FILE.svg and FILE.png.")
  private Path picture;

  @Option(
      names = "--from",
      split = ",",
      paramLabel = "FILE",
      description = "Print or draw earlier runs of --json instead of measuring.")
  private List<Path> from = List.of();

  @Mixin private Common.Format format;

  /** Runs of each configuration in the profile: the first ones may still be slower. */
  private static final int PROFILED_RUNS = 10;

  private final List<ChromeTrace.Profile> profiles = new ArrayList<>();

  @Override
  public Integer call() {
    Common.checkPositive("--runs", runs);
    Common.checkPositive("--seconds", seconds);
    batches.forEach(batch -> Common.checkPositive("--batch", batch));
    lengths.forEach(length -> Common.checkPositive("--length", length));
    if (picture != null) {
      Common.checkWritable("--picture", picture);
    }
    List<SessionOptions> options =
        threads.stream().map(number -> Common.sessionOptions(device, number, kernels)).toList();
    if (profile != null) {
      Common.checkWritable("--profile", profile);
    }
    if (device.kind() == Device.Kind.SIMULATED) {
      if (profile != null) {
        throw new UsageException(
            "--profile measures, and the simulated device has no speed; use --device cpu");
      }
      return project();
    }
    List<Measurement.Result> results = new ArrayList<>();
    if (from.isEmpty()) {
      measure(options, results);
    } else {
      from.forEach(file -> results.addAll(BenchReport.read(file)));
    }
    if (picture != null) {
      BenchChart.write(results, source.model, picture);
    }
    if (profile != null) {
      ChromeTrace.write(profile, profiles);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      ObjectNode document = BenchReport.document(results);
      if (profile != null) {
        document.put("profile", profile.toString());
      }
      Output.json(out, document);
    } else {
      if (from.isEmpty()) {
        out.println(Machine.summary());
        out.println();
      }
      BenchReport.print(out, results);
      if (profile != null) {
        out.println("what each kernel took: " + profile + " (open it in ui.perfetto.dev)");
      }
    }
    return Main.DONE;
  }

  private void measure(List<SessionOptions> options, List<Measurement.Result> results) {
    List<PeerRuntime> peers = Peers.named(against);
    Measurement measurement = new Measurement(runs, seconds);
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      if (profile != null) {
        Common.checkOther("--profile", profile, file);
      }
      checkSizes(file);
      for (SessionOptions each : options) {
        try (Contenders all = Contenders.open(file, peers, recipes, precisions, each, progress)) {
          for (SampleInputs.Size size : sizes(all.first())) {
            List<Contenders.Contender> ready = all.prepare(size::inputs, progress);
            results.addAll(
                measurement.compare(ready, size.rows(), size.length(), each.threads(), progress));
            if (profile != null) {
              profile(ready, size, each.threads());
            }
            ready.forEach(contender -> contender.subject().close());
          }
        }
      }
    }
  }

  /**
   * Refuses sizes that the model does not take before recipes, which may take long, are applied.
   */
  private void checkSizes(Path file) {
    try (Model model = Model.open(file)) {
      sizes(model);
    }
  }

  private List<SampleInputs.Size> sizes(Model model) {
    return SampleInputs.sizes(model, batches, lengths, shapes);
  }

  private void profile(List<Contenders.Contender> contenders, SampleInputs.Size size, int threads) {
    for (Contenders.Contender contender : contenders) {
      if (!contender.subject().hasProfile()) {
        continue;
      }
      List<List<LayerTime>> profiled = new ArrayList<>();
      for (int run = 0; run < PROFILED_RUNS; run++) {
        profiled.add(contender.subject().profile());
      }
      profiles.add(
          new ChromeTrace.Profile(
              source.model
                  + ", "
                  + contender.recipe()
                  + ", batch "
                  + size.rows()
                  + (size.length() > 0 ? ", length " + size.length() : "")
                  + ", threads "
                  + threads,
              profiled));
    }
  }

  /** Projections instead of measurements: the simulated GPU has no speed of its own. */
  private Integer project() {
    SessionOptions options = Common.sessionOptions(device, null, kernels);
    Devices.choose(device);
    List<SimulatedBench.Result> results = new ArrayList<>();
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      checkSizes(file);
      for (Recipe recipe : contenders()) {
        Path compressed = Models.compressed(file, recipe, options.threads(), progress);
        List<SampleInputs.Size> sizes;
        try (Model model = Model.open(compressed)) {
          sizes = sizes(model);
        }
        for (SampleInputs.Size size : sizes) {
          results.addAll(
              SimulatedBench.project(
                  recipe.name(),
                  () -> Model.open(compressed),
                  options,
                  size.rows(),
                  size.length(),
                  size::inputs,
                  progress));
        }
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      SimulatedBench.json(out, results);
    } else {
      SimulatedBench.print(out, results);
    }
    return Main.DONE;
  }

  /** The dense model and the recipes to measure beside it. */
  private List<Recipe> contenders() {
    List<Recipe> all = new ArrayList<>(List.of(Recipe.named("dense")));
    recipes.stream().filter(recipe -> !recipe.isEmpty()).forEach(all::add);
    return all;
  }
}
