package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.format.MappedFile;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Reads ONNX models of the operator sets 1 to 28 (onnx.proto of ONNX 1.23). Weights stay in the
 * file; only the nodes are taken into objects, those of the model's own functions wherever they are
 * called. Nothing in the file is trusted.
 */
public final class OnnxReader {
  private static final int OLDEST_OPSET = 1;
  private static final int NEWEST_OPSET = 28;

  /** Graphs within graphs; keeps a damaged file from exhausting the stack. */
  private static final int MAX_DEPTH = 16;

  private final String source;
  private final ExternalData outside;
  private final int opset;
  private final int depth;
  private final Functions functions;

  /** Attributes of the call, in the body of a function. */
  private Map<String, Attribute> arguments = Map.of();

  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();
  private final List<ValueInfo> inputs = new ArrayList<>();
  private final List<ValueInfo> outputs = new ArrayList<>();
  private final NarrowTypes narrow;
  private String name = "";

  private OnnxReader(String source, ExternalData outside, int opset, Functions functions) {
    this.source = source;
    this.outside = outside;
    this.opset = opset;
    this.depth = 0;
    this.functions = functions;
    this.narrow = new NarrowTypes();
  }

  /** Reads what is within another graph or function. */
  private OnnxReader(OnnxReader outer) {
    this.source = outer.source;
    this.outside = outer.outside;
    this.opset = outer.opset;
    this.depth = outer.depth + 1;
    this.functions = outer.functions;
    this.narrow = outer.narrow.inner();
  }

  /**
   * Maps and reads a file; data files are looked for beside it.
   *
   * @param arena decides how long the mapped weights live
   * @throws FormatException if the file is damaged
   * @throws UnsupportedException if it is well-formed but beyond what Filigree reads
   */
  public static Graph read(Path file, Arena arena) {
    return read(file.toString(), MappedFile.map(file, arena), ExternalData.beside(file, arena));
  }

  /**
   * Reads a model from memory, which must live as long as the graph.
   *
   * @param source named in messages
   * @param outside finds data the model keeps elsewhere
   */
  public static Graph read(String source, MemorySegment data, ExternalData outside) {
    return model(source, ProtoReader.of(source, data), outside);
  }

  /** Finds no external data: for models that must be complete. */
  public static ExternalData complete(String source) {
    return (initializer, dtype, shape, entries) -> {
      throw new FormatException(
          source + " keeps the initializer '" + initializer + "' outside the model",
          "pass a model that holds all its data");
    };
  }

  private static Graph model(String source, ProtoReader message, ExternalData outside) {
    ProtoReader graph = null;
    long opset = 0;
    Functions functions = new Functions(source);
    while (message.next()) {
      switch (message.field()) {
        case 7 -> graph = message.message();
        case 8 -> opset = Math.max(opset, opset(message.message()));
        case 25 -> functions.add(message.bytes());
        default -> message.skip();
      }
    }
    if (graph == null) {
      throw new FormatException(source + " holds no graph", "pass an ONNX model");
    }
    String range = "from " + OLDEST_OPSET + " to " + NEWEST_OPSET;
    if (opset == 0) {
      throw new UnsupportedException(
          source + " uses no version of the ONNX operator set",
          "pass a network of a version " + range + "; trees and scalers of ai.onnx.ml are not run");
    }
    if (opset < OLDEST_OPSET || opset > NEWEST_OPSET) {
      throw new UnsupportedException(
          source + " uses version " + opset + " of the ONNX operator set",
          "export it for a version " + range);
    }
    OnnxReader reader = new OnnxReader(source, outside, (int) opset, functions);
    reader.graph(graph);
    reader.narrow.resolve(reader.nodes);
    return reader.graph(List.of());
  }

  /** The graph that was read. */
  private Graph graph(List<String> captures) {
    List<ValueInfo> all = new ArrayList<>(inputs);
    captures.forEach(capture -> all.add(new ValueInfo(capture, null, null)));
    return new Graph(name, opset, all, outputs, nodes, constants).sorted();
  }

  /** Values the graph reads and does not make. */
  private Set<String> free() {
    Set<String> free = new TreeSet<>();
    nodes.forEach(node -> free.addAll(node.inputs()));
    outputs.forEach(output -> free.add(output.name()));
    nodes.forEach(node -> free.removeAll(node.outputs()));
    inputs.forEach(input -> free.remove(input.name()));
    free.removeAll(constants.keySet());
    free.remove("");
    return free;
  }

