package dev.filigree.format.onnx;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The functions that a model defines and its nodes call like operators (FunctionProto). */
final class Functions {
  /** Nodes in the place of all calls; a damaged file whose functions multiply ends here. */
  private static final int MAX_NODES = 1 << 20;

  private final String source;
  private final Map<String, Function> byName = new HashMap<>();
  private int inlined;
  private int calls;

  Functions(String source) {
    this.source = source;
  }

  /**
   * A function as the file has it.
   *
   * @param nodes its messages
   * @param defaults messages of the attributes that have a value without the caller's
   */
  record Function(
      String source,
      String name,
      List<String> inputs,
      List<String> outputs,
      List<MemorySegment> nodes,
      List<MemorySegment> defaults,
      long opset) {
    /** Refuses a function that is written for another operator set than the model. */
    void requireOpset(int model) {
      if (opset != 0 && opset != model) {
        throw new UnsupportedException(
            source
                + " has the function '"
                + name
                + "' of operator set "
                + opset
                + " in a model of "
                + model,
            "export it again with one version for both");
      }
    }

    /**
     * What the attributes of the function are in a call.
     *
     * @param read makes attributes of their messages
     */
    Map<String, Attribute> arguments(
        Node call, java.util.function.Function<ProtoReader, Map<String, Attribute>> read) {
      Map<String, Attribute> arguments = new HashMap<>();
      for (MemorySegment each : defaults) {
        arguments.putAll(read.apply(ProtoReader.of(source, each)));
      }
      arguments.putAll(call.attributes());
      return arguments;
    }
  }

  /** Adds the function of a message. */
  void add(MemorySegment data) {
    ProtoReader message = ProtoReader.of(source, data);
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    List<MemorySegment> nodes = new ArrayList<>();
    List<MemorySegment> defaults = new ArrayList<>();
    String name = "";
    String domain = "";
    long opset = 0;
    while (message.next()) {
      switch (message.field()) {
        case 1 -> name = message.text();
        case 4 -> inputs.add(message.text());
        case 5 -> outputs.add(message.text());
        case 7 -> nodes.add(message.bytes());
        case 9 -> opset = Math.max(opset, OnnxReader.opset(message.message()));
        case 10 -> domain = message.text();
        case 11 -> defaults.add(message.bytes());
        default -> message.skip();
      }
    }
    Function function = new Function(source, name, inputs, outputs, nodes, defaults, opset);
    if (byName.put(key(domain, name), function) != null) {
      throw new UnsupportedException(
          source + " defines the function '" + name + "' twice", "export it without overloads");
    }
  }

  private static String key(String domain, String name) {
    return (domain.equals("ai.onnx") ? Node.ONNX : domain) + ":" + name;
  }

  /** The function that a node calls, or null. */
  Function find(Node node) {
    return byName.isEmpty() ? null : byName.get(key(node.domain(), node.type()));
  }

  /**
   * The nodes of a function in the place of a call, under names of their own.
   *
   * @param body nodes as the function has them, functions that they call inlined
   */
  List<Node> inlined(Node call, Function called, List<Node> body) {
    if (call.inputs().size() > called.inputs().size()
        || call.outputs().size() > called.outputs().size()) {
      throw call.problem("passes more than the function takes or makes", "export it again");
    }
    inlined += body.size();
    if (inlined > MAX_NODES) {
      throw new FormatException(
          source + " has functions that make more than " + MAX_NODES + " nodes",
          "export the model again");
    }
    // with a character that comes with no exporter
    String prefix = call.outputs().getFirst() + "\u00b7f" + calls++ + "/";
    Map<String, String> names = new HashMap<>();
    names.put("", "");
    for (int i = 0; i < called.inputs().size(); i++) {
      names.put(called.inputs().get(i), call.input(i).orElse(""));
    }
    List<Node> nodes = new ArrayList<>();
    for (int i = 0; i < called.outputs().size(); i++) {
      String inner = called.outputs().get(i);
      String outer = i < call.outputs().size() ? call.outputs().get(i) : "";
      if (outer.isEmpty()) {
        continue;
      }
      if (names.containsKey(inner)) {
        // an input, or one value for two outputs
        nodes.add(
            new Node(
                outer, Node.ONNX, "Identity", List.of(names.get(inner)), List.of(outer), Map.of()));
      } else {
        names.put(inner, outer);
      }
    }
    for (Node node : body) {
      nodes.add(
          new Node(
              call.name() + "/" + node.name(),
              node.domain(),
              node.type(),
              renamed(node.inputs(), names, prefix),
              renamed(node.outputs(), names, prefix),
              node.attributes()));
    }
    return nodes;
  }

  private static List<String> renamed(
      List<String> values, Map<String, String> names, String prefix) {
    return values.stream()
        .map(value -> names.computeIfAbsent(value, inner -> prefix + inner))
        .toList();
  }
}
