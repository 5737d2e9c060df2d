package dev.filigree.format.onnx;

import dev.filigree.Tensor;
import dev.filigree.format.AtomicFile;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueInfo;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Writes a graph as an ONNX model (onnx.proto of ONNX 1.13). Compressed weights become plain dense
 * ones with the zeros in place, so that any runtime can read the file.
 */
public final class OnnxWriter {
  /** The version of the file format that the operator sets up to 18 belong to. */
  private static final int IR_VERSION = 8;

  private static final int EXTERNAL = 1;
  private static final int PIECE = 1 << 20;

  /**
   * Larger models keep their data outside: protocol buffers are made in memory and end at 2 GiB.
   */
  private static final long MOST_INSIDE = 256L << 20;

  private OnnxWriter() {}

  /**
   * A model whose larger constants are declared but hold no data: for a container that stores them
   * elsewhere.
   *
   * @param small bytes below which a constant stays inside
   */
  public static byte[] weightless(Graph graph, long small) {
    ProtoWriter message = nodes(graph);
    graph
        .constants()
        .forEach(
            (name, constant) -> {
              boolean inside =
                  constant instanceof Constant.Plain(Tensor tensor) && tensor.bytes() < small;
              message.message(
                  5,
                  inside
                      ? declaration(name, constant).bytes(9, content(constant.toTensor()))
                      : declaration(name, constant).number(14, EXTERNAL));
            });
    return model(graph).message(7, message).toBytes();
  }

