package dev.filigree.compress;

import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.spi.Kernels;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Calibration samples on their way through a graph, node by node: as the dense model computes them,
 * and as the model does whose layers up to here are compressed. Where both are the same they share
 * their memory. A value is dropped after the last node that reads it.
 */
final class Streams {
  private final Graph graph;
  private final SessionOptions options;
  private final Kernels kernels;
  private final int batches;
  private final Map<String, Integer> lastUse = new HashMap<>();
  private final Map<String, Tensor[]> dense = new HashMap<>();
  private final Map<String, Tensor[]> compressed = new HashMap<>();

  Streams(Graph graph, Calibration calibration, SessionOptions options, Kernels kernels) {
    this.graph = graph;
    this.kernels = kernels;
    this.batches = calibration.batches().size();
    // a shape is planned once and kept: samples come in few lengths
    this.options = options.withShapes(Math.min(256, Math.max(1, batches)));
    for (int i = 0; i < graph.nodes().size(); i++) {
      for (String input : graph.nodes().get(i).inputs()) {
        lastUse.put(input, i);
      }
    }
    for (int b = 0; b < batches; b++) {
      for (Map.Entry<String, Tensor> input : calibration.batches().get(b).entrySet()) {
        dense.computeIfAbsent(input.getKey(), name -> new Tensor[batches])[b] = input.getValue();
      }
    }
    compressed.putAll(dense);
  }

  /** Streams of as many samples as memory bears. */
  static Streams bounded(
      Graph graph, Calibration calibration, SessionOptions options, Kernels kernels) {
    return new Streams(
        graph, Footprint.fitting(graph, calibration, options, kernels), options, kernels);
  }

  /** Bytes of the dense model's values that are held now. */
  long denseBytes() {
    long bytes = 0;
    for (Tensor[] values : dense.values()) {
      for (Tensor value : values) {
        bytes += value == null ? 0 : value.bytes();
      }
    }
    return bytes;
  }

  int batches() {
    return batches;
  }

  /** A value of the dense model, for each batch. */
  Tensor[] dense(String value) {
    return dense.get(value);
  }

  /** The value as the compressed model computes it. */
  Tensor[] compressed(String value) {
    return compressed.get(value);
  }

  /** What the dense model's node makes of the dense values, for one batch after the other. */
  Tensor[] runDense(Node node) {
    Tensor[] results = new Tensor[batches];
    try (NodeRunner runner = runner(node, Map.of())) {
      for (int b = 0; b < batches; b++) {
        results[b] = runner.run(inputs(node, dense, b))[0];
      }
    }
    return results;
  }

  /**
   * Runs a node in both streams.
   *
   * @param replaced constants of the compressed model
   */
  void run(Node node, Map<String, Constant> replaced) {
    boolean same = node.inputs().stream().noneMatch(replaced::containsKey);
    try (NodeRunner original = runner(node, Map.of());
        NodeRunner changed = runner(node, replaced)) {
      for (int b = 0; b < batches; b++) {
        Map<String, Tensor> inputs = inputs(node, dense, b);
        Map<String, Tensor> others = inputs(node, compressed, b);
        Tensor[] results = original.run(inputs);
        store(node, dense, b, results);
        store(node, compressed, b, same && isSame(inputs, others) ? results : changed.run(others));
      }
    }
  }

  private NodeRunner runner(Node node, Map<String, Constant> replaced) {
    return new NodeRunner(graph, node, replaced, options, kernels);
  }

  private static boolean isSame(Map<String, Tensor> a, Map<String, Tensor> b) {
    return a.entrySet().stream().allMatch(entry -> b.get(entry.getKey()) == entry.getValue());
  }

  private static Map<String, Tensor> inputs(Node node, Map<String, Tensor[]> values, int batch) {
    Map<String, Tensor> inputs = new HashMap<>();
    for (String input : node.inputs()) {
      Tensor[] found = values.get(input);
      if (found != null) {
        inputs.put(input, found[batch]);
      }
    }
    return inputs;
  }

  private void store(Node node, Map<String, Tensor[]> values, int batch, Tensor[] results) {
    for (int i = 0; i < results.length; i++) {
      values.computeIfAbsent(node.outputs().get(i), name -> new Tensor[batches])[batch] =
          results[i];
    }
  }

  /** Drops the values that no later node reads. */
  List<String> forget(int node) {
    List<String> unread =
        dense.keySet().stream().filter(name -> lastUse.getOrDefault(name, -1) <= node).toList();
    unread.forEach(dense::remove);
    unread.forEach(compressed::remove);
    return unread;
  }
}
