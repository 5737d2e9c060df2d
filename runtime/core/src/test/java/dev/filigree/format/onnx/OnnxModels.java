package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.OnnxTypes;
import java.util.Map;

/** Writes small ONNX models for tests. */
public final class OnnxModels {
  private static final int OPSET = 17;

  private OnnxModels() {}

  /**
   * A model of initializers. Each f32 matrix {@code w [in, out]} is multiplied with an input {@code
   * w.x [batch, in]} to an output {@code w.y [batch, out]}; the others are not used.
   */
  public static byte[] of(Map<String, Tensor> initializers) {
    ProtoWriter graph = new ProtoWriter().text(2, "test");
    initializers.forEach(
        (name, tensor) -> {
          graph.message(5, tensor(name, tensor));
          if (tensor.dtype() == DType.F32 && tensor.shape().rank() == 2) {
            graph.message(1, product(name));
            graph.message(11, matrix(name + ".x", tensor.shape().extent(0)));
            graph.message(12, matrix(name + ".y", tensor.shape().extent(1)));
          }
        });
    return model(graph);
  }

  /** A model {@code y = op(x [batch, 4])} whose output is declared by its name alone. */
  public static byte[] ofOutputWithoutType(String op) {
    ProtoWriter graph =
        new ProtoWriter()
            .message(1, new ProtoWriter().text(1, "x").text(2, "y").text(4, op))
            .message(11, matrix("x", 4))
            .message(12, new ProtoWriter().text(1, "y"));
    return model(graph);
  }

  private static byte[] model(ProtoWriter graph) {
    return new ProtoWriter()
        .number(1, 8)
        .message(7, graph)
        .message(8, new ProtoWriter().number(2, OPSET))
        .toBytes();
  }

  private static ProtoWriter tensor(String name, Tensor tensor) {
    ProtoWriter out = new ProtoWriter();
    for (long extent : tensor.shape().extents()) {
      out.number(1, extent);
    }
    return out.number(2, OnnxTypes.number(tensor.dtype()))
        .text(8, name)
        .bytes(9, tensor.contiguous().data());
  }

  private static ProtoWriter product(String weights) {
    return new ProtoWriter()
        .text(1, weights + ".x")
        .text(1, weights)
        .text(2, weights + ".y")
        .text(3, weights + ".product")
        .text(4, "MatMul");
  }

  private static ProtoWriter matrix(String name, long features) {
    ProtoWriter shape =
        new ProtoWriter()
            .message(1, new ProtoWriter().text(2, "batch"))
            .message(1, new ProtoWriter().number(1, features));
    ProtoWriter type = new ProtoWriter().number(1, OnnxTypes.number(DType.F32)).message(2, shape);
    return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, type));
  }
}