  /**
   * Writes a whole model; above 256 MiB its data goes to a file {@code NAME.data} beside it.
   *
   * @throws dev.filigree.UnsupportedException if a node is of an operator of Filigree's own, which
   *     no other runtime knows
   * @throws dev.filigree.OutputException if a file cannot be written; neither is left half written
   */
  public static void write(Graph graph, Path file) {
    requireCommon(graph);
    long bytes = 0;
    for (Constant constant : graph.constants().values()) {
      bytes += Tensor.byteSize(constant.type().dtype(), constant.type().shape());
    }
    boolean outside = bytes > MOST_INSIDE;
    Path data = file.resolveSibling(file.getFileName() + ".data");
    ProtoWriter message = nodes(graph);
    if (outside) {
      AtomicFile.write(
          data,
          channel -> {
            for (Map.Entry<String, Constant> entry : graph.constants().entrySet()) {
              long offset = channel.position();
              MemorySegment content = content(entry.getValue().toTensor());
              for (long at = 0; at < content.byteSize(); at += PIECE) {
                ByteBuffer piece =
                    content.asSlice(at, Math.min(PIECE, content.byteSize() - at)).asByteBuffer();
                while (piece.hasRemaining()) {
                  channel.write(piece);
                }
              }
              message.message(
                  5,
                  declaration(entry.getKey(), entry.getValue())
                      .message(13, place("location", data.getFileName().toString()))
                      .message(13, place("offset", Long.toString(offset)))
                      .message(13, place("length", Long.toString(content.byteSize())))
                      .number(14, EXTERNAL));
            }
          });
    } else {
      graph
          .constants()
          .forEach(
              (name, constant) ->
                  message.message(
                      5, declaration(name, constant).bytes(9, content(constant.toTensor()))));
    }
    byte[] model = model(graph).message(7, message).toBytes();
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer rest = ByteBuffer.wrap(model);
          while (rest.hasRemaining()) {
            channel.write(rest);
          }
        });
  }

  /** Refuses operators of Filigree's own: rounding to small floats is read as such. */
  private static void requireCommon(Graph graph) {
    for (Node node : graph.nodes()) {
      if (node.domain().equals(Node.FUSED)) {
        throw node.unsupported(
            "is read as an operator of Filigree's own, which ONNX does not have",
            "write a .filigree file, which keeps the graph as it was, or use the original model");
      }
      node.bodies().values().forEach(OnnxWriter::requireCommon);
    }
  }

  private static ProtoWriter place(String key, String value) {
    return new ProtoWriter().text(1, key).text(2, value);
  }

  private static ProtoWriter model(Graph graph) {
    ProtoWriter model =
        new ProtoWriter()
            .number(1, IR_VERSION)
            .text(2, "filigree")
            .message(8, new ProtoWriter().text(1, "").number(2, graph.opset()));
    domains(graph)
        .forEach(domain -> model.message(8, new ProtoWriter().text(1, domain).number(2, 1)));
    return model;
  }

  /** Domains of a graph's operators besides ONNX's own. */
  private static Set<String> domains(Graph graph) {
    Set<String> domains = new TreeSet<>();
    for (Node node : graph.nodes()) {
      if (!node.domain().isEmpty()) {
        domains.add(node.domain());
      }
      node.bodies().values().forEach(body -> domains.addAll(domains(body)));
    }
    return domains;
  }

  /** A branch or loop body with its constants, without the inputs it captures. */
  private static ProtoWriter body(Graph graph, int captures) {
    List<ValueInfo> own = graph.inputs().subList(0, graph.inputs().size() - captures);
    Graph uncaptured =
        new Graph(
            graph.name(), graph.opset(), own, graph.outputs(), graph.nodes(), graph.constants());
    ProtoWriter message = nodes(uncaptured);
    graph
        .constants()
        .forEach(
            (name, constant) ->
                message.message(
                    5, declaration(name, constant).bytes(9, content(constant.toTensor()))));
    return message;
  }

  /** The graph without its constants. */
  private static ProtoWriter nodes(Graph graph) {
    ProtoWriter message = new ProtoWriter();
    graph.nodes().forEach(node -> message.message(1, node(node)));
    message.text(2, graph.name());
    graph.inputs().forEach(input -> message.message(11, value(input)));
    graph.outputs().forEach(output -> message.message(12, value(output)));
    return message;
  }

  private static ProtoWriter node(Node node) {
    ProtoWriter message = new ProtoWriter();
    // what bodies capture is an input here and found by its name in ONNX
    int captures =
        node.attributes().values().stream()
            .mapToInt(value -> value instanceof Attribute.Body body ? body.captures() : 0)
            .max()
            .orElse(0);
    node.inputs()
        .subList(0, node.inputs().size() - captures)
        .forEach(input -> message.text(1, input));
    node.outputs().forEach(output -> message.text(2, output));
    message.text(3, node.name()).text(4, node.type());
    node.attributes().entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(entry -> message.message(5, attribute(entry.getKey(), entry.getValue())));
    return message.text(7, node.domain());
  }

  private static ProtoWriter attribute(String name, Attribute attribute) {
    ProtoWriter message = new ProtoWriter().text(1, name);
    return switch (attribute) {
      case Attribute.Real(float value) -> message.real(2, value).number(20, 1);
      case Attribute.Int(long value) -> message.number(3, value).number(20, 2);
      case Attribute.Text(String value) -> message.text(4, value).number(20, 3);
      case Attribute.Body(Graph graph, int captures) ->
          message.message(6, body(graph, captures)).number(20, 5);
      case Attribute.Array(Tensor value) ->
          message
              .message(5, declaration("", new Constant.Plain(value)).bytes(9, content(value)))
              .number(20, 4);
      case Attribute.Reals(var values) -> {
        values.forEach(value -> message.real(7, value));
        yield message.number(20, 6);
      }
      case Attribute.Ints(var values) -> {
        values.forEach(value -> message.number(8, value));
        yield message.number(20, 7);
      }
      case Attribute.Texts(var values) -> {
        values.forEach(value -> message.text(9, value));
        yield message.number(20, 8);
      }
    };
  }

  private static ProtoWriter value(ValueInfo info) {
    if (info.dtype() == null) {
      return new ProtoWriter().text(1, info.name());
    }
    ProtoWriter tensor = new ProtoWriter().number(1, OnnxTypes.number(info.dtype()));
    if (info.dims() != null) {
      ProtoWriter shape = new ProtoWriter();
      for (Dim dim : info.dims()) {
        shape.message(
            1,
            dim.isKnown()
                ? new ProtoWriter().number(1, dim.value())
                : new ProtoWriter().text(2, dim.toString()));
      }
      tensor.message(2, shape);
    }
    return new ProtoWriter().text(1, info.name()).message(2, new ProtoWriter().message(1, tensor));
  }

  private static ProtoWriter declaration(String name, Constant constant) {
    ProtoWriter message = new ProtoWriter();
    for (Dim dim : constant.type().dims()) {
      message.number(1, dim.value());
    }
    return message.number(2, OnnxTypes.number(constant.type().dtype())).text(8, name);
  }

  private static MemorySegment content(Tensor tensor) {
    Tensor contiguous = tensor.contiguous();
    return contiguous.data().asSlice(0, contiguous.bytes());
  }
}
