package dev.filigree.compress;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.compress.layer.Moments;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How far each linear layer and convolution of a model is from that of another on the inputs it has
 * there, every layer for itself: the norm of the difference of the outputs over the norm of the
 * outputs.
 */
public final class LayerErrors {
  private LayerErrors() {}

  /**
   * A layer's error.
   *
   * @param name of the layer
   * @param outputError 0 where the weights are the same
   */
  public record Layer(String name, double outputError) {}

  /**
   * Compares the layers of two models of the same architecture.
   *
   * @param original gives the inputs of every layer
   * @throws InputException if the models have other layers
   */
  public static List<Layer> of(
      Model original, Model other, Calibration samples, int threads, Progress progress) {
    samples.check(original);
    Map<String, WeightMatrix> others = new HashMap<>();
    layers(other).forEach(matrix -> others.put(matrix.constant(), matrix));
    Map<String, WeightMatrix> matrices = new HashMap<>();
    Graph graph = original.graph();
    Set<String> grouped = grouped(graph);
    for (WeightMatrix matrix : layers(original)) {
      if (!grouped.contains(matrix.constant())) {
        matrices.put(matrix.constant(), matrix);
        requireTwin(original, other, matrix, others.get(matrix.constant()));
      }
    }
    Kernels kernels = KernelSets.open("");
    SessionOptions options = SessionOptions.defaults().withThreads(threads);
    Streams streams = Streams.bounded(graph, samples, options, kernels);
    List<Layer> layers = new ArrayList<>();
    Map<String, Moments> seen = new HashMap<>();
    try (WorkerPool pool = new WorkerPool(threads, "filigree-compare")) {
      for (int i = 0; i < graph.nodes().size() && !matrices.isEmpty(); i++) {
        Node node = graph.nodes().get(i);
        boolean window = node.isFused(Convolution.TYPE);
        WeightMatrix matrix =
            window
                ? matrices.remove(Convolution.source(node))
                : node.isFused(Linear.TYPE) ? matrices.remove(Linear.source(node)) : null;
        if (matrix != null) {
          Moments moments =
              seen.computeIfAbsent(
                  window ? node.output() : node.inputs().getFirst(),
                  key -> moments(streams, node, matrix, kernels, pool));
          Weights twin = others.get(matrix.constant()).weights();
          layers.add(new Layer(matrix.name(), error(moments, matrix, twin, other.metadata())));
          progress.at("comparing layers", layers.size(), layers.size() + matrices.size());
        }
        streams.run(node, Map.of());
        streams.forget(i).forEach(seen::remove);
      }
    }
    return layers;
  }

  private static List<WeightMatrix> layers(Model model) {
    List<WeightMatrix> layers = new ArrayList<>(model.convolutions());
    model.matrices().stream()
        .filter(matrix -> matrix.use() == WeightMatrix.Use.LINEAR)
        .forEach(layers::add);
    return layers;
  }

  /** Convolutions in groups, whose outputs do not see the same inputs. */
  private static Set<String> grouped(Graph graph) {
    return graph.nodes().stream()
        .filter(node -> node.isFused(Convolution.TYPE) && Convolution.groups(node) != 1)
        .map(Convolution::source)
        .collect(Collectors.toSet());
  }

  private static void requireTwin(
      Model original, Model other, WeightMatrix matrix, WeightMatrix twin) {
    if (twin == null
        || twin.weights().rows() != matrix.weights().rows()
        || twin.weights().columns() != matrix.weights().columns()) {
      throw new InputException(
          other.path()
              + (twin == null ? " has no layer " : " has another size of layer ")
              + matrix.name()
              + " of "
              + original.path(),
          "compare models made from the same original");
    }
  }

  private static Moments moments(
      Streams streams, Node node, WeightMatrix matrix, Kernels kernels, WorkerPool pool) {
    int inputs = matrix.weights().columns();
    Moments moments = new Moments(inputs, true, kernels, pool);
    for (Tensor x : streams.dense(node.inputs().getFirst())) {
      float[] tokens = Tokens.in(node, x);
      moments.add(tokens, tokens.length / inputs);
    }
    return moments;
  }

  private static double error(
      Moments moments, WeightMatrix matrix, Weights other, Map<String, String> notes) {
    Weights original = matrix.weights();
    int columns = original.columns();
    // compression may have put inputs in another order, and the outputs that make them
    int[] rowsAt = Reordering.noted(notes, Reordering.ROWS + matrix.constant(), original.rows());
    int[] columnsAt = Reordering.noted(notes, Reordering.COLUMNS + matrix.constant(), columns);
    double[][] was = new double[original.rows()][columns];
    double[][] lost = new double[original.rows()][columns];
    float[] a = new float[columns];
    float[] b = new float[columns];
    for (int r = 0; r < was.length; r++) {
      original.unpackRow(rowsAt == null ? r : rowsAt[r], a, 0);
      other.unpackRow(r, b, 0);
      for (int c = 0; c < columns; c++) {
        int column = columnsAt == null ? c : columnsAt[c];
        was[r][column] = a[column];
        lost[r][column] = (double) a[column] - b[c];
      }
    }
    double energy = moments.outputEnergy(was);
    return energy == 0 ? 0 : Math.sqrt(moments.outputEnergy(lost) / energy);
  }
}
