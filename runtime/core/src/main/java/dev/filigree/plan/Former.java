package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.RepeatedInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What planning a graph for some shapes found that planning it for the next ones uses again. Plans
 * made with it one after the other share the steps of nodes for which nothing changed, as long as
 * their buffers lie where they lay, and cost what differs. Not thread-safe.
 */
final class Former {
  /** A value's place in one layout, made for a type. */
  private record Defined(ValueType type, Slot slot) {}

  private final Graph graph;
  private final RepeatedInference inference;
  private final Folding.Former folded = new Folding.Former();
  private final Placement placement;
  private Map<Node, Carried> nodes = new IdentityHashMap<>();
  private Map<String, Defined[]> places = new HashMap<>();
  private int choices;

  /**
   * Nothing was planned yet.
   *
   * @param bytes that the session may take for activations
   */
  Former(Graph graph, long bytes) {
    this.graph = graph;
    this.inference = new RepeatedInference(graph, Operators::find);
    this.placement = new Placement(bytes);
  }

  Graph graph() {
    return graph;
  }

  Placement placement() {
    return placement;
  }

  /** What is known of the graph for the shapes of its inputs; nothing if some follow from data. */
  Optional<Folding> folding(Map<String, Shape> shapes) {
    return Folding.of(graph, inference.infer(shapes), folded);
  }

  /**
   * Forgets the steps of nodes.
   *
   * @param version of the choices of kernels that the next plan is made with
   */
  void forget(int version) {
    nodes = new IdentityHashMap<>();
    places = new HashMap<>();
    choices = version;
  }

  /** Whether the steps were chosen as they would be now. */
  boolean isOf(int version) {
    return choices == version;
  }

  /** What planning a node did last, or null. */
  Carried of(Node node) {
    return nodes.get(node);
  }

  void keep(Node node, Carried carried) {
    nodes.put(node, carried);
  }

  void drop(Node node) {
    nodes.remove(node);
  }

  /** The place of a value of the same type in the last plan, or null. */
  Slot place(String value, Layout layout, ValueType type) {
    Defined[] of = places.get(value);
    Defined defined = of == null ? null : of[layout.ordinal()];
    return defined == null || defined.type != type ? null : defined.slot;
  }

  void keep(String value, Layout layout, ValueType type, Slot slot) {
    places.computeIfAbsent(value, name -> new Defined[Layout.values().length])[layout.ordinal()] =
        new Defined(type, slot);
  }
}
