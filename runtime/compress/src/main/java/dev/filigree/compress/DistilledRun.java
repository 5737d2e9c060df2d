package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Tensor;
import dev.filigree.compress.train.Distillation;
import dev.filigree.compress.train.Parameter;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import dev.filigree.weights.Mask;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Prunes by a recipe's stages, distils what stays from the dense model, and only then encodes the
 * values. Every linear layer, bias and scale learns; pruned weights stay zero.
 */
final class DistilledRun {
  private final Model model;
  private final Recipe recipe;
  private final Stage.Distill stage;
  private final List<Work> work;
  private final int threads;
  private final Map<String, Parameter> weights = new LinkedHashMap<>();
  private final Map<String, Parameter> vectors = new LinkedHashMap<>();

  DistilledRun(Model model, Recipe recipe, List<Work> work, int threads) {
    this.model = model;
    this.recipe = recipe;
    this.stage = recipe.distillation();
    this.work = work;
    this.threads = threads;
    for (Work item : work) {
      if (item.encode() != null && item.encode().needsCalibration()) {
        throw new InputException(
            "recipe '"
                + recipe.name()
                + "' distils and then encodes layer "
                + item.matrix().name()
                + " with calibration",
            "round to the nearest (method rtn) and do not weight clusters after distillation");
      }
    }
  }

  Compression run(Calibration calibration, Progress progress) {
    List<Work> pruning =
        work.stream().map(item -> new Work(item.matrix(), item.prune(), null)).toList();
    Compression pruned =
        new CalibratedRun(model, recipe, pruning, threads).run(calibration, progress);
    return finish(pruned, calibration, progress);
  }

  /** Distils what was pruned, and encodes it. */
  Compression finish(Compression pruned, Calibration calibration, Progress progress) {
    collect(pruned);
    List<Parameter> all = new ArrayList<>(weights.values());
    all.addAll(vectors.values());
    new Distillation(model.graph(), all, calibration.batches(), stage.options(), progress)
        .run(threads);
    List<Compression.Layer> layers = new ArrayList<>();
    try (WorkerPool pool = new WorkerPool(threads, "filigree-compress")) {
      for (int i = 0; i < work.size(); i++) {
        layers.add(encoded(work.get(i), pruned.layers().get(i), pool));
        progress.at("encoding", i + 1, work.size());
      }
    }
    Map<String, Tensor> tuned = new LinkedHashMap<>();
    vectors.forEach(
        (name, vector) -> tuned.put(name, Tensor.of(vector.values(), vector.values().length)));
    return new Compression(model, recipe, layers, Reordering.NONE, tuned);
  }

  /** What learns: the weights of linear layers, and vectors that the file has as they are. */
  private void collect(Compression pruned) {
    Graph graph = model.graph();
    Map<String, Compression.Layer> layerOf = new LinkedHashMap<>();
    Map<String, float[]> biases = new LinkedHashMap<>();
    for (Compression.Layer layer : pruned.layers()) {
      layerOf.put(layer.matrix().constant(), layer);
      if (layer.biasConstant() != null) {
        biases.put(layer.biasConstant(), layer.bias());
      }
    }
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE)) {
        Compression.Layer layer = layerOf.get(Linear.source(node));
        String value = node.inputs().get(Linear.WEIGHTS);
        Parameter known = weights.get(Linear.source(node));
        if (known != null && !known.constant().equals(value)) {
          throw node.unsupported(
              "shares its weights with another layer in another form",
              "leave the stage distill out");
        }
        if (known == null) {
          weights.put(Linear.source(node), parameter(value, layer));
        }
      }
      if (node.isFused(Linear.TYPE) || node.is("LayerNormalization")) {
        for (String input : node.inputs()) {
          if (isVector(input)) {
            vectors.computeIfAbsent(
                input,
                name -> {
                  float[] values =
                      biases.getOrDefault(name, graph.constants().get(name).toTensor().toFloats());
                  return new Parameter(name, values.length, 1, values.clone());
                });
          }
        }
      }
    }
  }

  /** Whether a value is a vector of the file that can be replaced. */
  private boolean isVector(String value) {
    return model.constants().get(value) instanceof Constant.Plain(Tensor tensor)
        && tensor.dtype() == DType.F32
        && tensor.shape().rank() == 1;
  }

  private static Parameter parameter(String value, Compression.Layer layer) {
    int rows = layer.weights().rows();
    int columns = layer.weights().columns();
    float[] values = layer.weights().unpack();
    Parameter parameter = new Parameter(value, rows, columns, values);
    if (layer.changed()) {
      parameter.prune(Mask.of(rows, columns, (r, c) -> values[r * columns + c] != 0));
    }
    return parameter;
  }

  private Compression.Layer encoded(Work item, Compression.Layer pruned, WorkerPool pool) {
    Parameter parameter = weights.get(item.matrix().constant());
    if (parameter == null) {
      return item.changes()
          ? new LayerCompressor(item, null, pool).compress()
          : Compression.Layer.unchanged(item);
    }
    Compression.Layer layer =
        new LayerCompressor(item, null, pool).encode(parameter.values(), parameter.mask());
    return layer.withCalibrationOf(pruned);
  }
}
