package dev.filigree.cli;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.plan.LayerPlan;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.HashMap;
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

/** Shows the plan of a model. */
@Command(
    name = "explain",
    description = "Show which kernel runs each layer, why, and predicted and measured times.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {
      "  filigree explain minilm --recipe 2:4",
      "  filigree explain minilm --batch 8 --length 64 --no-measure",
      "  filigree explain minilm --recipe int8 --device simulated --kernels linear_dense_i8",
      "  filigree explain model.onnx --shape x=1x3x224x224"
    })
final class ExplainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private Common.Source source;
  @Mixin private Common.Runtime runtime;
  @Mixin private Common.Compressed compressed;
  @Mixin private Common.Format format;

  @Option(names = "--batch", paramLabel = "N", description = "Batch size (default: 1).")
  private Integer batch;

  @Option(
      names = "--length",
      paramLabel = "N",
      description = "Sequence length (default: 128, or what the model takes).")
  private Integer length;

  @Option(
      names = "--shape",
      paramLabel = "NAME=AxB",
      parameterConsumer = NamedOption.Texts.class,
      description = "Shape of an input; repeatable.")
  private Map<String, String> shapes = Map.of();

  @Option(names = "--no-measure", description = "Predict only, run nothing.")
  private boolean noMeasure;

  @Override
  public Integer call() {
    SessionOptions options = runtime.options();
    List<Integer> batches = batch == null ? List.of() : List.of(batch);
    List<Integer> lengths = length == null ? List.of() : List.of(length);
    batches.forEach(each -> Common.checkPositive("--batch", each));
    lengths.forEach(each -> Common.checkPositive("--length", each));
    List<LayerPlan> layers;
    String kernels;
    try (ProgressBars progress = new ProgressBars()) {
      Path file =
          Models.compressed(
              Models.file(source.model, progress), compressed.recipe, options.threads(), progress);
      try (Model model = Model.open(file);
          Session session = model.session(options)) {
        Map<String, Tensor> inputs =
            SampleInputs.sizes(model, batches, lengths, shapes).getFirst().inputs(model);
        if (!noMeasure) {
          session.warmUp(inputs, progress);
        }
        Map<String, Shape> extents = new HashMap<>();
        inputs.forEach((name, tensor) -> extents.put(name, tensor.shape()));
        layers = session.plan(extents);
        kernels = session.kernels();
      }
    }
    PrintWriter out = spec.commandLine().getOut();
    boolean simulated = options.device().kind() == Device.Kind.SIMULATED;
    if (format.json) {
      json(out, layers, kernels, simulated);
    } else {
      print(out, layers, simulated);
    }
    return Main.DONE;
  }

  private static void json(
      PrintWriter out, List<LayerPlan> layers, String kernels, boolean simulated) {
    ObjectNode document = Output.JSON.createObjectNode();
    document.put("simulated", simulated).put("kernels", kernels);
    ArrayNode list = document.putArray("layers");
    for (LayerPlan layer : layers) {
      ObjectNode entry =
          list.addObject()
              .put("name", layer.name())
              .put("operator", layer.operator())
              .put("format", layer.format())
              .put("kernel", layer.kernel())
              .put("reason", layer.reason())
              .put("bytes", layer.bytes());
      ArrayNode candidates = entry.putArray("candidates");
      for (LayerPlan.Candidate candidate : layer.candidates()) {
        ObjectNode option =
            candidates
                .addObject()
                .put("kernel", candidate.kernel())
                .put("predictedMicros", candidate.predictedMicros());
        put(option, "measuredMicros", candidate.measuredMicros());
        if (simulated) {
          put(option, "projectedMicros", candidate.projectedMicros());
        }
      }
    }
    Output.json(out, document);
  }

  private static void put(ObjectNode option, String field, double micros) {
    if (Double.isNaN(micros)) {
      option.putNull(field);
    } else {
      option.put(field, micros);
    }
  }

  private static void print(PrintWriter out, List<LayerPlan> layers, boolean simulated) {
    if (simulated) {
      out.println(
          "On the simulated GPU. Projected times are made of its counters; nothing was measured.");
      out.println();
    }
    String time = simulated ? ">projected" : ">measured";
    Output.Table table =
        new Output.Table("layer", "operator", "format", "kernel", ">predicted", time, "why");
    for (LayerPlan layer : layers) {
      double predicted = Double.NaN;
      double found = Double.NaN;
      for (LayerPlan.Candidate candidate : layer.candidates()) {
        if (candidate.kernel().equals(layer.kernel())) {
          predicted = candidate.predictedMicros();
          found = simulated ? candidate.projectedMicros() : candidate.measuredMicros();
        }
      }
      table.row(
          layer.name(),
          layer.operator(),
          layer.format(),
          layer.kernel(),
          micros(predicted, simulated),
          micros(found, simulated),
          layer.reason());
    }
    table.print(out);
  }

  /** Kernels of a GPU take microseconds, where those of a CPU take hundreds. */
  private static String micros(double micros, boolean fine) {
    return Double.isNaN(micros) ? "" : Output.format(fine ? "%.1f µs" : "%.0f µs", micros);
  }
}
