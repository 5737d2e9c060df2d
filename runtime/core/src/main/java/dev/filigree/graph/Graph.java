package dev.filigree.graph;

import dev.filigree.GraphException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * A network: nodes in an order in which every value is made before it is read. Immutable; passes
 * make new graphs.
 *
 * @param name as its author called it
 * @param opset version of ONNX's operator set the nodes follow
 * @param inputs values the caller passes
 * @param outputs values the caller gets
 * @param nodes operations in executable order
 * @param constants values that depend on no input, by name
 */
public record Graph(
    String name,
    int opset,
    List<ValueInfo> inputs,
    List<ValueInfo> outputs,
    List<Node> nodes,
    Map<String, Constant> constants) {
  public Graph {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    nodes = List.copyOf(nodes);
    constants = Collections.unmodifiableMap(new LinkedHashMap<>(constants));
  }

  /** This graph with other nodes and constants. */
  public Graph with(List<Node> otherNodes, Map<String, Constant> otherConstants) {
    return new Graph(name, opset, inputs, outputs, otherNodes, otherConstants);
  }

  /** The node that makes each value. */
  public Map<String, Node> producers() {
    Map<String, Node> producers = new HashMap<>();
    for (Node node : nodes) {
      for (String output : node.outputs()) {
        if (!output.isEmpty()) {
          producers.put(output, node);
        }
      }
    }
    return producers;
  }

  /** The nodes that read each value, in order; a node that reads it twice stands there twice. */
  public Map<String, List<Node>> consumers() {
    Map<String, List<Node>> consumers = new HashMap<>();
    for (Node node : nodes) {
      for (String input : node.inputs()) {
        if (!input.isEmpty()) {
          consumers.computeIfAbsent(input, name -> new ArrayList<>()).add(node);
        }
      }
    }
    return consumers;
  }

  /** Whether a value is an output of the graph. */
  public boolean isOutput(String value) {
    return outputs.stream().anyMatch(output -> output.name().equals(value));
  }

  /**
   * Checks that every value is made once and before it is read, and puts the nodes in executable
   * order if a file has them otherwise.
   *
   * @throws GraphException if a value is missing, made twice, or depends on itself
   */
  public Graph sorted() {
    Set<String> made = new HashSet<>(constants.keySet());
    made.add("");
    requireDistinct("input", inputs);
    requireDistinct("output", outputs);
    inputs.forEach(input -> made.add(input.name()));
    Map<String, List<Integer>> readers = new HashMap<>();
    int[] missing = new int[nodes.size()];
    Set<String> outputsSeen = new HashSet<>();
    // of the nodes that are ready the first in the file goes first
    PriorityQueue<Integer> ready = new PriorityQueue<>();
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      for (String output : node.outputs()) {
        if (!output.isEmpty() && (made.contains(output) || !outputsSeen.add(output))) {
          throw node.problem(
              "makes '" + output + "', which exists already", "give it another name");
        }
      }
      for (String input : Set.copyOf(node.inputs())) {
        if (!made.contains(input)) {
          readers.computeIfAbsent(input, name -> new ArrayList<>()).add(i);
          missing[i]++;
        }
      }
      if (missing[i] == 0) {
        ready.add(i);
      }
    }
    List<Node> ordered = new ArrayList<>();
    while (!ready.isEmpty()) {
      Node node = nodes.get(ready.remove());
      ordered.add(node);
      for (String output : node.outputs()) {
        made.add(output);
        for (int reader : readers.getOrDefault(output, List.of())) {
          if (--missing[reader] == 0) {
            ready.add(reader);
          }
        }
      }
    }
    for (int i = 0; i < nodes.size(); i++) {
      if (missing[i] != 0) {
        Node stuck = nodes.get(i);
        String unmade =
            stuck.inputs().stream()
                .filter(input -> !made.contains(input))
                .findFirst()
                .orElseThrow();
        throw stuck.problem(
            "reads '" + unmade + "', which no node, input or initializer makes before it",
            "export the graph again");
      }
    }
    for (ValueInfo output : outputs) {
      if (!made.contains(output.name())) {
        throw new GraphException(
            "graph '" + name + "' has the output '" + output.name() + "', which no node makes",
            "export the graph again");
      }
    }
    return with(ordered, constants);
  }

  private void requireDistinct(String kind, List<ValueInfo> infos) {
    Set<String> names = new HashSet<>();
    for (ValueInfo info : infos) {
      if (info.name().isEmpty() || !names.add(info.name())) {
        throw new GraphException(
            "graph '" + name + "' declares the " + kind + " '" + info.name() + "' twice or unnamed",
            "give each " + kind + " a name of its own");
      }
    }
  }
}
