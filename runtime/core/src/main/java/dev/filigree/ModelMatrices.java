package dev.filigree;

import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The weight matrices of a model.
 *
 * @param original graph of the file, whose constants are what compression replaces
 * @param graph as it is planned, whose nodes say what the constants are for
 */
record ModelMatrices(Graph original, Graph graph) {
  /** Weights of linear layers and tables in the order of the graph, each once. */
  List<WeightMatrix> layersAndTables() {
    List<WeightMatrix> matrices = new ArrayList<>();
    Set<String> constants = new HashSet<>();
    Set<String> names = new HashSet<>();
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE) && constants.add(Linear.source(node))) {
        Weights weights = weights(node.inputs().get(Linear.WEIGHTS));
        matrices.add(
            new WeightMatrix(
                unique(node.name(), Linear.source(node), names),
                WeightMatrix.Use.LINEAR,
                Linear.source(node),
                Linear.isTransposed(node),
                weights));
      } else if (node.isFused(Embedding.TYPE)) {
        for (int t = 0; t < Embedding.tables(node); t++) {
          String table = node.inputs().get(2 * t);
          if (constants.add(table)) {
            matrices.add(
                new WeightMatrix(
                    unique(table.replaceFirst("\\.weight$", ""), table, names),
                    WeightMatrix.Use.TABLE,
                    table,
                    false,
                    weights(table)));
          }
        }
      }
    }
    return matrices;
  }

  /**
   * Convolutions whose weights are a constant of their own in f32 or compressed, as the file has
   * them, in the order of the graph.
   */
  List<WeightMatrix> convolutions() {
    List<WeightMatrix> matrices = new ArrayList<>();
    Set<String> names = new HashSet<>();
    layersAndTables().forEach(matrix -> names.add(matrix.name()));
    for (Node node : graph.nodes()) {
      String source = node.isFused(Convolution.TYPE) ? Convolution.source(node) : "";
      Weights rows =
          switch (original.constants().get(source)) {
            case Constant.Windowed(Weights weights, Shape shape) -> weights;
            case Constant.Plain(Tensor tensor) when tensor.dtype() == DType.F32 ->
                Convolution.rows(tensor);
            case null, default -> null;
          };
      if (rows != null && original.consumers().get(source).size() == 1) {
        matrices.add(
            new WeightMatrix(
                unique(node.name(), source, names),
                WeightMatrix.Use.CONVOLUTION,
                source,
                false,
                rows,
                (int) original.constants().get(source).type().dims().get(1).value()));
      }
    }
    return matrices;
  }

  /**
   * A name that no other layer has and under which no other constant is stored: exporters keep
   * equal constants once, so that a layer may be called after the bias of another.
   */
  private String unique(String wanted, String constant, Set<String> taken) {
    String name = wanted;
    for (int i = 2; isAnothers(name + ".weight", constant) || !taken.add(name); i++) {
      name = wanted + "_" + i;
    }
    return name;
  }

  private boolean isAnothers(String stored, String constant) {
    return !stored.equals(constant) && original.constants().containsKey(stored);
  }

  private Weights weights(String constant) {
    return switch (graph.constants().get(constant)) {
      case Constant.Compressed(Weights weights, boolean transposed) -> weights;
      case Constant other -> new Dense(other.toTensor());
    };
  }
}
