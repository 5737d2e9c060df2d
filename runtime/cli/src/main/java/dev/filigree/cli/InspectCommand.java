package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.format.checkpoint.Checkpoint;
import dev.filigree.format.container.Container;
import dev.filigree.graph.Constant;
import dev.filigree.weights.Pattern24;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Lists what a model holds. */
@Command(
    name = "inspect",
    description =
        "List tensors, shapes, formats, sparsity and bytes; tell whether they follow 2:4.",
    mixinStandardHelpOptions = true,
    usageHelpAutoWidth = true,
    footerHeading = "%nExamples:%n",
    footer = {"  filigree inspect minilm", "  filigree inspect minilm-2of4.filigree --json"})
final class InspectCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private Common.Source source;
  @Mixin private Common.Format format;

  /** A constant of the model as it is listed. */
  private record Line(
      String name,
      String shape,
      long[] extents,
      String dtype,
      String format,
      long bytes,
      double density,
      Optional<Pattern24.Axis> axis) {}

  @Override
  public Integer call() {
    try (ProgressBars progress = new ProgressBars()) {
      Path file = Models.file(source.model, progress);
      try (Model model = Model.open(file)) {
        Map<String, WeightMatrix> matrices = new HashMap<>();
        for (WeightMatrix matrix : model.matrices()) {
          matrices.put(matrix.constant(), matrix);
        }
        for (WeightMatrix matrix : model.convolutions()) {
          matrices.put(matrix.constant(), matrix);
        }
        PrintWriter out = spec.commandLine().getOut();
        if (format.json) {
          json(out, model, matrices, progress);
        } else {
          print(out, model, matrices, progress);
        }
      }
    }
    return Main.DONE;
  }

  private static Line line(String constantName, Constant constant, WeightMatrix matrix) {
    if (matrix != null && matrix.use() == WeightMatrix.Use.CONVOLUTION) {
      return convolution(constant, matrix);
    }
    if (matrix != null) {
      Weights weights = matrix.weights();
      long[] extents = {weights.rows(), weights.columns()};
      return new Line(
          matrix.name(),
          extents(extents),
          extents,
          "f32",
          weights.format(),
          weights.bytes(),
          Pattern24.density(weights),
          Pattern24.axis(weights));
    }
    Tensor tensor = constant.toTensor();
    return new Line(
        constantName,
        extents(tensor.shape().extents()),
        tensor.shape().extents(),
        tensor.dtype().toString(),
        "plain",
        constant.bytes(),
        1,
        Optional.empty());
  }

  /** Weights of a convolution as the graph sees them; groups of 2:4 run along the channels. */
  private static Line convolution(Constant constant, WeightMatrix matrix) {
    Weights weights = matrix.weights();
    long[] extents = constant.type().shape().extents();
    boolean grouped = matrix.channels() % Sparse24.GROUP == 0;
    return new Line(
        matrix.name(),
        extents(extents),
        extents,
        "f32",
        constant instanceof Constant.Windowed ? weights.format() : "plain",
        constant.bytes(),
        Pattern24.density(weights),
        Pattern24.axis(weights).filter(axis -> grouped && axis == Pattern24.Axis.IN));
  }

  private static String extents(long[] extents) {
    return extents.length == 0
        ? "scalar"
        : Arrays.stream(extents).mapToObj(Long::toString).collect(Collectors.joining(" x "));
  }

  private static void json(
      PrintWriter out, Model model, Map<String, WeightMatrix> matrices, ProgressBars progress) {
    ObjectNode document = Output.JSON.createObjectNode();
    ArrayNode tensors = document.putArray("tensors");
    each(
        model,
        matrices,
        progress,
        line -> {
          ObjectNode entry = tensors.addObject().put("name", line.name);
          ArrayNode shape = entry.putArray("shape");
          for (long extent : line.extents) {
            shape.add(extent);
          }
          entry
              .put("dtype", line.dtype)
              .put("format", line.format)
              .put("bytes", line.bytes)
              .put("density", line.density)
              .put("follows24", line.axis.isPresent())
              .put("axis", line.axis.map(Pattern24.Axis::label).orElse(null));
        });
    if (model.metadata().containsKey(Checkpoint.FAMILY)) {
      document
          .put("family", model.metadata().get(Checkpoint.FAMILY))
          .put("layers", model.metadata().get(Checkpoint.FORMS))
          .put("leftOut", model.metadata().get(Checkpoint.LEFT_OUT));
    }
    archive(model)
        .ifPresent(
            sizes ->
                document
                    .putObject("archive")
                    .put("codedBytes", sizes[0])
                    .put("decodedBytes", sizes[1]));
    document.put("totalBytes", model.weightBytes());
    Output.json(out, document);
  }

  private static void print(
      PrintWriter out, Model model, Map<String, WeightMatrix> matrices, ProgressBars progress) {
    model.inputs().forEach(input -> out.println("input   " + input));
    model.outputs().forEach(output -> out.println("output  " + output));
    if (model.metadata().containsKey(Checkpoint.FAMILY)) {
      out.println("family  " + model.metadata().get(Checkpoint.FAMILY));
      out.println("layers  " + model.metadata().get(Checkpoint.FORMS));
      String leftOut = model.metadata().get(Checkpoint.LEFT_OUT);
      if (leftOut != null) {
        out.println("left out  " + leftOut + ": the language model alone is read, for text");
      }
    }
    out.println("recipe  " + Models.recipe(model));
    archive(model)
        .ifPresent(
            sizes ->
                out.println(
                    "archive "
                        + Output.bytes(sizes[0])
                        + " entropy-coded, "
                        + Output.bytes(sizes[1])
                        + " decoded"));
    out.println();
    Output.Table table =
        new Output.Table("tensor", "shape", "type", "format", ">bytes", ">not zero", "2:4");
    each(
        model,
        matrices,
        progress,
        line ->
            table.row(
                line.name,
                line.shape,
                line.dtype,
                line.format,
                Output.bytes(line.bytes),
                Output.format("%.1f %%", 100 * line.density),
                line.axis.map(axis -> "along " + axis.label()).orElse("no")));
    progress.finish();
    table.print(out);
    out.println();
    out.println(Output.bytes(model.weightBytes()) + " of weights");
  }

  /** Bytes of an archive's tensors as they are coded, and decoded. */
  private static Optional<long[]> archive(Model model) {
    String sizes = model.metadata().getOrDefault(Container.ARCHIVE, "");
    return sizes.matches("\\d{1,18} \\d{1,18}")
        ? Optional.of(Arrays.stream(sizes.split(" ")).mapToLong(Long::parseLong).toArray())
        : Optional.empty();
  }

  private static void each(
      Model model,
      Map<String, WeightMatrix> matrices,
      ProgressBars progress,
      Consumer<Line> consumer) {
    int done = 0;
    for (Map.Entry<String, Constant> entry : model.constants().entrySet()) {
      consumer.accept(line(entry.getKey(), entry.getValue(), matrices.get(entry.getKey())));
      progress.at("inspecting", ++done, model.constants().size());
    }
  }
}
