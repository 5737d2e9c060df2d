package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.compress.Recipe;
import dev.filigree.plan.LayerTime;
import dev.filigree.spi.Devices;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
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

/** Measures latency and throughput. */
@Command(
    name = "bench",
    description = {
      "Measure latency and throughput over batch sizes, lengths and threads.",
      "With --recipe the dense model runs in alternation and is the baseline.",
      "With --device simulated, times on A100, A10 and RTX 3090 are projected, not measured."
    },
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree bench minilm --recipe 2:4,2:4-int8 --length 16,128",
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
  private List<Integer> batches = List.of(1);

  @Option(names = "--length", split = ",", paramLabel = "N", description = "Lengths (128).")
  private List<Integer> lengths = List.of(128);

  @Option(
      names = "--shape",
      paramLabel = "NAME=AxB",
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

  @Mixin private Common.Format format;

  /** Runs of each configuration in the profile: the first ones may still be slower. */
  private static final int PROFILED_RUNS = 10;

  private final List<ChromeTrace.Profile> profiles = new ArrayList<>();

  /** One model under measurement. */
  private record Contender(String recipe, Session session, Map<String, Tensor> inputs) {}

  private record Result(
      String recipe,
      String device,
      int batch,
      int length,
      int threads,
      int runs,
      double p50,
      double p95,
      double p99,
      double throughput,
      double ratio) {}

  @Override
  public Integer call() {
    Common.checkPositive("--runs", runs);
    Common.checkPositive("--seconds", seconds);
    batches.forEach(batch -> Common.checkPositive("--batch", batch));
    lengths.forEach(length -> Common.checkPositive("--length", length));
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
    List<Result> results = new ArrayList<>();
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      for (SessionOptions each : options) {
        measure(file, each, results, progress);
      }
    }
    if (profile != null) {
      ChromeTrace.write(profile, profiles);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (format.json) {
      json(out, results);
    } else {
      print(out, results);
      if (profile != null) {
        out.println("what each kernel took: " + profile + " (open it in ui.perfetto.dev)");
      }
    }
    return Main.DONE;
  }

  /** Projections instead of measurements: the simulated GPU has no speed of its own. */
  private Integer project() {
    SessionOptions options = Common.sessionOptions(device, null, kernels);
    Devices.choose(device);
    List<SimulatedBench.Result> results = new ArrayList<>();
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      for (Recipe recipe : contenders()) {
        Path compressed = Models.compressed(file, recipe, options.threads(), progress);
        for (int batch : batches) {
          for (int length : lengths) {
            results.addAll(
                SimulatedBench.project(
                    recipe.name(),
                    () -> Model.open(compressed),
                    options,
                    batch,
                    length,
                    model -> SampleInputs.of(model, batch, length, shapes),
                    progress));
          }
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

  private void measure(
      Path file, SessionOptions options, List<Result> results, ProgressBars progress) {
    int thread = options.threads();
    List<Recipe> all = contenders();
    List<Model> models = new ArrayList<>();
    List<Session> sessions = new ArrayList<>();
    try {
      for (Recipe recipe : all) {
        models.add(Model.open(Models.compressed(file, recipe, thread, progress)));
        sessions.add(models.getLast().session(options));
      }
      for (int batch : batches) {
        for (int length : lengths) {
          List<Contender> contenders = new ArrayList<>();
          for (int i = 0; i < all.size(); i++) {
            Map<String, Tensor> inputs = SampleInputs.of(models.get(i), batch, length, shapes);
            sessions.get(i).warmUp(inputs, progress);
            contenders.add(new Contender(all.get(i).name(), sessions.get(i), inputs));
          }
          results.addAll(compare(contenders, batch, length, thread, progress));
          if (profile != null) {
            profile(contenders, batch, length, thread);
          }
        }
      }
    } finally {
      sessions.forEach(Session::close);
      models.forEach(Model::close);
    }
  }

  private void profile(List<Contender> contenders, int batch, int length, int thread) {
    for (Contender contender : contenders) {
      List<List<LayerTime>> runs = new ArrayList<>();
      for (int run = 0; run < PROFILED_RUNS; run++) {
        runs.add(contender.session.profile(contender.inputs));
      }
      profiles.add(
          new ChromeTrace.Profile(
              source.model
                  + ", "
                  + contender.recipe
                  + ", batch "
                  + batch
                  + ", length "
                  + length
                  + ", threads "
                  + thread,
              runs));
    }
  }

  /**
   * Runs the contenders in alternation, forwards and backwards, so that drift of the machine hits
   * all alike.
   */
  private List<Result> compare(
      List<Contender> contenders, int batch, int length, int thread, ProgressBars progress) {
    List<Map<String, Tensor>> outputs = new ArrayList<>();
    for (Contender contender : contenders) {
      outputs.add(contender.session.run(contender.inputs));
    }
    double[][] millis = new double[contenders.size()][runs];
    long start = System.nanoTime();
    int counted = 0;
    while (counted < runs && (counted < 3 || (System.nanoTime() - start) / 1e9 < seconds)) {
      for (int i = 0; i < contenders.size(); i++) {
        int turn = counted % 2 == 0 ? i : contenders.size() - 1 - i;
        Contender contender = contenders.get(turn);
        long before = System.nanoTime();
        contender.session.run(contender.inputs, outputs.get(turn));
        millis[turn][counted] = (System.nanoTime() - before) / 1e6;
      }
      counted++;
      progress.at("measuring " + batch + " x " + length, counted, runs);
    }
    List<Result> results = new ArrayList<>();
    for (int i = 0; i < contenders.size(); i++) {
      double[] ratios = new double[counted];
      for (int run = 0; run < counted; run++) {
        ratios[run] = millis[0][run] / millis[i][run];
      }
      double[] sorted = Arrays.copyOf(millis[i], counted);
      Arrays.sort(sorted);
      Arrays.sort(ratios);
      results.add(
          new Result(
              contenders.get(i).recipe,
              contenders.get(i).session.device().toString(),
              batch,
              length,
              thread,
              counted,
              percentile(sorted, 50),
              percentile(sorted, 95),
              percentile(sorted, 99),
              batch * 1e3 / percentile(sorted, 50),
              percentile(ratios, 50)));
    }
    return results;
  }

  /** The nearest-rank percentile. */
  private static double percentile(double[] sorted, int percent) {
    return sorted[Math.max(0, (int) Math.ceil(percent / 100.0 * sorted.length) - 1)];
  }

  private void json(PrintWriter out, List<Result> results) {
    ObjectNode document = Output.JSON.createObjectNode();
    if (profile != null) {
      document.put("profile", profile.toString());
    }
    Machine.describe(document.putObject("machine"));
    ArrayNode list = document.putArray("results");
    for (Result result : results) {
      list.addObject()
          .put("runtime", "filigree")
          .put("recipe", result.recipe)
          .put("device", result.device)
          .put("batch", result.batch)
          .put("length", result.length)
          .put("threads", result.threads)
          .put("runs", result.runs)
          .put("p50Millis", result.p50)
          .put("p95Millis", result.p95)
          .put("p99Millis", result.p99)
          .put("throughputPerSecond", result.throughput)
          .put("ratioToBaseline", result.ratio);
    }
    Output.json(out, document);
  }

  private static void print(PrintWriter out, List<Result> results) {
    out.println(Machine.summary());
    out.println();
    Output.Table table =
        new Output.Table(
            "recipe",
            ">batch",
            ">length",
            ">threads",
            ">runs",
            ">p50",
            ">p95",
            ">p99",
            ">per s",
            ">times dense");
    for (Result result : results) {
      table.row(
          result.recipe,
          Integer.toString(result.batch),
          Integer.toString(result.length),
          Integer.toString(result.threads),
          Integer.toString(result.runs),
          Output.format("%.2f ms", result.p50),
          Output.format("%.2f ms", result.p95),
          Output.format("%.2f ms", result.p99),
          Output.format("%.1f", result.throughput),
          Output.format("%.2fx", result.ratio));
    }
    table.print(out);
    out.println();
    out.println(
        "times dense: median of paired ratios, dense time over own time, run in alternation");
  }
}