  /** The version of ONNX's own operator set; 0 for another domain's. */
  static long opset(ProtoReader message) {
    String domain = "";
    long version = 0;
    while (message.next()) {
      switch (message.field()) {
        case 1 -> domain = message.text();
        case 2 -> version = message.number();
        default -> message.skip();
      }
    }
    return domain.isEmpty() || domain.equals("ai.onnx") ? version : 0;
  }

  private void graph(ProtoReader message) {
    while (message.next()) {
      switch (message.field()) {
        case 1 -> add(message.message());
        case 2 -> name = message.text();
        case 5 -> initializer(TensorReader.read(source, message.message(), outside));
        case 11 -> inputs.add(input(message.message()));
        case 12 -> outputs.add(valueInfo(message.message()));
        case 15 -> initializer(SparseTensorReader.read(source, message.message(), outside));
        default -> message.skip();
      }
    }
    inputs.removeIf(input -> constants.containsKey(input.name()));
  }

  /** Adds a node, or in its place the nodes of the function it calls. */
  private void add(ProtoReader message) {
    Node node = node(message);
    Functions.Function called = functions.find(node);
    if (called == null) {
      narrow.addConstants(node);
      nodes.add(node);
      return;
    }
    if (depth == MAX_DEPTH) {
      throw message.damaged("has functions within functions more than " + MAX_DEPTH + " deep");
    }
    called.requireOpset(opset);
    OnnxReader body = new OnnxReader(this);
    body.arguments = called.arguments(node, body::attribute);
    called.nodes().forEach(inner -> body.add(ProtoReader.of(source, inner)));
    List<Node> inlined = functions.inlined(node, called, body.nodes);
    narrow.addRenamed(body.narrow, body.nodes, inlined);
    nodes.addAll(inlined);
  }

  private void initializer(TensorReader.Named tensor) {
    narrow.add(tensor.type(), List.of(tensor.name()));
    if (constants.put(tensor.name(), tensor.constant()) != null) {
      throw new FormatException(
          source + " has two initializers named '" + tensor.name() + "'", "export it again");
    }
  }

  private Node node(ProtoReader message) {
    List<String> reads = new ArrayList<>();
    List<String> makes = new ArrayList<>();
    Map<String, Attribute> attributes = new HashMap<>();
    Map<String, OnnxReader> bodies = new TreeMap<>();
    String nodeName = "";
    String type = "";
    String domain = "";
    while (message.next()) {
      switch (message.field()) {
        case 1 -> reads.add(message.text());
        case 2 -> makes.add(message.text());
        case 3 -> nodeName = message.text();
        case 4 -> type = message.text();
        case 5 -> attribute(message.message(), attributes, bodies);
        case 7 -> domain = message.text();
        default -> message.skip();
      }
    }
    String firstOutput = makes.stream().filter(made -> !made.isEmpty()).findFirst().orElse("");
    if (firstOutput.isEmpty() || type.isEmpty()) {
      throw message.damaged("has a node without an operator or output");
    }
    if (nodeName.isEmpty()) {
      nodeName = firstOutput;
    }
    Set<String> captures = new TreeSet<>();
    bodies.values().forEach(body -> captures.addAll(body.free()));
    bodies.forEach(
        (key, body) -> {
          Graph graph = body.graph(List.copyOf(captures));
          narrow.addBody(graph, body.narrow);
          attributes.put(key, new Attribute.Body(graph, captures.size()));
        });
    reads.addAll(captures);
    return new Node(
        nodeName, domain.equals("ai.onnx") ? Node.ONNX : domain, type, reads, makes, attributes);
  }

  /** The attribute of a message that holds no graph. */
  private Map<String, Attribute> attribute(ProtoReader message) {
    Map<String, Attribute> read = new HashMap<>();
    attribute(message, read, new TreeMap<>());
    return read;
  }

