package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.graph.OnnxTypes;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Writes small ONNX models for tests, field by field (numbers from onnx.proto), so that they can be
 * wrong in any way wanted.
 */
final class OnnxBuilder {
  private final ProtoWriter graph = new ProtoWriter();
  private final ProtoWriter model = new ProtoWriter();

  /** A model of an operator set. */
  public OnnxBuilder(long opset) {
    opset("", opset);
  }

  /** A model that names no operator set. */
  public OnnxBuilder() {}

  /** Names the version of a domain's operator set. */
  public OnnxBuilder opset(String domain, long version) {
    model.message(8, new ProtoWriter().text(1, domain).number(2, version));
    return this;
  }

  /** An input; a dim is a number, the name of a symbol, or "" for an unnamed one. */
  public OnnxBuilder input(String name, DType dtype, Object... dims) {
    graph.message(11, valueInfo(name, dtype, dims));
    return this;
  }

  /** An output. */
  public OnnxBuilder output(String name, DType dtype, Object... dims) {
    graph.message(12, valueInfo(name, dtype, dims));
    return this;
  }

  private static ProtoWriter valueInfo(String name, DType dtype, Object... dims) {
    ProtoWriter shape = new ProtoWriter();
    for (Object dim : dims) {
      ProtoWriter extent = new ProtoWriter();
      switch (dim) {
        case Number number -> extent.number(1, number.longValue());
        case String symbol when !symbol.isEmpty() -> extent.text(2, symbol);
        default -> {}
      }
      shape.message(1, extent);
    }
    ProtoWriter tensor = new ProtoWriter().number(1, OnnxTypes.number(dtype)).message(2, shape);
    return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, tensor));
  }

  /** A node; its name is its output with a star. */
  public OnnxBuilder node(String type, String output, String... inputs) {
    return node(type, List.of(inputs), output);
  }

  /** A node with attributes, each a message. */
  public OnnxBuilder node(
      String type, List<String> inputs, String output, ProtoWriter... attributes) {
    ProtoWriter node = new ProtoWriter();
    inputs.forEach(input -> node.text(1, input));
    node.text(2, output).text(3, output + "*").text(4, type);
    for (ProtoWriter attribute : attributes) {
      node.message(5, attribute);
    }
    return node(node);
  }

  /** A node as a message. */
  OnnxBuilder node(ProtoWriter node) {
    graph.message(1, node);
    return this;
  }

  /** An initializer as a message. */
  OnnxBuilder initializer(ProtoWriter tensor) {
    graph.message(5, tensor);
    return this;
  }

  /** Any field of the graph. */
  OnnxBuilder graphField(int field, ProtoWriter message) {
    graph.message(field, message);
    return this;
  }

  /** Any field of the model. */
  OnnxBuilder modelField(int field, ProtoWriter message) {
    model.message(field, message);
    return this;
  }

  /** A TensorProto without data. */
  static ProtoWriter tensor(String name, long type, long... dims) {
    ProtoWriter tensor = new ProtoWriter();
    for (long dim : dims) {
      tensor.number(1, dim);
    }
    return tensor.number(2, type).text(8, name);
  }

  /** A TensorProto with raw data. */
  static ProtoWriter raw(String name, DType dtype, byte[] data, long... dims) {
    return tensor(name, OnnxTypes.number(dtype), dims).bytes(9, data);
  }

  /** The model's bytes. */
  public byte[] toBytes() {
    return new ProtoWriter()
        .number(1, 8)
        .message(7, graph)
        .raw(MemorySegment.ofArray(model.toBytes()))
        .toBytes();
  }

  /** The model's memory. */
  public MemorySegment toSegment() {
    return MemorySegment.ofArray(toBytes());
  }
}
