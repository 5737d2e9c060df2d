package dev.filigree.graph;

import dev.filigree.GraphException;
import dev.filigree.UnsupportedException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One operation of a graph. Immutable.
 *
 * @param name for messages and reports; never empty
 * @param domain of the operator: empty for ONNX, {@link #FUSED} for operators that passes make
 * @param type operator type, for example {@code MatMul}
 * @param inputs names of the values it reads; an empty name is an absent optional input
 * @param outputs names of the values it makes; an empty name is an output nobody reads
 * @param attributes constant parameters by name
 */
public record Node(
    String name,
    String domain,
    String type,
    List<String> inputs,
    List<String> outputs,
    Map<String, Attribute> attributes) {
  /** Domain of ONNX's own operators. */
  public static final String ONNX = "";

  /** Domain of the operators that fusions put in place of several nodes. */
  public static final String FUSED = "dev.filigree";

  public Node {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    attributes = Map.copyOf(attributes);
  }

  /** Whether this is ONNX's operator of that type. */
  public boolean is(String onnxType) {
    return domain.equals(ONNX) && type.equals(onnxType);
  }

  /** Whether this is the fused operator of that type. */
  public boolean isFused(String fusedType) {
    return domain.equals(FUSED) && type.equals(fusedType);
  }

  /** Name of an input, or nothing if it is absent. */
  public Optional<String> input(int i) {
    return i < inputs.size() && !inputs.get(i).isEmpty()
        ? Optional.of(inputs.get(i))
        : Optional.empty();
  }

  /** Name of the first output. */
  public String output() {
    return outputs.getFirst();
  }

  /** This node reading other values; itself if they are the same. */
  public Node withInputs(List<String> others) {
    return others.equals(inputs) ? this : new Node(name, domain, type, others, outputs, attributes);
  }

  public long intAttribute(String attribute, long otherwise) {
    return switch (attributes.get(attribute)) {
      case null -> otherwise;
      case Attribute.Int(long value) -> value;
      case Attribute other -> throw wrongKind(attribute, "a whole number");
    };
  }

  public float floatAttribute(String attribute, float otherwise) {
    return switch (attributes.get(attribute)) {
      case null -> otherwise;
      case Attribute.Real(float value) -> value;
      case Attribute other -> throw wrongKind(attribute, "a float");
    };
  }

  public String textAttribute(String attribute, String otherwise) {
    return switch (attributes.get(attribute)) {
      case null -> otherwise;
      case Attribute.Text(String value) -> value;
      case Attribute other -> throw wrongKind(attribute, "a text");
    };
  }

  public Optional<List<Long>> intsAttribute(String attribute) {
    return switch (attributes.get(attribute)) {
      case null -> Optional.empty();
      case Attribute.Ints(List<Long> values) -> Optional.of(values);
      case Attribute other -> throw wrongKind(attribute, "whole numbers");
    };
  }

  /** The graphs this node runs, by attribute. */
  public Map<String, Graph> bodies() {
    Map<String, Graph> bodies = new TreeMap<>();
    attributes.forEach(
        (attribute, value) -> {
          if (value instanceof Attribute.Body(Graph body, int captures)) {
            bodies.put(attribute, body);
          }
        });
    return bodies;
  }

  /**
   * The graph of an attribute.
   *
   * @throws GraphException if it is not there
   */
  public Graph body(String attribute) {
    return switch (attributes.get(attribute)) {
      case Attribute.Body(Graph body, int captures) -> body;
      case null -> throw problem("lacks its graph '" + attribute + "'", "export it again");
      case Attribute other -> throw wrongKind(attribute, "a graph");
    };
  }

  /** How many of its last inputs are read by its bodies alone. */
  public int captures() {
    return attributes.values().stream()
        .mapToInt(value -> value instanceof Attribute.Body(Graph body, int captures) ? captures : 0)
        .max()
        .orElse(0);
  }

  private GraphException wrongKind(String attribute, String kind) {
    return problem("has an attribute '" + attribute + "' that is not " + kind, "export it again");
  }

  /** What is wrong with this node, as an exception that names it. */
  public GraphException problem(String problem, String remedy) {
    return new GraphException("node " + this + " " + problem, remedy);
  }

  /** What Filigree does not support of this node, as an exception that names it. */
  public UnsupportedException unsupported(String problem, String remedy) {
    return new UnsupportedException("node " + this + " " + problem, remedy);
  }

  /**
   * Name and type, for example {@code 'encoder/MatMul_3' (MatMul)}; the domain is told of operators
   * from elsewhere only.
   */
  @Override
  public String toString() {
    boolean isOwn = domain.equals(ONNX) || domain.equals(FUSED);
    return "'" + name + "' (" + (isOwn ? "" : domain + ".") + type + ")";
  }
}