  private void attribute(
      ProtoReader message, Map<String, Attribute> attributes, Map<String, OnnxReader> bodies) {
    OnnxReader body = null;
    String key = "";
    Attribute value = null;
    List<Long> numbers = new ArrayList<>();
    List<Float> reals = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    long type = 0;
    while (message.next()) {
      switch (message.field()) {
        case 1 -> key = message.text();
        case 2 -> value = new Attribute.Real(message.real());
        case 3 -> value = new Attribute.Int(message.number());
        case 4 -> value = new Attribute.Text(message.text());
        case 5 -> {
          TensorReader.Named tensor = TensorReader.read(source, message.message(), outside);
          value = new Attribute.Array(tensor.constant().toTensor());
          narrow.note(value, tensor.type());
        }
        case 6 -> body = body(message.message());
        case 7 -> message.reals(reals::add);
        case 8 -> message.numbers(numbers::add);
        case 9 -> texts.add(message.text());
        case 20 -> type = message.number();
        // a value that the caller of the function gives
        case 21 -> value = arguments.get(message.text());
        case 22 -> {
          Constant tensor = SparseTensorReader.read(source, message.message(), outside).constant();
          value = new Attribute.Array(tensor.toTensor());
        }
        default -> message.skip();
      }
    }
    // lists may be empty, so that only the declared type tells them from an absent attribute
    if (!numbers.isEmpty() || type == 7 && value == null) {
      value = new Attribute.Ints(numbers);
    } else if (!reals.isEmpty() || type == 6 && value == null) {
      value = new Attribute.Reals(reals);
    } else if (!texts.isEmpty() || type == 8 && value == null) {
      value = new Attribute.Texts(texts);
    }
    if (body != null) {
      bodies.put(key, body);
    } else if (value != null) {
      attributes.put(key, value);
    }
  }

  private OnnxReader body(ProtoReader message) {
    if (depth == MAX_DEPTH) {
      throw message.damaged("has graphs within graphs more than " + MAX_DEPTH + " deep");
    }
    OnnxReader body = new OnnxReader(this);
    body.arguments = arguments;
    body.graph(message);
    return body;
  }

  private ValueInfo input(ProtoReader message) {
    ValueInfo input = valueInfo(message);
    if (input.dtype() == null && depth == 0) {
      throw new FormatException(
          source + " declares '" + input.name() + "' without a type", "export the model again");
    }
    return input;
  }

  private ValueInfo valueInfo(ProtoReader message) {
    String valueName = "";
    DType dtype = null;
    List<Dim> dims = null;
    while (message.next()) {
      switch (message.field()) {
        case 1 -> valueName = message.text();
        case 2 -> {
          ProtoReader types = message.message();
          while (types.next()) {
            if (types.field() != 1 && depth > 0) {
              // within a graph a sequence needs no type: it is told from how it is made
              types.skip();
              continue;
            }
            if (types.field() != 1) {
              throw new UnsupportedException(
                  source + ": '" + valueName + "' is no tensor, but " + kind(types.field()),
                  "use a model whose inputs and outputs are tensors");
            }
            String owner = valueName;
            ProtoReader tensor = types.message();
            while (tensor.next()) {
              switch (tensor.field()) {
                case 1 ->
                    dtype =
                        OnnxTypes.dtype(
                            tensor.number(),
                            named ->
                                new UnsupportedException(
                                    source + ": '" + owner + "' has the type " + named,
                                    "export the model with another type"));
                case 2 -> dims = dims(valueName, tensor.message());
                default -> tensor.skip();
              }
            }
          }
        }
        default -> message.skip();
      }
    }
    return new ValueInfo(valueName, dtype, dtype == null ? null : dims);
  }

  /** What TypeProto calls a type that is no tensor. */
  private static String kind(int field) {
    return switch (field) {
      case 4 -> "a sequence";
      case 5 -> "a map";
      case 8 -> "a sparse tensor";
      case 9 -> "an optional";
      default -> "of type " + field;
    };
  }

  private static List<Dim> dims(String owner, ProtoReader message) {
    List<Dim> dims = new ArrayList<>();
    while (message.next()) {
      if (message.field() != 1) {
        message.skip();
        continue;
      }
      // an axis without a name of its own is a symbol of this value alone
      Dim dim = Dim.symbol(owner + ":" + dims.size());
      ProtoReader extent = message.message();
      while (extent.next()) {
        switch (extent.field()) {
          case 1 -> {
            long value = extent.number();
            dim = value < 0 ? dim : Dim.of(value);
          }
          case 2 -> {
            String symbol = extent.text();
            dim = symbol.isEmpty() ? dim : Dim.symbol(symbol);
          }
          default -> extent.skip();
        }
      }
      dims.add(dim);
    }
    return dims;
  }
}
