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
import dev.filigree.weights.ScaledRows;
import dev.filigree.weights.Weights;
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

  /**
   * What training made.
   *
   * @param pruned what it began with
   * @param weights of linear layers, by the constant in the file
   * @param vectors biases and scales, by constant
   */
  record Trained(
      Compression pruned, Map<String, Parameter> weights, Map<String, Parameter> vectors) {
    private Trained(Compression pruned) {
      this(pruned, new LinkedHashMap<>(), new LinkedHashMap<>());
    }
  }

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

  Compression run(Calibration calibration, Progress progress, Sweep sweep) {
    Distillation.check(model.graph());
    Calibration fitted = calibration.part(stage.fitSamples());
    int place = recipe.stages().indexOf(stage);
    // pruning that saw all samples is that of a recipe without distillation
    List<Stage> pruning = recipe.stages().subList(0, fitted == calibration ? place : place + 1);
    return encoded(
        sweep.trained(
            recipe.stages().subList(0, place + 1),
            () ->
                trained(
                    sweep.pruned(pruning, () -> pruned(fitted, progress)),
                    fitted,
                    calibration,
                    progress)),
        progress);
  }

  private Compression pruned(Calibration calibration, Progress progress) {
    List<Work> pruning = work.stream().map(Work::pruningOnly).toList();
    return new CalibratedRun(model, recipe, pruning, threads).run(calibration, progress);
  }

  private Trained trained(
      Compression pruned, Calibration fitted, Calibration all, Progress progress) {
    Trained trained = collected(pruned);
    List<Parameter> parameters = new ArrayList<>(trained.weights.values());
    parameters.addAll(trained.vectors.values());
    new Distillation(
            model.graph(), parameters, fitted.batches(), all.batches(), stage.options(), progress)
        .run(threads);
    return trained;
  }

  private Compression encoded(Trained trained, Progress progress) {
    List<Compression.Layer> layers = new ArrayList<>();
    try (WorkerPool pool = new WorkerPool(threads, "filigree-compress")) {
      for (int i = 0; i < work.size(); i++) {
        Work item = work.get(i);
        Parameter parameter = trained.weights.get(item.matrix().constant());
        layers.add(encoded(item, parameter, trained.pruned.layers().get(i), pool));
        progress.at("encoding", i + 1, work.size());
      }
    }
    Map<String, Tensor> tuned = new LinkedHashMap<>();
    trained.vectors.forEach(
        (name, vector) -> tuned.put(name, Tensor.of(vector.values(), vector.values().length)));
    return new Compression(model, recipe, layers, Reordering.NONE, tuned);
  }

  /** What learns: the weights of linear layers, and vectors that the file has as they are. */
  private Trained collected(Compression pruned) {
    Trained trained = new Trained(pruned);
    Map<String, Parameter> weights = trained.weights;
    Map<String, Parameter> vectors = trained.vectors;
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
    return trained;
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

  private static Compression.Layer encoded(
      Work item, Parameter parameter, Compression.Layer pruned, WorkerPool pool) {
    if (parameter == null && item.prune() != null) {
      return encoded(item, pruned, pool);
    }
    if (parameter == null) {
      return item.changes()
          ? new LayerCompressor(item, null, pool).compress()
          : Compression.Layer.unchanged(item);
    }
    Compression.Layer layer =
        new LayerCompressor(item, null, pool).encode(parameter.values(), parameter.mask());
    return layer.withCalibrationOf(pruned);
  }

  /** A convolution, which does not learn, but keeps what calibration made of it. */
  private static Compression.Layer encoded(Work item, Compression.Layer pruned, WorkerPool pool) {
    if (item.encode() == null) {
      return pruned;
    }
    Weights kept = pruned.weights();
    Weights acting = item.factors() == null ? kept : ScaledRows.of(kept, item.factors());
    Mask mask = Mask.of(kept.rows(), kept.columns(), kept::keeps);
    return new LayerCompressor(item, null, pool).encode(acting.unpack(), mask).withAllOf(pruned);
  }
}
