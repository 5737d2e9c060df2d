package dev.filigree.cli;

import dev.filigree.Model;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.graph.Constant;
import dev.filigree.weights.Pattern24;
import dev.filigree.weights.Weights;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Lists what a model holds. */
@Command(
    name = "inspect",
    description =
        "List tensors, shapes, formats, sparsity and bytes; tell whether they follow 2:4.",
    mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "MODEL", description = "A .onnx or .filigree file, or 'minilm'.")
  private String name;

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
      Path file = Models.file(name, progress);
      try (Model model = Model.open(file)) {
        Map<String, WeightMatrix> matrices = new HashMap<>();
        for (WeightMatrix matrix : model.matrices()) {
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
    if (matrix != null) {
      Weights weights = matrix.weights();
      long[] extents = {weights.rows(), weights.columns()};
      return new Line(
          matrix.name(),
          weights.rows() + " x " + weights.columns(),
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
        tensor.shape().toString(),
        tensor.shape().extents(),
        tensor.dtype().toString(),
        "plain",
        constant.bytes(),
        1,
        Optional.empty());
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
    document.put("totalBytes", model.weightBytes());
    Output.json(out, document);
  }

  private static void print(
      PrintWriter out, Model model, Map<String, WeightMatrix> matrices, ProgressBars progress) {
    out.println("inputs   " + model.inputs());
    out.println("outputs  " + model.outputs());
    model.metadata().forEach((key, value) -> out.println(key + "  " + value));
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
